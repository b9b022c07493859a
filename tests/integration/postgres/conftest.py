"""A migrated and emptied database for each test."""

from collections.abc import AsyncIterator

import pytest
from tests.builders.databases import a_postgres_database, emptied, migrated

from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase


@pytest.fixture
def url(database_url: str) -> str:
    return migrated(database_url)


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresDatabase]:
    await emptied(url)
    opened = a_postgres_database(url)
    yield opened
    await opened.close()


@pytest.fixture
async def mongo(mongo_url: str, mongo_database: str) -> AsyncIterator[MongoDocuments]:
    opened = MongoDocuments(mongo_url, mongo_database)
    await opened.open()
    yield opened
    await opened.close()
