"""What the collections of one memory unit share: whether the unit still runs, and whether the store answers."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from hip.application.storage import Listing
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import HipId

V = TypeVar("V")


class Outages:
    """Failures on demand. ``down`` fails everything; ``fail_next`` a number of operations, then the store recovers."""

    def __init__(self) -> None:
        self.down = False
        self._passing = 0
        self._failing = 0

    def fail_next(self, count: int, *, after: int) -> None:
        self._passing, self._failing = after, count

    def check(self) -> None:
        """Raises StorageFailed when the store is not to answer."""
        if self.down:
            raise StorageFailed("the store does not answer")
        if self._passing:
            self._passing -= 1
        elif self._failing:
            self._failing -= 1
            raise StorageFailed("the store broke off")


class Session:
    """The life of one unit: ``step`` goes before every operation, as a statement goes to a server."""

    def __init__(self, outages: Outages) -> None:
        self._outages = outages
        self._open = True
        self._broken = False

    async def step(self) -> None:
        """Let other tasks run. Raises StorageFailed on an outage and ever after, RuntimeError once the unit ended."""
        if not self._open:
            raise RuntimeError("this unit of work has ended")
        await asyncio.sleep(0)
        if self._broken:
            raise StorageFailed("the transaction is broken")
        try:
            self._outages.check()
        except StorageFailed:
            self._broken = True
            raise

    def end(self) -> None:
        self._open = False


def listed(rows: Iterable[V], listing: Listing, *, hip: Callable[[V], HipId], at: Callable[[V], datetime]) -> list[V]:
    """Newest first by ``at``; of two equals the one that comes first in ``rows``. ``since`` belongs to the span."""
    found = [
        row
        for row in rows
        if (listing.hip_id is None or hip(row) == listing.hip_id)
        and (listing.since is None or at(row) >= listing.since)
    ]
    return sorted(found, key=at, reverse=True)[: listing.limit]
