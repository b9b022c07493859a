"""Visits → validated bundles, by real processes on real servers.

    .venv/bin/python bench/pipeline.py [--visits 10000] [--workers 2] [--costs FILE]

The visits are taken in first. The clock starts when the relay's first documents are stored, and stops when all are:
lease, RQ, fork, compose, validate, MongoDB, Postgres, flag. Embedded PostgreSQL, MongoDB-wire server and Valkey. The
patients have neither ABHA nor telephone, so that nothing follows and the pipeline alone is measured.

What is spent outside composing and validating is the workers' CPU less what composing and validating the same visits
costs in this process, in the same run. A lease is measured with few and with many closed rows in two databases, with
rounds interleaved. Exit code 1 when a limit is missed.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from process_costs import Memory, cpu_seconds, idle_seconds, memory
from sqlalchemy import text

from hip.adapters.clock import system_clock
from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.postgres.schema import upgrade
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.intake import ReceiveVisit
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId, PatientReference, VisitCode
from hip.domain.visits import VisitClass, VisitRecord
from hip.entrypoints.demo.processes import Service, descendants, service
from hip.entrypoints.embedded.servers import EmbeddedServers, embedded_servers
from hip.entrypoints.example_visits import example_visits
from hip.entrypoints.facilities import ConfiguredFacilities

HIP = HipId("IN0410000123")
CLINIC = Facility(hip_id=HIP, name="Demo Clinic")
LEAST_RATE, MOST_OUTSIDE, MOST_CLOSED_RATIO, MOST_GROWTH = 200.0, 0.5, 1.2, 20.0
FEW_CLOSED, MANY_CLOSED = 1_000, 100_000
PATIENCE, EVERY, AT_ONCE, ROUNDS, CLAIMED = 1800.0, 0.25, 8, 15, 400
SAMPLE = 300


def visits(count: int) -> Iterator[VisitRecord]:
    """The out-patient examples in turn, each visit with a patient of its own whom nobody can reach."""
    examples = [one.record for one in example_visits() if one.record.visit_class is VisitClass.AMBULATORY]
    for number in range(count):
        record = examples[number % len(examples)]
        patient = replace(
            record.patient,
            reference=PatientReference(f"P-{number}"),
            abha_address=None,
            abha_number=None,
            phone=None,
        )
        yield replace(record, hip_id=HIP, visit_code=VisitCode(f"V-{number}"), patient=patient)


def making(records: Sequence[VisitRecord]) -> float:
    """CPU seconds of composing and validating one bundle, on average."""
    composer, validator = FhirComposer(), NrcesValidator()

    def once() -> int:
        made = 0
        for record in records:
            for hi_type in record.required_hi_types:
                assert validator.validate(composer.compose(record, hi_type, facility=CLINIC)).valid
                made += 1
        return made

    once()
    began = time.process_time()
    made = once()
    return (time.process_time() - began) / made


@dataclass(frozen=True)
class Flow:
    """One run: bundles asked for and counted, seconds they took, CPU seconds by process, MB the workers grew by."""

    asked: int
    bundles: int
    seconds: float
    cpu: dict[str, float]
    growth: float
    horse_growth: float
    idle: float

    @property
    def cores(self) -> float:
        """Processors that were left to us: what we used and what nobody wanted."""
        return (sum(self.cpu.values()) + self.idle) / self.seconds


async def take_in(database: PostgresDatabase, count: int) -> int:
    """Every visit through the intake; how many bundles that asks for."""
    facilities, records = ConfiguredFacilities((CLINIC,)), JsonVisitRecords()
    receive = ReceiveVisit(database.unit, records, facilities, system_clock)
    waiting, asked = visits(count), 0

    async def carry() -> None:
        nonlocal asked
        for record in waiting:
            received = await receive(records.write(record), actor="bench")
            asked += len(received.hi_types)

    await asyncio.gather(*(carry() for _ in range(AT_ONCE)))
    return asked


async def run(group: Service, servers: EmbeddedServers, database: PostgresDatabase, asked: int, workers: int) -> Flow:
    """Start relay and workers, and watch until every bundle is stored."""
    environment = group.environment_of("upgrade")
    module = "hip.entrypoints.cli.main"
    names = [f"worker-{number}" for number in range(workers)]
    for name in names:
        group.start(name, "worker", module=module, environment=environment)
    await asyncio.sleep(4)
    roots = {"workers": [group.processes[name].pid for name in names]}
    roots |= {name: [pid] for name, pid in servers.pids.items()}
    relay = group.start("relay", "relay", module=module, environment=environment)
    roots["relay"] = [relay.pid]
    first: tuple[float, int] | None = None
    idle = 0.0
    costs: dict[str, float] = {}
    parents: dict[int, list[float]] = {pid: [] for pid in roots["workers"]}
    horses: dict[int, Memory] = {}
    deadline = time.monotonic() + PATIENCE
    while True:
        stored = await _stored(database)
        if first is None and stored:
            first = (time.monotonic(), stored)
            costs = {name: sum(map(cpu_seconds, pids)) for name, pids in roots.items()}
            idle = idle_seconds()
        for parent in roots["workers"]:
            if first is not None and (seen := memory(parent)) is not None:
                parents[parent].append(seen.now)
            for pid in descendants(parent):
                if (weight := memory(pid)) is not None:
                    horses[pid] = weight
        if stored >= asked:
            break
        group.require_running()
        if time.monotonic() > deadline:
            raise SystemExit(f"{stored} of {asked} bundles came")
        await asyncio.sleep(EVERY)
    assert first is not None
    began, before = first
    seconds = time.monotonic() - began
    idle = idle_seconds() - idle
    await asyncio.sleep(1.5)  # the last horses end, and their CPU is their parent's
    cpu = {name: sum(map(cpu_seconds, pids)) - costs[name] for name, pids in roots.items()}
    growth = max(seen[-1] - seen[0] for seen in parents.values())
    peaks = [one.peak for one in horses.values()]
    third = max(1, len(peaks) // 3)
    horse_growth = statistics.mean(peaks[-third:]) - statistics.mean(peaks[:third])
    return Flow(asked, asked - before, seconds, cpu, growth, horse_growth, idle)


async def _stored(database: PostgresDatabase) -> int:
    async with database.engine.connect() as connection:
        counted = await connection.execute(text("SELECT count(*) FROM bundle_jobs WHERE state IN ('valid', 'invalid')"))
        return int(counted.scalar_one())


async def claiming(few: PostgresDatabase, many: PostgresDatabase) -> tuple[float, float]:
    """Milliseconds a claimed row costs, with few and with many closed rows: lease, hold and end 400 of them."""
    for database, closed in ((few, FEW_CLOSED), (many, MANY_CLOSED)):
        await _fill(database, closed)
    times: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        for which, database in enumerate((few, many)):
            times[which].append(await _claimed(database))
    return statistics.median(times[0][2:]), statistics.median(times[1][2:])


async def _fill(database: PostgresDatabase, closed: int) -> None:
    async with database.engine.connect() as connection:
        for count, state in ((closed, "done"), (CLAIMED * ROUNDS, "ready")):
            await connection.execute(
                text(
                    "INSERT INTO outbox (hip_id, topic, key, priority, run_at, attempt, state) SELECT :hip, 'bundle', "
                    "n || '|Prescription', 5, now() - interval '1 day', 0, :state FROM generate_series(1, :count) n"
                ),
                {"hip": HIP, "state": state, "count": count},
            )
        await connection.commit()
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("VACUUM ANALYZE outbox"))


async def _claimed(database: PostgresDatabase) -> float:
    now = datetime.now(UTC)
    began = time.perf_counter()
    async with database.unit() as uow:
        rows = await uow.outbox.lease(now=now, until=now + timedelta(minutes=5), limit=CLAIMED)
        await uow.commit()
    claims = [(row.id, row.attempt) for row in rows]
    async with database.unit() as uow:
        assert len(await uow.outbox.held(claims)) == CLAIMED
        await uow.outbox.done_all(claims)
        await uow.commit()
    return (time.perf_counter() - began) * 1000 / CLAIMED


async def measure(options: argparse.Namespace, servers: EmbeddedServers, group: Service) -> int:
    vault = LocalKeyVault.open(servers.folder / "hip.keys", create=True)
    for name in ("few", "many"):
        servers.create_database(name)
        await asyncio.to_thread(upgrade, servers.database_url(name))
    urls = (servers.urls.database_url, servers.database_url("few"), servers.database_url("many"))
    opened = [PostgresDatabase(url, vault=vault, records=JsonVisitRecords()) for url in urls]
    database, few, many = opened
    try:
        closed = await claiming(few, many)
        began = time.monotonic()
        asked = await take_in(database, options.visits)
        print(
            f"{options.visits} visits taken in one by one, {options.visits / (time.monotonic() - began):.0f} a second"
        )
        sample = list(visits(SAMPLE))
        before = making(sample)
        flow = await run(group, servers, database, asked, options.workers)
        return report(options, flow, statistics.mean((before, making(sample))), closed)
    finally:
        for one in opened:
            await one.close()


def report(options: argparse.Namespace, flow: Flow, made: float, closed: tuple[float, float]) -> int:
    rate = flow.bundles / flow.seconds
    outside = 1 - made * flow.bundles / flow.cpu["workers"]
    ratio = closed[1] / closed[0]
    print(f"{flow.bundles} bundles in {flow.seconds:.1f} s with {options.workers} workers; CPU a bundle:")
    for name, seconds in flow.cpu.items():
        print(f"  {name:<58}{seconds / flow.bundles * 1000:>8.2f} ms")
    print(f"  {'composing and validating alone':<58}{made * 1000:>8.2f} ms")
    lines = [
        ("bundles a second", rate, LEAST_RATE, rate >= LEAST_RATE),
        ("share of the workers' CPU outside composing and validating", outside, MOST_OUTSIDE, outside <= MOST_OUTSIDE),
        (f"a claimed row with {MANY_CLOSED} closed : with {FEW_CLOSED}", ratio, MOST_CLOSED_RATIO,
         ratio <= MOST_CLOSED_RATIO),
        ("MB a worker grew by", flow.growth, MOST_GROWTH, flow.growth <= MOST_GROWTH),
        ("MB, last third of its work-horses less the first", flow.horse_growth, MOST_GROWTH,
         flow.horse_growth <= MOST_GROWTH),
    ]  # fmt: skip
    for name, value, limit, met in lines:
        print(f"  {name:<58}{value:>8.2f}   limit {limit:g}   {'met' if met else 'MISSED'}")
    if options.costs is not None:
        options.costs.write_text(json.dumps(measured(options, flow), indent=2) + "\n", encoding="utf-8")
    print(f"  ({flow.cores:.2f} processors were left to us; a claimed row: {closed[0]:.3f} ms and {closed[1]:.3f} ms)")
    return 0 if all(met for *_, met in lines) else 1


def measured(options: argparse.Namespace, flow: Flow) -> dict[str, float]:
    """What ``queueing.py`` starts from."""
    each = {name: round(seconds / flow.bundles, 6) for name, seconds in flow.cpu.items()}
    return {
        "worker": each["workers"],
        "postgres": each["postgres"],
        "mongo": each["mongo"],
        "relay": each["relay"] + each["valkey"],
        "bundles_a_visit": round(flow.asked / options.visits, 3),
        "bundles": flow.bundles,
        "rate": round(flow.bundles / flow.seconds, 1),
        "cores": round(flow.cores, 2),
        "workers": options.workers,
    }


@contextmanager
def ours(servers: EmbeddedServers) -> Iterator[Service]:
    """The group that relay and workers will join, with the schema in place."""
    environment = {
        "HIP_GATEWAY_URL": "http://127.0.0.1:9",
        "HIP_CLIENT_ID": "bench",
        "HIP_CLIENT_SECRET": "bench",
        "HIP_FACILITIES": json.dumps([{"id": HIP, "name": CLINIC.name}]),
        "HIP_DATABASE_URL": servers.urls.database_url,
        "HIP_MONGO_URL": servers.urls.mongo_url,
        "HIP_REDIS_URL": servers.urls.redis_url,
        "HIP_KEY_FILE": str(servers.folder / "hip.keys"),
        "HIP_CM_ID": "sbx",
    }
    with service(servers.folder / "logs") as group:
        module = "hip.entrypoints.cli.main"
        group.start("upgrade", "db", "upgrade", module=module, environment=environment).finish()
        del group.processes["upgrade"]
        yield group


def main() -> int:
    parser = argparse.ArgumentParser(description="From visits to stored bundles.")
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--costs", type=Path, help="write what queueing.py needs to this file")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_servers(Path(folder) / "d") as servers,
        ours(servers) as group,
    ):
        return asyncio.run(measure(options, servers, group))


if __name__ == "__main__":
    sys.exit(main())
