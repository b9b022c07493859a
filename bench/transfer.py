"""One transfer end to end, from the gateway's callback to the notify it accepts, by real processes on real servers.

    .venv/bin/python bench/transfer.py [--contexts 1000] [--many 10000] [--few 100] [--bytes 20480]

``hip serve``, ``hip relay`` and ``hip worker`` over embedded PostgreSQL, MongoDB-wire server and Valkey; gateway and
requester in another process that only stores while the clock runs. The clock starts when the callback is sent and
stops when the notify has come. Memory is what the worker's process for the transfer grows by, from its fork to its
peak. The yardstick, in the same run: the same bundles read from the same store, sealed and posted to the same
requester by a bare loop, as many in flight, with no gate, no state and no account. For that comparison the second that
is waited before the first push (contract §2.10) is taken off: it is no work, and the loop has nobody to wait for.

Every page is opened afterwards and compared with what was stored. Exit code 1 when a limit is missed.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import abdm_ecdh
import httpx
from stored_records import HIP, NAME, Records
from storing import serve

from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.push import pages
from hip.adapters.sealing.sealer import CryptographySealer
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.ports import PushedPage
from hip.application.waits import Waits
from hip.domain.identifiers import CareContextReference, TransactionId
from hip.domain.key_material import KeyMaterial
from hip.entrypoints.demo.processes import Service, descendants, service
from hip.entrypoints.embedded.servers import EmbeddedServers, embedded_servers

MOST_SECONDS, MOST_GROWTH, MOST_OF_BARE, MOST_OF_FEW = 10.0, 60.0, 5.0, 1.2
PARALLEL, PATIENCE, EVERY, REPEATS = 4, 600.0, 0.05, 3
WAITED = Waits().before_first_push.total_seconds()
CALLBACK = "/api/v3/hip/health-information/request"


@dataclass(frozen=True)
class Measured:
    """Seconds from the callback to the notify, and from the first page to the notify; MB the worker grew by."""

    whole: float
    pushing: float
    grown: float


class Far:
    """The other process, asked through a pipe."""

    def __init__(self, orders: Connection) -> None:
        self._orders = orders
        self.url = f"http://127.0.0.1:{orders.recv()}"

    def ask(self, name: str, *arguments: str) -> Any:
        self._orders.send((name, arguments))
        return self._orders.recv()


@contextmanager
def far_side() -> Iterator[Far]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Far(ours)
    finally:
        ours.send(None)
        process.join()


@dataclass(frozen=True)
class Bench:
    far: Far
    group: Service
    hip_url: str
    records: Records
    documents: MongoDocuments
    database: PostgresDatabase
    own: Any  # abdm_ecdh.KeyMaterial

    async def transfer(self, contexts: int) -> Measured:
        """One transfer of so many contexts, opened and compared afterwards."""
        consent, transaction, numbers = str(uuid4()), str(uuid4()), range(contexts)
        await self.records.consent(consent, numbers, database=self.database)
        path, sizes = f"/push/{transaction}", dict[int, tuple[float, float]]()
        async with httpx.AsyncClient(trust_env=False) as http:
            began = time.monotonic()
            headers = {"REQUEST-ID": str(uuid4()), "TIMESTAMP": _moment(datetime.now(UTC)), "X-HIP-ID": HIP}
            response = await http.post(
                self.hip_url + CALLBACK, json=self._asked(consent, transaction, path), headers=headers
            )
            response.raise_for_status()
        while (came := self.far.ask("notified", transaction)) is None:
            if time.monotonic() > began + PATIENCE:
                raise SystemExit(f"no notify came; {self.group.processes['worker'].tail()}")
            _weigh(descendants(self.group.processes["worker"].pid), sizes)
            await asyncio.sleep(EVERY)
        at, notification = came
        first = self.far.ask("first")[path]
        said = notification["statusNotification"]
        delivered = {one["careContextReference"] for one in said["statusResponses"] if one["hiStatus"] == "DELIVERED"}
        held = self.far.ask("proof", path, self.own.private_key, self.own.nonce)
        if said["sessionStatus"] != "TRANSFERRED" or held != self.records.hashes(numbers) or delivered != set(held):
            raise SystemExit("the requester does not hold exactly what was stored, or was told otherwise")
        grown = max((peak - start for start, peak in sizes.values()), default=0.0)
        return Measured(at - began, at - first, grown)

    async def bare(self, contexts: int) -> float:
        """Seconds of the yardstick."""
        sealer, path, numbers = CryptographySealer(), f"/push/{uuid4()}", iter(range(contexts))
        peer = KeyMaterial(public_key=self.own.public_key, nonce=self.own.nonce, expires_at=None)
        expires_at = datetime.now(UTC) + timedelta(days=1)

        async def carry(http: httpx.AsyncClient) -> None:
            for number in numbers:
                content = await self.documents.get(self.records.key(number), 1) or b""
                page = PushedPage(
                    transaction_id=TransactionId("bare"),
                    number=number + 1,
                    page_count=contexts,
                    references=(CareContextReference(f"bench-{number}"),),
                    checksums=("0" * 32,),
                    sealed=sealer.seal([content], peer=peer, expires_at=expires_at),
                )
                await http.post(self.far.url + path, content=pages.body(page, first_page=1))

        async with httpx.AsyncClient(trust_env=False) as http:
            began = time.monotonic()
            await asyncio.gather(*(carry(http) for _ in range(PARALLEL)))
            took = time.monotonic() - began
        if self.far.ask("proof", path, self.own.private_key, self.own.nonce) != self.records.hashes(range(contexts)):
            raise SystemExit("the yardstick did not deliver")
        return took

    def _asked(self, consent: str, transaction: str, path: str) -> dict[str, Any]:
        expiry = _moment(datetime.now(UTC) + timedelta(days=1))
        key = {"expiry": expiry, "parameters": "Curve25519/32byte random key", "keyValue": self.own.public_key}
        return {
            "transactionId": transaction,
            "hiRequest": {
                "consent": {"id": consent},
                "dateRange": {"from": "2026-01-01T00:00:00.000Z", "to": "2026-12-31T00:00:00.000Z"},
                "dataPushUrl": self.far.url + path,
                "keyMaterial": {
                    "cryptoAlg": "ECDH",
                    "curve": "Curve25519",
                    "dhPublicKey": key,
                    "nonce": self.own.nonce,
                },
            },
        }


def _weigh(processes: list[int], sizes: dict[int, tuple[float, float]]) -> None:
    """MB of each process: resident when it was first seen, and at most ever since."""
    for pid in processes:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue  # it ended meanwhile
        figures = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Vm")}
        if "VmRSS" in figures:
            now, peak = int(figures["VmRSS"]) / 1024, int(figures["VmHWM"]) / 1024
            sizes[pid] = (sizes.get(pid, (now, 0.0))[0], peak)


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def ours(servers: EmbeddedServers, far: Far) -> Iterator[tuple[Service, str]]:
    """``hip serve``, ``relay`` and ``worker``; yields the first one's URL with them."""
    environment = {
        "HIP_GATEWAY_URL": far.url,
        "HIP_CLIENT_ID": "bench",
        "HIP_CLIENT_SECRET": "bench",
        "HIP_FACILITIES": json.dumps([{"id": HIP, "name": NAME}]),
        "HIP_DATABASE_URL": servers.urls.database_url,
        "HIP_MONGO_URL": servers.urls.mongo_url,
        "HIP_REDIS_URL": servers.urls.redis_url,
        "HIP_KEY_FILE": str(servers.folder / "hip.keys"),
        "HIP_BIND": "127.0.0.1:0",
        "HIP_CM_ID": "sbx",
        "HIP_CALLBACK_AUTH": "observe",
        "HIP_PUSH_PARALLEL": str(PARALLEL),
    }
    with service(servers.folder / "logs") as group:
        module = "hip.entrypoints.cli.main"
        group.start("upgrade", "db", "upgrade", module=module, environment=environment).finish()
        del group.processes["upgrade"]
        for name in ("serve", "relay", "worker"):
            group.start(name, name, module=module, environment=environment)
        yield group, group.processes["serve"].address()


async def measure(options: argparse.Namespace, servers: EmbeddedServers, far: Far, group: Service, url: str) -> int:
    vault = LocalKeyVault.open(servers.folder / "hip.keys", create=True)
    database = PostgresDatabase(servers.urls.database_url, vault=vault, records=JsonVisitRecords())
    documents = MongoDocuments(servers.urls.mongo_url, "AmritHRP")
    records = Records.of(options.bytes)
    try:
        await records.store(range(max(options.contexts, options.many)), documents=documents, database=database)
        bench = Bench(far, group, url, records, documents, database, abdm_ecdh.generate_key_material())
        await bench.transfer(options.few)  # the worker's first batch, and the databases' first of everything
        few = [await bench.transfer(options.few) for _ in range(REPEATS)]
        rounds = [(await bench.transfer(options.contexts), await bench.bare(options.contexts)) for _ in range(REPEATS)]
        many = await bench.transfer(options.many) if options.many else None
        return report(options, few, rounds, many)
    finally:
        await database.close()
        await documents.close()


def report(
    options: argparse.Namespace, few: list[Measured], rounds: list[tuple[Measured, float]], many: Measured | None
) -> int:
    whole = statistics.median(one.whole for one, _ in rounds)
    ratio = statistics.median((one.whole - WAITED) / bare for one, bare in rounds)
    growth = max(one.grown for one, _ in rounds)
    print(f"a transfer of {options.contexts} contexts of {options.bytes} bytes, median of {REPEATS} rounds")
    lines: list[tuple[str, float, float, str]] = [
        ("end to end", whole, MOST_SECONDS, "s"),
        ("end to end without the wait / bare loop", ratio, MOST_OF_BARE, ""),
        ("memory of its worker, growth at most", growth, MOST_GROWTH, "MB"),
    ]
    if many is not None:
        small = statistics.median(one.pushing for one in few) / options.few
        lines += [
            (f"memory, {options.many} contexts", many.grown, MOST_GROWTH, "MB"),
            (f"first page to notify, per context, {options.many} : {options.few}", many.pushing / options.many / small,
             MOST_OF_FEW, ""),
        ]  # fmt: skip
        print(f"  {options.many} contexts took {many.whole:.1f} s; {options.few} took "
              f"{statistics.median(one.whole for one in few):.2f} s")  # fmt: skip
    print(f"  the bare loop took {statistics.median(bare for _, bare in rounds):.2f} s")
    for name, value, limit, unit in lines:
        print(f"  {name:<58}{value:>8.2f} {unit:<3} limit {limit:g}   {'met' if value <= limit else 'MISSED'}")
    return 0 if all(value <= limit for _, value, limit, _ in lines) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description="One transfer, end to end.")
    parser.add_argument("--contexts", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000, help="0 leaves it out")
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--bytes", type=int, default=20 * 1024, help="size of each bundle")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        far_side() as far,
        embedded_servers(Path(folder) / "d") as servers,
        ours(servers, far) as (group, url),
    ):
        return asyncio.run(measure(options, servers, far, group, url))


if __name__ == "__main__":
    sys.exit(main())
