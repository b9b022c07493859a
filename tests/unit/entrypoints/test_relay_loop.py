"""How often a relay looks, and how many rows a job has by that."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from hip.adapters.clock import system_clock
from hip.adapters.memory.units import MemoryDatabase
from hip.application.relay import RelayOutbox
from hip.application.storage import OutboxRow, Topic
from hip.application.waits import Waits
from hip.domain.identifiers import HipId
from hip.entrypoints.worker.loops import Interval, RelayLoop

pytestmark = pytest.mark.anyio
HIP = HipId("IN0410000123")
WAITS = Waits()


@dataclass
class Jobs:
    came: list[tuple[Topic, int]] = field(default_factory=list)

    async def enqueue(self, rows: Sequence[OutboxRow]) -> None:
        self.came.append((rows[0].topic, len(rows)))

    async def backlog(self) -> int:
        return 0


@dataclass
class Relaying:
    """A relay in its loop over a database in memory, and how often it asked that for rows."""

    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    jobs: Jobs = field(default_factory=Jobs)
    rounds: int = 0

    async def add(self, topic: Topic, key: str) -> None:
        async with self.database.unit() as uow:
            await uow.outbox.add(HIP, topic, key, run_at=system_clock())
            await uow.commit()

    def moved(self, topic: Topic) -> int:
        return sum(rows for moved, rows in self.jobs.came if moved is topic)

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not reached():
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()

        class Counting(RelayOutbox):
            async def __call__(inner, *, gathered: bool = True) -> int:  # noqa: N805
                self.rounds += 1
                return await RelayOutbox.__call__(inner, gathered=gathered)

        relay = Counting(self.database.unit, self.jobs, system_clock, WAITS)
        task = asyncio.create_task(RelayLoop(relay, _nothing, self.database, WAITS)(stop))
        try:
            yield
        finally:
            stop.set()
            await self.add(Topic.LINK, "the last bell")
            await task


async def _nothing() -> int:
    return 0


async def test_documents_that_come_one_by_one_share_jobs_and_the_first_does_not_wait() -> None:
    at = Relaying()
    async with at.running():
        began = time.monotonic()
        await at.add(Topic.BUNDLE, "first")
        await at.until(lambda: at.moved(Topic.BUNDLE) == 1)
        for number in range(150):
            await at.add(Topic.BUNDLE, f"v{number}")
            await asyncio.sleep(0.005)
        await at.until(lambda: at.moved(Topic.BUNDLE) == 151)
        took = time.monotonic() - began
    gathered = WAITS.gather.total_seconds()
    assert len([one for one in at.jobs.came if one[0] is Topic.BUNDLE]) <= 2 + took / gathered
    assert at.rounds <= 3 + took / (gathered / 20)


async def test_what_somebody_waits_for_goes_while_documents_gather() -> None:
    at = Relaying()
    async with at.running():
        for number in range(3):
            await at.add(Topic.BUNDLE, f"v{number}")
            await at.add(Topic.CALLBACK, f"c{number}")
            await at.until(lambda wanted=number + 1: at.moved(Topic.CALLBACK) == wanted)  # type: ignore[misc]
        await at.until(lambda: at.moved(Topic.BUNDLE) == 3)


async def test_an_interval_says_how_long_is_left_and_can_be_hurried() -> None:
    interval = Interval()
    assert not interval.due(WAITS.gather)
    assert 0 < interval.left(WAITS.gather) <= WAITS.gather.total_seconds()
    interval.hurry()
    assert interval.left(WAITS.gather) == 0
    assert interval.due(WAITS.gather)
    assert not interval.due(WAITS.gather)
