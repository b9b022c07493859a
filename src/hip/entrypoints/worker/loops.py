"""The loops that move work: the relay of server mode, and the pump of memory mode that is relay and worker in one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeVar

from hip.adapters.memory.jobs import MemoryJobQueue
from hip.application.relay import RelayOutbox
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


@dataclass(frozen=True, slots=True)
class RelayLoop:
    """Moves due rows to the queue as they come, and polls each ``waits.poll`` in case a bell was missed."""

    relay: RelayOutbox
    sweep: Sweep
    wakeups: Wakeups
    waits: Waits
    swept: Interval = field(default_factory=Interval)

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
        moved = await self.relay()
        if self.swept.due(self.waits.poll * SWEEP_EVERY) and await lead():
            await self.sweep()
        if moved == 0:
            await wait(self.waits.poll.total_seconds())


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
