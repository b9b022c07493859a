"""What the relay looks for beside our own clock's doings: work whose outbox row is gone is asked for again, once."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hip.application.lost_work import Lost, Place, Waiting
from hip.application.ports import Alarm, Clock
from hip.application.storage import Units, Work
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry

AT_ONCE = 500
"""Things looked at in one transaction: a few milliseconds, on indexes."""

_PAGES = 20
"""While work is missing a sweep goes on for so many transactions of a kind: 10,000 things every ten seconds."""

_COMPLETED = timedelta(days=7)
"""How far back visits are looked at that were complete and never linked: a later change of the patient is no reason."""


@dataclass(frozen=True, slots=True)
class SweepLostWork:
    """Each sweep looks at the next things of each kind, and begins anew behind the last.

    What is younger than ``waits.lost`` is left alone: an answer may be awaited, or a commit be under way.
    """

    units: Units
    clock: Clock
    waits: Waits
    alarm: Alarm
    _reached: dict[Waiting, Place | None] = field(default_factory=dict, repr=False)

    async def __call__(self) -> int:
        """How much was asked for again."""
        return sum([await self._sweep(waiting) for waiting in Waiting])

    async def _sweep(self, waiting: Waiting) -> int:
        total = 0
        for _ in range(_PAGES):
            found = await self._page(waiting, now=self.clock())
            total += found
            if found == 0 or self._reached[waiting] is None:
                break
        return total

    async def _page(self, waiting: Waiting, *, now: datetime) -> int:
        before = now - self.waits.lost
        async with self.units() as uow:
            look = await uow.lost_work.look(
                waiting, behind=self._reached.get(waiting), before=before, since=now - _COMPLETED, limit=AT_ONCE
            )
            again = await uow.lost_work.take(waiting, look.lost, before=before, now=now) if look.lost else ()
            if again:
                await uow.outbox.add_all(
                    [Work(hip_id=lost.hip_id, topic=lost.topic, key=lost.key, run_at=now) for lost in again]
                )
                for lost in again:
                    await uow.audit.append(_entry(lost, waiting, now=now))
                await uow.commit()
        self._reached[waiting] = look.last
        for (hip_id, topic), count in Counter((lost.hip_id, lost.topic) for lost in again).items():
            self.alarm("work-lost", hip_id=hip_id, subject=topic, detail=f"{count} asked for again")
        return len(again)


def _entry(lost: Lost, waiting: Waiting, *, now: datetime) -> AuditEntry:
    return AuditEntry(
        hip_id=lost.hip_id,
        at=now,
        actor="clock",
        action="work-asked-again",
        subject=lost.key,
        detail=(("waiting", waiting), ("topic", lost.topic), ("state", lost.state)),
    )
