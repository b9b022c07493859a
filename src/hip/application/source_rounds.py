"""The rounds of a process that attends a source of visits: late results, new visits, and those that are finished."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hip.application.ports import Clock
from hip.application.visit_sources import SettleVisits, TakenVisit, TakeVisits, VisitSource
from hip.domain.errors import Transient

LATE_WITHIN = timedelta(days=7)
"""A process that starts looks so far back for laboratory results that open their visit's row again."""

AGAIN_WITHIN = timedelta(hours=1)
"""Before its last look, it looks again: a visit whose result came while its documents were made is closed after that.

Far longer than a claim lasts, and far shorter than a week, of which a large hospital has a million results.
"""

MOST_LATE = 200
"""Rows opened again by one look."""

ASKED = 1_000
"""Visits of one round that are asked about: those that nobody has asked about for longest."""

MOST_UNFINISHED = 5_000
"""With so many taken and not finished no more are taken: they would come due again before a worker comes to them."""


@dataclass(slots=True, kw_only=True)
class AttendSource:
    """``late_every``: between two looks for late results; the first is in the first round. ``taken`` counts visits."""

    source: VisitSource
    take: TakeVisits
    settle: SettleVisits
    clock: Clock
    late_every: timedelta
    most_unfinished: int = MOST_UNFINISHED
    taken: int = field(default=0, init=False)
    unfinished: Sequence[TakenVisit] = field(default=(), init=False)
    looked_at: datetime | None = field(default=None, init=False)

    async def __call__(self) -> int:
        """One round: how many of the visits that were taken are finished or given up now.

        Raises Transient when a store is away; what was taken before is kept, and asked about again.
        """
        now = self.clock()
        if self.looked_at is None or now - self.looked_at >= self.late_every:
            await self._look_for_late(now)
        new = await self.take() if len(self.unfinished) < self.most_unfinished else ()
        self.taken += len(new)
        self.unfinished = (*self.unfinished, *new)
        asked, others = self.unfinished[:ASKED], self.unfinished[ASKED:]
        left = await self.settle(asked)
        self.unfinished = (*others, *left)
        return len(asked) - len(left)

    async def _look_for_late(self, now: datetime) -> None:
        """Looked for from the same moment on in the next round, when there may be more than one look opens."""
        since = now - LATE_WITHIN if self.looked_at is None else self.looked_at - AGAIN_WITHIN
        if await self.source.reopen_late(since=since, limit=MOST_LATE) < MOST_LATE:
            self.looked_at = now

    async def leave(self) -> None:
        """Put back what is not finished, so that another asks about it at once. A store that is away is left alone."""
        with suppress(Transient):
            await self.source.put_back([each.row for each in self.unfinished], now=self.clock())
        self.unfinished = ()
