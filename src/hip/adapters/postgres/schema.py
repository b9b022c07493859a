"""Bringing a database to the schema this program expects (`hip db upgrade`). Synchronous; each call connects anew.

Inside a running event loop call these through ``asyncio.to_thread``.
"""

import asyncio
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hip.adapters.postgres.dsn import engine_url
from hip.adapters.postgres.failures import translated
from hip.adapters.postgres.names import Names
from hip.adapters.postgres.tables import audit, clinical, conversations, linking, patient_side, release
from hip.adapters.postgres.tables.columns import METADATA

# Alembic keeps the migration under way in module globals, so a process runs one at a time.
_ONE_AT_A_TIME = threading.Lock()
MIGRATIONS = Path(__file__).parent / "migrations"
TABLE_MODULES = (audit, clinical, conversations, linking, patient_side, release)


def upgrade(dsn: str, *, names: Names = Names(), revision: str = "head") -> None:  # noqa: B008 - frozen
    """Run every migration that is missing, in one transaction; others who try wait. Raises StorageFailed."""
    with _ONE_AT_A_TIME:
        command.upgrade(_config(dsn, names), revision)


def downgrade(dsn: str, revision: str, *, names: Names = Names()) -> None:  # noqa: B008 - frozen
    """Back to ``revision``; ``base`` drops every table with what it holds. Raises StorageFailed."""
    with _ONE_AT_A_TIME:
        command.downgrade(_config(dsn, names), revision)


def current(dsn: str) -> str | None:
    """The revision of the database; None before the first. Raises StorageFailed."""
    return asyncio.run(_current(dsn))


async def _current(dsn: str) -> str | None:
    engine = create_async_engine(engine_url(dsn), poolclass=NullPool, connect_args={"timeout": 10})
    try:
        with translated():
            async with engine.connect() as connection:
                return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
    finally:
        await engine.dispose()


def head() -> str:
    """The revision this program expects."""
    revision = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if revision is None:
        raise RuntimeError("no migrations in this installation")
    return revision


def expected_tables(names: Names) -> list[MetaData]:
    """What the head revision must amount to."""
    return [METADATA, clinical.trigger_table(names).metadata]


def _config(dsn: str, names: Names) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = engine_url(dsn)
    config.attributes["names"] = names
    return config
