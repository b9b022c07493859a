"""What a claimed row costs with few and with many closed ones beside it: in our outbox, and in AMRIT's trigger table.

Each table exists twice, with rounds interleaved, so that both are measured in the same minutes of the machine.
"""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from ready_visits import HIP, NAMES, AmritTable
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hip.adapters.amrit.sample_database import make
from hip.adapters.amrit.source import AmritVisitSource
from hip.adapters.postgres.units import PostgresDatabase
from hip.application.relay import LARGE_BATCH
from hip.application.visit_sources import CLAIMED
from hip.entrypoints.embedded.servers import EmbeddedServers

FEW, MANY = 1_000, 100_000
ROUNDS, WARMING = 15, 2


async def of_outbox(few: PostgresDatabase, many: PostgresDatabase) -> tuple[float, float]:
    """Milliseconds a row: lease, hold and end a batch."""
    for database, closed in ((few, FEW), (many, MANY)):
        for count, state in ((closed, "done"), (LARGE_BATCH * ROUNDS, "ready")):
            await _fill(
                database.engine,
                "INSERT INTO outbox (hip_id, topic, key, priority, run_at, attempt, state) SELECT :hip, 'bundle', "
                "n || '|Prescription', 5, now() - interval '1 day', 0, :state FROM generate_series(1, :count) n",
                {"hip": HIP, "state": state, "count": count},
            )
        await _settled(database.engine, "outbox")
    return await _compared(lambda: _leased(few), lambda: _leased(many))


async def _leased(database: PostgresDatabase) -> int:
    now = datetime.now(UTC)
    async with database.unit() as uow:
        rows = await uow.outbox.lease(now=now, until=now + timedelta(minutes=5), limit=LARGE_BATCH)
        await uow.commit()
    claims = [(row.id, row.attempt) for row in rows]
    async with database.unit() as uow:
        assert len(await uow.outbox.held(claims)) == LARGE_BATCH
        await uow.outbox.done_all(claims)
        await uow.commit()
    return LARGE_BATCH


async def of_trigger_table(servers: EmbeddedServers) -> tuple[float, float]:
    """Milliseconds a row: claim a batch and set its flags."""
    tables = [AmritTable(servers, 0, name=f"amrit_{name}") for name in ("few", "many")]
    sources = [AmritVisitSource(table.url, NAMES) for table in tables]
    try:
        for table, closed in zip(tables, (FEW, MANY), strict=True):
            await make(table.url, NAMES)
            await _fill(
                table.engine,
                f"INSERT INTO {NAMES.trigger_table} (visitcode, {NAMES.trigger_flag}, hip_due_at) "
                "SELECT n, CASE WHEN n <= :closed THEN true END, now() AT TIME ZONE 'utc' - interval '1 day' "
                "FROM generate_series(1, :rows) n",
                {"closed": closed, "rows": closed + CLAIMED * ROUNDS},
            )
            await _settled(table.engine, NAMES.trigger_table)
        return await _compared(lambda: _claimed(sources[0]), lambda: _claimed(sources[1]))
    finally:
        for each in (*sources, *tables):
            await each.close()


async def _claimed(source: AmritVisitSource) -> int:
    now = datetime.now(UTC)
    rows = await source.claim(now=now, until=now + timedelta(minutes=5), limit=CLAIMED)
    assert await source.done(rows, now=now) == CLAIMED
    return CLAIMED


async def _compared(*claims: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for took, claim in zip(times, claims, strict=True):
            began = time.perf_counter()
            rows = await claim()
            took.append((time.perf_counter() - began) * 1000 / rows)
    few, many = (statistics.median(took[WARMING:]) for took in times)
    return few, many


async def _fill(engine: AsyncEngine, statement: str, values: dict[str, object]) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)


async def _settled(engine: AsyncEngine, table: str) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f"VACUUM ANALYZE {table}"))
