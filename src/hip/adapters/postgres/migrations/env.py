"""Runs the migrations online, over the same driver as everything else."""

import asyncio
from collections.abc import Callable

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hip.adapters.postgres.failures import translated

# Any number that no other program on the database locks: two upgrades at once run one after the other.
_UPGRADE_LOCK = 0x6869_7000


async def _run(work: Callable[[Connection], None]) -> None:
    engine = create_async_engine(
        context.config.attributes["url"],
        hide_parameters=True,
        poolclass=NullPool,
        connect_args={"timeout": 10, "server_settings": {"application_name": "hip-migrations", "timezone": "UTC"}},
    )
    try:
        with translated():
            async with engine.connect() as connection:
                await connection.run_sync(work)
                await connection.commit()
    finally:
        await engine.dispose()


def _migrate(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _UPGRADE_LOCK})
    # A table that is in use must not make every later query queue behind the migration: better to fail and try again.
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise RuntimeError("these migrations run online only")
asyncio.run(_run(_migrate))
