"""An operator with a service on real servers, and one of everything to look at."""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from tests.builders.consents import a_consent
from tests.builders.conversations import a_callback, an_exchange
from tests.builders.databases import a_postgres_database, connected
from tests.builders.links import OTHER_HIP, a_link_request
from tests.builders.moments import NOW
from tests.builders.stored_visits import a_bundle_record
from tests.builders.transfers import a_page, a_transfer
from tests.servers import Servers
from typer.testing import CliRunner

from hip.adapters.key_vault.local import LocalKeyVault
from hip.domain.callbacks import CallbackId, CallbackState
from hip.domain.identifiers import RequestId, TransactionId
from hip.domain.transfers import Transfer
from hip.entrypoints.cli.main import app

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "visits").glob("*.json"))
PERSONAL = ("Meera", "Kulkarni", "9876543210", "meera.k01", "91123456789012", "Paracetamol")
"""Of the first example, whom no listing may show."""
NOWHERE = "127.0.0.1:9"  # the discard port: nothing listens
GONE = {
    "HIP_DATABASE_URL": f"postgresql://nobody@{NOWHERE}/hip",
    "HIP_MONGO_URL": f"mongodb://{NOWHERE}",
    "HIP_REDIS_URL": f"redis://{NOWHERE}/0",
    "HIP_GATEWAY_URL": f"http://{NOWHERE}/api/hiecm",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """An operator with a service on real servers. ``url`` is its PostgreSQL database."""

    settings: Mapping[str, str]
    folder: Path
    url: str

    def run(self, *arguments: str, **changes: str | None) -> Answer:
        """``hip ARGUMENTS`` in this process, with the settings and then ``changes`` (None takes a setting away).

        Whatever the command: no traceback, and nobody's name, number or medicine.
        """
        surroundings = {name: None for name in os.environ if name.startswith("HIP_")}
        with chdir(self.folder):  # where no .env is
            ended = CliRunner().invoke(app, arguments, env={**surroundings, **self.settings, **changes})
        assert isinstance(ended.exception, SystemExit | None), repr(ended.exception)
        assert "Traceback" not in ended.stderr
        assert [word for word in PERSONAL if word in ended.output] == []
        return Answer(code=ended.exit_code, stdout=ended.stdout, stderr=ended.stderr)

    def rows(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """What PostgreSQL holds."""

        async def read() -> list[tuple[Any, ...]]:
            connection = await connected(self.url)
            try:
                return [tuple(row.values()) for row in await connection.fetch(query, *arguments)]
            finally:
                await connection.close()

        return asyncio.run(read())

    def waiting(self, topic: str) -> list[str]:
        """The keys of the outbox rows of a topic that no worker has done yet."""
        return sorted(key for (key,) in self.rows("SELECT key FROM outbox WHERE topic = $1 AND state = 'ready'", topic))


@contextmanager
def a_desk(servers: Servers, folder: Path) -> Iterator[Desk]:
    """A database of its own, brought up to date by the command, with one of everything in it."""
    with servers.scratch_database() as url:
        mongo_database = f"{servers.mongo_database}_operator"
        settings = {
            "HIP_DATABASE_URL": url,
            "HIP_MONGO_URL": servers.mongo_url,
            "HIP_MONGO_DATABASE": mongo_database,
            "HIP_REDIS_URL": servers.redis_url,
            "HIP_GATEWAY_URL": GONE["HIP_GATEWAY_URL"],
            "HIP_CLIENT_ID": "SBXID_HIP",
            "HIP_CLIENT_SECRET": "hip-secret",
            "HIP_FACILITIES": json.dumps([{"id": "IN0410000123", "name": "Demo"}, {"id": OTHER_HIP, "name": "Other"}]),
            "HIP_KEY_FILE": str(folder / "hip.keys"),
        }
        desk = Desk(settings=settings, folder=folder, url=url)
        assert desk.run("db", "upgrade").code == 0
        asyncio.run(_fill(url, folder / "hip.keys"))
        yield desk
        with MongoClient[dict[str, Any]](servers.mongo_url) as client:
            client.drop_database(mongo_database)


def transfer_id(name: str) -> TransactionId:
    return TransactionId(f"transfer-{name}")


def _transfers() -> Sequence[Transfer]:
    """One in each state an operator may meet; all but the first two are no business of a retry."""
    asked = a_transfer()
    acknowledged = asked.acknowledge(now=NOW)
    pushing = replace(acknowledged, transaction_id=transfer_id("failed")).plan(1, now=NOW)
    errored = a_page(transaction_id=transfer_id("failed")).errored("the requester said no", now=NOW)
    failed = pushing.finish([errored], now=NOW).notified(now=NOW)
    delivered = a_page().delivered(now=NOW)
    refused = asked.refuse("ABDM-1063", "REL-08: dates outside the consent", notify=False, now=NOW)
    return (
        replace(acknowledged.give_up("too many failures", now=NOW), transaction_id=transfer_id("dead")),
        failed,
        replace(
            acknowledged.plan(1, now=NOW).finish([delivered], now=NOW).notified(now=NOW),
            transaction_id=transfer_id("whole"),
        ),
        replace(refused, transaction_id=transfer_id("refused")),
        replace(acknowledged, transaction_id=transfer_id("running")),
    )


async def _fill(url: str, key_file: Path) -> None:
    database = a_postgres_database(url, vault=LocalKeyVault.open(key_file, create=True))
    try:
        async with database.unit() as uow:
            await uow.callbacks.add(a_callback())
            await uow.callbacks.add(
                a_callback(
                    id=CallbackId("callback-hash"),
                    request_id=RequestId("rejected-1"),
                    sealed_body=None,
                    state=CallbackState.REJECTED,
                )
            )
            await uow.callbacks.add(a_callback(id=CallbackId("callback-other"), hip_id=OTHER_HIP))
            await uow.exchanges.save(an_exchange())
            await uow.link_requests.save(a_link_request(visit_code="linked-1"))
            await uow.consents.save(a_consent())
            await uow.bundles.add(a_bundle_record())
            for transfer in _transfers():
                await uow.transfers.add(transfer)
                await uow.transfers.save(transfer)
            page = a_page(transaction_id=transfer_id("failed"))
            await uow.transfers.add_pages([page])
            await uow.transfers.save_page(page.errored("the requester said no", now=NOW))
            await uow.commit()
    finally:
        await database.close()
