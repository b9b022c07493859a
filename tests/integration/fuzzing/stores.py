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

from hip.application.storage import Listing
from hip.domain.callbacks import CallbackState

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

    async def work(self) -> None:
        """Until every callback that was stored has been worked on. In memory mode relay and worker do it, too."""
        adapters = self.edge.adapters
        units, clock, waits = adapters.units(), adapters.clock(), adapters.waits()
        async with asyncio.timeout(100):
            while True:
                async with units() as uow:
                    rows = await uow.outbox.lease(now=clock(), until=clock() + waits.lease, limit=50)
                    await uow.commit()
                await self.edge.uses.run_rows()([(row.id, row.attempt) for row in rows])
                if not rows and not await self._left():
                    return
                await asyncio.sleep(0 if rows else 0.005)

    async def _left(self) -> bool:
        async with self.edge.adapters.units()() as uow:
            callbacks = await uow.callbacks.list(Listing(limit=1000))
        return any(one.state is CallbackState.RECEIVED for one in callbacks)

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
