"""The database's part of a discovery among a million care contexts: who it is, and what is unlinked.

    .venv/bin/python bench/discovery.py [--contexts 1000000] [--rounds 2000]

Each round asks, in one unit of work, for the candidates behind a verified mobile and for the newest 20 unlinked care
contexts of each HI type of one of them. Exit code 1 when the 99th percentile is over 10 ms, or when a plan reads a
table from end to end.
"""

import argparse
import asyncio
import random
import sys
from datetime import timedelta
from time import perf_counter_ns
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.postgres import schema
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.domain.discovery import PatientIdentifiers
from hip.domain.identifiers import HipId, PatientReference
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.embedded.servers import embedded_servers

HIP = HipId("IN0410000123")
CONTEXTS_EACH = 100
MOST_MS = 10.0
_FILL = (
    "INSERT INTO patients (hip_id, reference, name, gender, birth_year, phone) SELECT 'IN0410000123', 'P' || n, 'x',"
    " 'F', 1984, (9000000000 + n / 2)::text FROM generate_series(1, {patients}) n",
    "INSERT INTO care_context (hip_id, care_context_number, visit_code, display, patient_reference, clinical_date,"
    " hi_types, linked_to) SELECT 'IN0410000123', n, n, 'Visit', 'P' || 1 + n % {patients},"
    " now() - n * interval '1 min', CASE n / {patients} % 3 WHEN 0 THEN '{{Invoice}}'::text[] ELSE '{{OPConsultation,"
    "Prescription}}' END, CASE WHEN n / {patients} % 4 = 0 THEN 'p@sbx' END FROM generate_series(1, {contexts}) n",
)


async def _once(database: PostgresDatabase, number: int) -> None:
    wanted = PatientIdentifiers(mobiles=frozenset({str(9_000_000_000 + number // 2)}))
    async with database.unit() as uow:
        assert await uow.patients.candidates(HIP, wanted, limit=50)
        assert await uow.care_contexts.unlinked(HIP, PatientReference(f"P{number}"), per_hi_type=20)


async def _plans(database: PostgresDatabase, number: int) -> list[str]:
    """How Postgres would run the statements of one round."""
    said: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        said.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await _once(database, number)
    event.remove(engine, "before_cursor_execute", note)
    async with database.engine.connect() as connection:
        return [await _plan(connection, statement, parameters) for statement, parameters in said]


async def _plan(connection: AsyncConnection, statement: str, parameters: Any) -> str:
    raw = (await connection.get_raw_connection()).driver_connection
    if raw is None:
        raise RuntimeError("no connection")
    return "\n".join(row[0] for row in await raw.fetch(f"EXPLAIN {statement}", *parameters))


async def measured(url: str, contexts: int, rounds: int) -> int:
    """Print the figures; 1 when a limit is broken."""
    # Filling a million rows takes longer than any statement of the service may.
    long = timedelta(minutes=10)
    database = PostgresDatabase(url, vault=MemoryKeyVault(), records=JsonVisitRecords(), statement_timeout=long)
    patients = max(2, contexts // CONTEXTS_EACH)
    async with database.engine.connect() as connection:
        for fill in _FILL:
            await connection.exec_driver_sql(fill.format(patients=patients, contexts=contexts))
        await connection.commit()
        await connection.exec_driver_sql("ANALYZE")
        await connection.commit()
    chosen = random.Random(1)
    times: list[float] = []
    for _ in range(rounds + 50):
        number = chosen.randint(1, patients)
        begun = perf_counter_ns()
        await _once(database, number)
        times.append((perf_counter_ns() - begun) / 1e6)
    plans = await _plans(database, 7)
    await database.close()
    times = sorted(times[50:])
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    sequential = [plan for plan in plans if "Seq Scan" in plan]
    print(f"{contexts:,} care contexts, {rounds} discoveries: median {p50:.2f} ms, p99 {p99:.2f} ms (limit {MOST_MS})")
    print(f"statements that scan a table: {len(sequential)} of {len(plans)}")
    return int(p99 > MOST_MS or bool(sequential) or not plans)


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
