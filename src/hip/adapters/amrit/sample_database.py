"""A small database of AMRIT's shape: made, and filled with synthetic visits in batches."""

from collections import defaultdict
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import create_async_engine

from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.sample_layout import routines, small_database, views
from hip.adapters.amrit.sample_visits import visits
from hip.domain.identifiers import HipId

_BATCH = 500


async def make(url: str, names: AmritNames) -> None:
    """Tables, views and routines, in a database that has none of them."""
    engine = create_async_engine(url, hide_parameters=True)
    try:
        async with engine.begin() as connection:
            dialect = _dialect(engine.dialect.name)
            metadata = small_database(names, dialect)
            await connection.run_sync(metadata.create_all, checkfirst=False)
            for statement in (*views(names), *routines(names, dialect)):
                await connection.execute(text(statement))
    finally:
        await engine.dispose()


async def fill(
    url: str, names: AmritNames, *, count: int, seed: int, facility: HipId, first: int = 1, odd: int = 10
) -> None:
    """``count`` more visits, numbered from ``first``."""
    engine = create_async_engine(url, hide_parameters=True)
    try:
        tables = small_database(names, _dialect(engine.dialect.name)).tables
        made = visits(count, seed=seed, facility=facility, trigger=names.trigger_table, first=first, odd=odd)
        for start in range(0, count, _BATCH):
            waiting: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for _ in range(min(_BATCH, count - start)):
                for table, rows in next(made)[1].items():
                    waiting[table] += rows
            async with engine.begin() as connection:
                for table, rows in waiting.items():
                    await connection.execute(insert(tables[f"{names.schema}.{table}" if names.schema else table]), rows)
    finally:
        await engine.dispose()


def _dialect(name: str) -> str:
    return "mysql" if name in ("mysql", "mariadb") else "postgresql"
