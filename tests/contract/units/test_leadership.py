"""Of any number of processes one leads, and another follows when it is gone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.units.conftest import Database

from hip.adapters.clock import system_clock
from hip.adapters.memory.units import MemoryDatabase
from hip.application.relay import RelayOutbox
from hip.application.storage import Units
from hip.application.waits import Waits
from hip.entrypoints.worker.loops import SWEEP_EVERY, RelayLoop

pytestmark = pytest.mark.anyio


async def test_one_leads_under_a_name_until_it_leaves(database: Database) -> None:
    async with database.leadership("sweeps") as second:
        async with database.leadership("sweeps") as first:
            assert await first()
            assert not await second()
            assert await first()
            async with database.leadership("another") as other:
                assert await other()
        assert await second()


async def test_nobody_leads_over_a_connection_that_is_gone_and_somebody_does_later(
    database: Database, breaks: Callable[[], Awaitable[None]]
) -> None:
    async with database.leadership("sweeps") as one, database.leadership("sweeps") as two:
        assert await one()
        if isinstance(database, MemoryDatabase):
            database.down = True
            assert not await one()
            database.down = False
        else:
            await breaks()
            assert not await one()
        async with asyncio.timeout(30):
            while not (leading := [await one(), await two()]).count(True):
                await asyncio.sleep(0.01)
        assert leading.count(True) == 1


async def test_two_relays_sweep_as_often_as_one(database: Database, units: Units) -> None:
    waits = Waits.scaled(0.001)
    every = (waits.poll * SWEEP_EVERY).total_seconds()
    stop, sweeps = asyncio.Event(), [0, 0]

    class Nothing:
        async def enqueue(self, rows: object) -> None:
            """Nothing comes."""

        async def backlog(self) -> int:
            return 0

    def counting(which: int) -> Callable[[], Awaitable[int]]:
        async def sweep() -> int:
            sweeps[which] += 1
            if sum(sweeps) == 3:
                stop.set()
            return 0

        return sweep

    loops = [
        RelayLoop(RelayOutbox(units, Nothing(), system_clock, waits), counting(which), database, waits)
        for which in (0, 1)
    ]
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(60):
        await asyncio.gather(*(loop(stop) for loop in loops))
    assert 0 in sweeps, "only the one that leads"
    assert asyncio.get_running_loop().time() - began >= 2.9 * every
