"""The database's part of a discovery among a million care contexts.

    .venv/bin/python bench/discovery.py [--contexts 1000000] [--rounds 2000]

Each round is ``SearchContexts``, one unit of work: how often this ABHA address searched in the last hour, the people
behind a verified mobile, the newest 20 unlinked care contexts of each HI type of the one that fits, the row of the
discovery and its line in the audit, committed. It is done for an ordinary patient, for one with 5,000 visits and for
one of 200 people who share a mobile, in turn. Exit code 1 when a 99th percentile is over 10 ms, or when a plan reads a
table from end to end.

Beside what a caller waits for stands what the server itself says that its statements took (planning included), which
other work on the machine disturbs less.
"""

import argparse
import asyncio
import json
import random
import sys
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from time import perf_counter, perf_counter_ns
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from hip.adapters.clock import system_clock
from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.postgres import schema
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.discovery import DiscoveryRules, SearchContexts
from hip.domain.discovery import DiscoveryQuery, PatientIdentifiers
from hip.domain.facilities import Facility
from hip.domain.identifiers import AbhaAddress, HipId, TransactionId
from hip.domain.patients import Gender
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.embedded.servers import embedded_servers
from hip.entrypoints.facilities import ConfiguredFacilities

HIP = HipId("IN0410000123")
FACILITIES = ConfiguredFacilities((Facility(hip_id=HIP, name="Demo Clinic"),))
CONTEXTS_EACH = 100
VISITS_OF_ONE = 5000
SHARING = 200
MOST_MS = 10.0
WARMING = 50
SHARED_MOBILE, LONE_MOBILE = "8000000000", "8000000001"
SEARCHERS = 5000
SEARCHES = 500_000
_NUMBERS = count()
_PATIENT = "INSERT INTO patients (hip_id, reference, name, gender, birth_year, phone) SELECT 'IN0410000123',"
_CONTEXT = (
    "INSERT INTO care_context (hip_id, care_context_number, visit_code, display, patient_reference, clinical_date,"
    " hi_types, linked_to) SELECT 'IN0410000123',"
)
_FILL = (
    f"{_PATIENT} 'P' || n, 'P' || n, 'F', 1984, (9000000000 + n / 2)::text FROM generate_series(1, {{patients}}) n",
    f"{_PATIENT} 'S' || n, 'S' || n, CASE n % 2 WHEN 0 THEN 'F' ELSE 'M' END, 1984 + n / 11 % 50, '{SHARED_MOBILE}'"
    f" FROM generate_series(1, {SHARING}) n",
    f"{_PATIENT} 'BIG', 'BIG', 'F', 1984, '{LONE_MOBILE}'",
    f"{_CONTEXT} n, n, 'Visit', 'P' || 1 + n % {{patients}}, now() - n * interval '1 min',"
    " CASE n / {patients} % 3 WHEN 0 THEN '{{Invoice}}'::text[] ELSE '{{OPConsultation,Prescription}}' END,"
    " CASE WHEN n / {patients} % 4 = 0 THEN 'p@sbx' END FROM generate_series(1, {contexts}) n",
    f"{_CONTEXT} 'big' || n, n, 'Visit', 'BIG', now() - n * interval '1 min', CASE n % 3"
    " WHEN 0 THEN '{{OPConsultation,Prescription,Invoice}}'::text[] WHEN 1 THEN '{{DiagnosticReport}}' ELSE"
    f" '{{{{WellnessRecord,HealthDocumentRecord}}}}' END, NULL FROM generate_series(1, {VISITS_OF_ONE}) n",
    f"{_CONTEXT} 'shared' || n, n, 'Visit', 'S' || 1 + n % {SHARING}, now() - n * interval '1 min',"
    f" '{{{{OPConsultation}}}}', NULL FROM generate_series(1, {10 * SHARING}) n",
    "INSERT INTO discovery_request (hip_id, transaction_id, consent_manager_user_id, timestamp) SELECT"
    f" 'IN0410000123', n, 'searcher' || n % {SEARCHERS} || '@sbx', now() - interval '1 hour' - n * interval '1 s'"
    f" FROM generate_series(1, {SEARCHES}) n",
)


@dataclass(frozen=True)
class Search:
    """Whose visits are looked for, and by which mobile."""

    reference: str
    mobile: str


def search(kind: str, number: int) -> Search:
    match kind:
        case "5,000 visits":
            return Search("BIG", LONE_MOBILE)
        case "shared mobile":
            return Search(f"S{2 + 2 * (number % 5)}", SHARED_MOBILE)
        case _:
            return Search(f"P{number}", str(9_000_000_000 + number // 2))


KINDS = ("ordinary", "5,000 visits", "shared mobile")


async def _once(database: PostgresDatabase, wanted: Search) -> None:
    search = SearchContexts(database.unit, FACILITIES, _exactly, system_clock, DiscoveryRules())
    number = next(_NUMBERS)
    found = await search(
        HIP,
        DiscoveryQuery(
            transaction_id=TransactionId(f"bench-{number}"),
            abha_address=AbhaAddress(f"searcher{number % SEARCHERS}@sbx"),
            name=wanted.reference,
            gender=Gender.FEMALE,
            birth_year=1984,
            verified=PatientIdentifiers(mobiles=frozenset({wanted.mobile})),
            unverified=PatientIdentifiers(),
        ),
    )
    assert found.entries


def _exactly(one: str, other: str) -> float:
    """Comparing names is not the database's part."""
    return float(one == other)


async def _explained(database: PostgresDatabase, wanted: Search) -> list[tuple[str, float]]:
    """Plan and milliseconds of each statement of one round, as the server has them."""
    said: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        said.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await _once(database, wanted)
    event.remove(engine, "before_cursor_execute", note)
    async with database.engine.connect() as connection:
        # What is explained is done, so it is undone with its connection; a lock given twice in one session is one.
        explained = [await _plan(connection, *one) for one in said if not one[0].startswith("COMMIT")]
        await connection.rollback()
        return explained


async def _plan(connection: AsyncConnection, statement: str, parameters: Any) -> tuple[str, float]:
    raw = (await connection.get_raw_connection()).driver_connection
    if raw is None:
        raise RuntimeError("no connection")
    explained = await raw.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *parameters)
    plan = (json.loads(explained) if isinstance(explained, str) else explained)[0]
    return json.dumps(plan["Plan"]), plan["Planning Time"] + plan["Execution Time"]


async def fill(database: PostgresDatabase, patients: int, contexts: int) -> None:
    """All rows at once; the indexes are made afterwards, which is several times quicker than growing them."""
    async with database.engine.connect() as connection:
        run = connection.exec_driver_sql
        await run("SET maintenance_work_mem = '256MB'")
        await run("SET synchronous_commit = off")
        found = await run(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE tablename IN ('patients', 'care_context', 'discovery_request') AND indexname NOT LIKE 'pk%%'"
        )
        indexes = found.all()
        for name, _ in indexes:
            await run(f"DROP INDEX {name}")
        for statement in _FILL:
            await run(statement.format(patients=patients, contexts=contexts))
        for _, definition in indexes:
            await run(definition)
        await connection.commit()
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("VACUUM ANALYZE")


async def measured(url: str, contexts: int, rounds: int) -> int:
    """Print the figures; 1 when a limit is broken."""
    # Filling a million rows takes longer than any statement of the service may.
    long = timedelta(minutes=10)
    database = PostgresDatabase(url, vault=MemoryKeyVault(), records=JsonVisitRecords(), statement_timeout=long)
    patients = max(2, contexts // CONTEXTS_EACH)
    begun = perf_counter()
    await fill(database, patients, contexts)
    print(f"{contexts:,} care contexts loaded in {perf_counter() - begun:.0f} s")
    chosen = random.Random(1)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(rounds + WARMING):
        wanted = {kind: search(kind, chosen.randint(1, patients)) for kind in KINDS}
        for kind in KINDS:
            started = perf_counter_ns()
            await _once(database, wanted[kind])
            if number >= WARMING:
                times[kind].append((perf_counter_ns() - started) / 1e6)
    failed = False
    for kind in KINDS:
        explained = [await _explained(database, search(kind, chosen.randint(1, patients))) for _ in range(20)]
        server = sorted(sum(spent for _, spent in one) for one in explained)
        sequential = sum("Seq Scan" in plan for one in explained for plan, _ in one)
        of_kind = sorted(times[kind])
        p50, p99 = of_kind[len(of_kind) // 2], of_kind[int(len(of_kind) * 0.99)]
        print(
            f"{kind:>14}: {rounds} discoveries, median {p50:.2f} ms, p99 {p99:.2f} ms (limit {MOST_MS}); the server's"
            f" own time {server[len(server) // 2]:.2f} ms; statements that scan a table: {sequential}"
        )
        failed |= p99 > MOST_MS or sequential > 0
    await database.close()
    return int(failed)


def main() -> int:
    """Servers of its own, gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contexts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2000)
    wanted = parser.parse_args()
    with fresh_folder() as folder, embedded_servers(folder) as servers:
        schema.upgrade(servers.urls.database_url)
        return asyncio.run(measured(servers.urls.database_url, wanted.contexts, wanted.rounds))


if __name__ == "__main__":
    sys.exit(main())
