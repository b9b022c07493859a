"""The edge towards a hospital's own system that says which visits are ready, and flow: its visits → our intake.

The source keeps the list; a row stays open there until every required bundle of its visit is stored and valid. So a
crash anywhere costs one lease and loses nothing: the row is claimed again, and the same record again changes nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from hip.application.intake import ReceivedVisit, ReceiveVisits
from hip.application.ports import Clock
from hip.application.storage import Units
from hip.domain.errors import DomainError, Transient
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.visits import VisitRecord

CLAIMED = 200
"""Rows in one claim: one short transaction there and one here, and one query for each kind of clinical data."""

FINISHING = timedelta(minutes=10)
"""How long a row is left alone while its bundles are made; then it is looked at again, which changes nothing."""

FIRST_LOOK = timedelta(minutes=1)
LONGEST_LOOK = timedelta(hours=6)
"""A refused visit is read again between these two, doubling: what is wrong is mended in the source, not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A row of the source's list, claimed for the ``attempt``-th time (from 1)."""

    row_id: int
    visit_code: VisitCode
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVisit:
    """What the source knows of a claimed visit: its record, or in words without values why there is none."""

    row: SourceRow
    record: VisitRecord | None = field(repr=False)
    fault: str = ""


class VisitSource(Protocol):
    """Rows are open until ``done``, however old.

    Every method raises StorageFailed when the source does not answer, and InvalidValue when it is not laid out as it
    must be: with the name of the table or view, and what that needs to have.
    """

    async def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[SourceRow]:
        """Open rows that are due, at most ``limit``; nobody else is given them before ``until`` (UTC).

        Two claimers never get the same row and never wait for each other (FOR UPDATE SKIP LOCKED).
        """

    async def read(self, rows: Sequence[SourceRow]) -> Sequence[SourceVisit]:
        """One for each row, in order. A visit that cannot be read spoils no other."""

    async def done(self, rows: Sequence[SourceRow], *, now: datetime) -> int:
        """Set the source's flag on rows whose claim still is the newest; how many. Others stay open."""

    async def put_off(self, rows: Sequence[SourceRow], *, until: datetime, reason: str) -> None:
        """Leave rows whose claim still is the newest open, with the reason on them; they are due again at ``until``."""

    async def put_back(self, rows: Sequence[SourceRow], *, now: datetime) -> None:
        """Rows whose claim still is the newest are due again at once: nobody looked at them."""

    async def reopen_late(self, *, since: datetime, limit: int) -> int:
        """Open again what was done before a laboratory result made after ``since`` (UTC) came (amrit.md §2.2).

        How many rows.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenVisit:
    """A claimed row whose record is stored with us, in this version; the source does not know of it yet.

    From ``until`` (UTC) on the row is anybody's again.
    """

    row: SourceRow
    hip_id: HipId
    version: int
    until: datetime


@dataclass(frozen=True, slots=True)
class TakeVisits:
    """Claim, read, store: what cannot be stored keeps its row open and carries the reason."""

    source: VisitSource
    receive: ReceiveVisits
    clock: Clock

    async def __call__(self) -> Sequence[TakenVisit]:
        """What was stored, of one claim; it is stored together, and what spoils that is found and put off.

        When a store fails midway, rows nobody came to are put back at once, so that another taker has them. What was
        stored before is returned nevertheless; without any the failure is raised, and the next call meets it as well.
        """
        now = self.clock()
        until = now + FINISHING
        rows = await self.source.claim(now=now, until=until, limit=CLAIMED)
        taken: list[TakenVisit] = []
        failure: Transient | None = None
        refused: dict[tuple[timedelta, str], list[SourceRow]] = defaultdict(list)
        left = list(rows)
        try:
            visits = await self.source.read(rows) if rows else ()
            made = [visit.record for visit in visits if visit.record is not None]
            answers = iter(await self.receive(made, actor="source"))
            for visit in visits:
                answer = visit.fault if visit.record is None else next(answers)
                left.remove(visit.row)
                if isinstance(answer, ReceivedVisit):
                    taken.append(TakenVisit(row=visit.row, hip_id=answer.hip_id, version=answer.version, until=until))
                    continue
                failure = answer if isinstance(answer, Transient) else None
                # At this very record: it may itself be the reason. More likely our store is away, for this one no
                # longer than for the others.
                reason = f"not stored yet ({type(answer).__name__})" if failure else str(answer)
                wait = _wait(visit.row.attempt, longest=FINISHING if failure else LONGEST_LOOK)
                refused[wait, reason].append(visit.row)
                if failure:
                    break
            await self._put_off(refused)
        except Transient as away:
            failure = failure or away
        except DomainError:
            await self._put_back(left)
            raise
        if failure is not None:
            await self._put_back(left)
            if not taken:
                raise failure
        return taken

    async def _put_off(self, refused: Mapping[tuple[timedelta, str], Sequence[SourceRow]]) -> None:
        """Rows by how long they wait, and by the reason: many are often refused for one."""
        for (wait, reason), rows in refused.items():
            await self.source.put_off(rows, until=self.clock() + wait, reason=reason)

    async def _put_back(self, rows: Sequence[SourceRow]) -> None:
        # A source that is away keeps them until the claim runs out; the failure that led here is the one to tell.
        with suppress(Transient):
            if rows:
                await self.source.put_back(rows, now=self.clock())


def _wait(attempt: int, *, longest: timedelta) -> timedelta:
    return min(FIRST_LOOK * (1 << min(attempt - 1, 16)), longest)


@dataclass(frozen=True, slots=True)
class SettleVisits:
    """Tell the source of visits whose every required bundle is stored and valid."""

    source: VisitSource
    units: Units
    clock: Clock

    async def __call__(self, taken: Sequence[TakenVisit]) -> Sequence[TakenVisit]:
        """Those to ask about again. One whose claim has run out is not among them: whoever claims it next asks.

        So one that never comes out valid stays open in the source, and is not asked about for ever.
        """
        by_hip: dict[HipId, list[VisitCode]] = defaultdict(list)
        for each in taken:
            by_hip[each.hip_id].append(each.row.visit_code)
        processed: set[tuple[HipId, VisitCode]] = set()
        if by_hip:
            async with self.units() as uow:
                for hip_id, codes in by_hip.items():
                    processed |= {(hip_id, code) for code in await uow.triggers.processed(hip_id, codes)}
        now = self.clock()
        finished = [each.row for each in taken if (each.hip_id, each.row.visit_code) in processed]
        if finished:
            await self.source.done(finished, now=now)
        return [each for each in taken if (each.hip_id, each.row.visit_code) not in processed and each.until > now]
