"""The edge towards a hospital's own system that says which visits are ready, and flow: its visits → our intake.

The source keeps the list; a row stays open there until every required bundle of its visit is stored and valid. So a
crash anywhere costs one lease and loses nothing: the row is claimed again, and the same record again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from hip.application.intake import ReceiveVisit
from hip.application.ports import Clock, VisitRecords
from hip.application.storage import Units
from hip.domain.errors import DomainError
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.visits import VisitRecord

CLAIMED = 200
"""Rows in one claim: one short transaction, and one query for each kind of clinical data."""

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
    """Rows are open until ``done``, however old. Every method raises StorageFailed when the source does not answer."""

    async def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[SourceRow]:
        """Open rows that are due, at most ``limit``; nobody else is given them before ``until`` (UTC).

        Two claimers never get the same row and never wait for each other (FOR UPDATE SKIP LOCKED).
        """

    async def read(self, rows: Sequence[SourceRow]) -> Sequence[SourceVisit]:
        """One for each row, in order. A visit that cannot be read spoils no other."""

    async def done(self, rows: Sequence[SourceRow], *, now: datetime) -> int:
        """Set the source's flag on rows whose claim still is the newest; how many. Others stay open."""

    async def put_off(self, row: SourceRow, *, until: datetime, reason: str) -> None:
        """Leave the row open, with the reason on it; it is due again at ``until``."""

    async def reopen_late(self, *, since: datetime, limit: int) -> int:
        """Open again what was done before a laboratory result made after ``since`` (UTC) came (amrit.md §2.2).

        How many rows.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenVisit:
    """A claimed row whose record is stored with us, in this version; the source does not know of it yet."""

    row: SourceRow
    hip_id: HipId
    version: int


@dataclass(frozen=True, slots=True)
class TakeVisits:
    """Claim, read, store: what cannot be stored keeps its row open and carries the reason."""

    source: VisitSource
    receive: ReceiveVisit
    records: VisitRecords
    clock: Clock

    async def __call__(self) -> Sequence[TakenVisit]:
        now = self.clock()
        rows = await self.source.claim(now=now, until=now + FINISHING, limit=CLAIMED)
        taken: list[TakenVisit] = []
        for visit in await self.source.read(rows) if rows else ():
            reason = visit.fault
            if visit.record is not None:
                try:
                    stored = await self.receive(self.records.write(visit.record), actor="source")
                except DomainError as refusal:
                    reason = str(refusal)
                else:
                    taken.append(TakenVisit(row=visit.row, hip_id=stored.hip_id, version=stored.version))
                    continue
            wait = min(FIRST_LOOK * (1 << min(visit.row.attempt - 1, 16)), LONGEST_LOOK)
            await self.source.put_off(visit.row, until=self.clock() + wait, reason=reason)
        return taken


@dataclass(frozen=True, slots=True)
class SettleVisits:
    """Tell the source of visits whose every required bundle is stored and valid."""

    source: VisitSource
    units: Units
    clock: Clock

    async def __call__(self, taken: Sequence[TakenVisit]) -> Sequence[TakenVisit]:
        """Those that are not finished yet. One that never comes out valid stays open in the source."""
        finished: list[SourceRow] = []
        waiting: list[TakenVisit] = []
        async with self.units() as uow:
            for each in taken:
                trigger = await uow.triggers.get(each.hip_id, each.row.visit_code)
                if trigger is not None and trigger.processed:
                    finished.append(each.row)
                else:
                    waiting.append(each)
        if finished:
            await self.source.done(finished, now=self.clock())
        return waiting
