"""Databases for tests: migrated once, emptied between tests."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import asyncpg
from sqlalchemy import make_url

from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.postgres import schema
from hip.adapters.postgres.names import Names
from hip.adapters.postgres.tables.columns import METADATA
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.ports import KeyVault


def migrated(url: str, *, names: Names | None = None) -> str:
    """Bring the database to the newest schema, with or without a running event loop; returns its URL."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(schema.upgrade, url, names=names or Names()).result()
    return url


async def connected(url: str) -> asyncpg.Connection:
    """A bare connection, for what a test must see or do behind the adapter's back."""
    parsed = make_url(url)
    return await asyncpg.connect(
        host=parsed.query["host"], port=parsed.port, user=parsed.username, database=parsed.database
    )


async def emptied(url: str) -> None:
    """Delete every row; deleting is a hundred times quicker than truncating when there are few."""
    tables = [*METADATA.tables, Names().trigger_table]
    connection = await connected(url)
    try:
        # A replica's session runs no triggers: neither the audit's nor those of foreign keys.
        await connection.execute(
            "SET session_replication_role = replica;" + ";".join(f"DELETE FROM {name}" for name in tables)
        )
    finally:
        await connection.close()


async def cut_off(url: str) -> None:
    """End every other connection to this database, as a server does that shuts down."""
    connection = await connected(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()
    await asyncio.sleep(0)


def a_postgres_database(url: str, *, vault: KeyVault | None = None, **settings: Any) -> PostgresDatabase:
    """With a vault in memory, and timeouts that fit a busy test machine."""
    settings = {"pool_size": 8, "pool_timeout": timedelta(seconds=60), "lock_timeout": timedelta(seconds=60)} | settings
    return PostgresDatabase(url, vault=vault or MemoryKeyVault(), records=JsonVisitRecords(), **settings)
