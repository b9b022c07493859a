"""The loops that move work: the relay of server mode, and the pump of memory mode that is relay and worker in one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from typing import Protocol, TypeVar

from hip.adapters.memory.jobs import MemoryJobQueue
from hip.application.relay import FRESH, LARGE_BATCH, RelayOutbox
from hip.application.sweeps import Sweep
from hip.application.waits import Waits
from hip.application.work import RunRows
from hip.domain.errors import Transient
from hip.entrypoints.logs import log

_T = TypeVar("_T")
Wait = Callable[[float], Awaitable[bool]]
Lead = Callable[[], Awaitable[bool]]

SWEEP_EVERY = 10
"""Polls between two sweeps of what nobody answered, of spent consents and of late transfers. The relay that leads does
them, so that any number of relays sweeps as often as one."""

_ROUNDS_WHILE_GATHERING = 20
"""A relay does no more rounds than so many in the time that documents gather: each commit rings, and a round costs a
query and what follows it. Who is rung after a pause is not kept waiting."""

_BATCHES_AT_ONCE = 8


class Wakeups(Protocol):
    """A database that rings when outbox rows are committed, and that knows who leads."""

    def wakeups(self) -> AbstractAsyncContextManager[Wait]: ...
    def leadership(self, name: str) -> AbstractAsyncContextManager[Lead]: ...


@dataclass(slots=True)
class Interval:
    """Says once in so much time that it is time, by the machine's own clock: a busy relay sweeps no oftener."""

    last: float = field(default_factory=time.monotonic)

    def due(self, every: timedelta) -> bool:
        now = time.monotonic()
        if now - self.last < every.total_seconds():
            return False
        self.last = now
        return True

    def left(self, every: timedelta) -> float:
        """Seconds until it is time."""
        return max(0.0, self.last + every.total_seconds() - time.monotonic())

    def restart(self) -> None:
        """It is time again in so much time."""
        self.last = time.monotonic()

    def hurry(self) -> None:
        """It is time now."""
        self.last = -inf


@dataclass(frozen=True, slots=True)
class RelayLoop:
    """Moves due rows to the queue as they come, and polls each ``waits.poll`` in case a bell was missed.

    Documents that come one by one are moved together each ``waits.gather``: the first at once, and many without delay.
    """

    relay: RelayOutbox
    sweep: Sweep
    wakeups: Wakeups
    waits: Waits
    swept: Interval = field(default_factory=Interval)
    gathered: Interval = field(default_factory=lambda: Interval(-inf))
    begun: Interval = field(default_factory=lambda: Interval(-inf))

    async def __call__(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. An outage of a store is waited out, never fatal."""
        while not stop.is_set():
            try:
                async with self.wakeups.wakeups() as wait, self.wakeups.leadership("sweeps") as lead:
                    while not stop.is_set():
                        await self._round(wait, lead)
            except Transient as failure:
                log.warning("relay-waits", component="relay", error=type(failure).__name__)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.waits.poll.total_seconds()):
                        await stop.wait()

    async def _round(self, wait: Wait, lead: Lead) -> None:
        pace = self.waits.gather / _ROUNDS_WHILE_GATHERING
        await asyncio.sleep(self.begun.left(pace))
        self.begun.restart()
        gathered = self.gathered.due(self.waits.gather)
        moved = await self.relay(gathered=gathered)
        if gathered and moved >= LARGE_BATCH - FRESH:
            self.gathered.hurry()
        if self.swept.due(self.waits.poll * SWEEP_EVERY) and await lead():
            await self.sweep()
        if moved == 0:
            poll = self.waits.poll.total_seconds()
            await wait(poll if gathered else min(poll, self.gathered.left(self.waits.gather)))


@dataclass(frozen=True, slots=True)
class Pump:
    """Runs batches in this process as they are enqueued, several at once: a slow transfer stops no callback."""

    jobs: MemoryJobQueue
    run_rows: RunRows

    async def __call__(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; then batches in hand are finished."""
        places = asyncio.Semaphore(_BATCHES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                await places.acquire()
                claims = await _unless(stop, self.jobs.take())
                if claims is None:
                    return
                group.create_task(self._run([(row.id, row.attempt) for row in claims], places))

    async def _run(self, claims: list[tuple[int, int]], places: asyncio.Semaphore) -> None:
        try:
            await self.run_rows(claims)
        except Transient as failure:
            # Nothing is lost: the rows' leases run out and they come back.
            log.warning("batch-broke-off", component="pump", error=type(failure).__name__)
        finally:
            places.release()


async def _unless(stop: asyncio.Event, awaited: Awaitable[_T]) -> _T | None:
    """The result, or None when ``stop`` was set first."""
    task = asyncio.ensure_future(awaited)
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task in done:
        return task.result()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return None
