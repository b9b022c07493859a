"""Documents in memory and in MongoDB, for the contracts that both keep."""

from collections.abc import AsyncIterator

import pytest

from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.mongo.database import MongoDocuments

Documents = MemoryDocuments | MongoDocuments


@pytest.fixture(params=["memory", "mongo"])
async def documents(request: pytest.FixtureRequest) -> AsyncIterator[Documents]:
    if request.param == "memory":
        yield MemoryDocuments()
        return
    opened = MongoDocuments(request.getfixturevalue("mongo_url"), request.getfixturevalue("mongo_database"))
    await opened.open()
    yield opened
    await opened.close()
