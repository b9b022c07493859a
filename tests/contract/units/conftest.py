"""The two databases of the contract suite; ``database`` makes each test run on both."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.builders.databases import a_postgres_database, cut_off, emptied, migrated

from hip.adapters.memory.units import MemoryDatabase
from hip.adapters.postgres.units import PostgresDatabase
from hip.application.storage import Units

Database = MemoryDatabase | PostgresDatabase


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.servers)])
def postgres_url(request: pytest.FixtureRequest) -> str | None:
    """None for the database in memory."""
    return migrated(request.getfixturevalue("database_url")) if request.param == "postgres" else None


@pytest.fixture
async def database(postgres_url: str | None) -> AsyncIterator[Database]:
    if postgres_url is None:
        yield MemoryDatabase()
        return
    await emptied(postgres_url)
    opened = a_postgres_database(postgres_url)
    yield opened
    await opened.close()


@pytest.fixture
def units(database: Database) -> Units:
    return database.unit


@pytest.fixture
def breaks(database: Database, postgres_url: str | None) -> Callable[[], Awaitable[None]]:
    """Call it to make the store break off whatever is under way."""

    async def break_off() -> None:
        if isinstance(database, MemoryDatabase):
            database.fail_next()
        else:
            assert postgres_url is not None
            await cut_off(postgres_url)

    return break_off
