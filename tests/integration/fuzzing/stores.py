"""The web application in this process, on stores in memory or on real servers, with a worker that a test drives."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pymongo import MongoClient
from tests.builders.databases import migrated
from tests.builders.edge import Edge, edge
from tests.servers import Servers

T = TypeVar("T")

EACH = ("memory", pytest.param("server", marks=pytest.mark.servers))
"""Parameters of a fixture that is opened by ``opened_on``."""


class House:
    """An ``Edge`` and the loop it lives on: hypothesis calls from outside of any loop."""

    def __init__(self, **settings: str) -> None:
        self.runner = asyncio.Runner()
        self._opened = edge(**settings)
        self.edge: Edge = self.run(self._opened.__aenter__())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def close(self) -> None:
        self.run(self._opened.__aexit__(None, None, None))
        self.runner.close()


@contextmanager
def opened_on(request: pytest.FixtureRequest, folder: Path, **settings: str) -> Iterator[House]:
    """The house on the stores that the fixture's parameter names."""
    if request.param == "memory":
        house = House(**settings)
        yield house
        house.close()
        return
    servers: Servers = request.getfixturevalue("servers")
    mongo_database = f"{servers.mongo_database}_fuzzed"
    with servers.scratch_database() as url:
        house = House(
            HIP_STORAGE="server",
            HIP_DATABASE_URL=migrated(url),
            HIP_MONGO_URL=servers.mongo_url,
            HIP_MONGO_DATABASE=mongo_database,
            HIP_REDIS_URL=servers.redis_url,
            HIP_KEY_FILE=str(folder / "hip.keys"),
            **settings,
        )
        yield house
        house.close()
    with MongoClient[dict[str, Any]](servers.mongo_url) as client:
        client.drop_database(mongo_database)
