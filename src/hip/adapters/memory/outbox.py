"""The outbox in memory."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.outbox_storage import BACKFILL
from hip.application.storage import Claim, Job, JobState, Listing, OutboxRow, Topic, Work
from hip.domain.identifiers import HipId


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """``run_at`` is when the row may next be leased: for a leased one, when its lease runs out."""

    id: int
    hip_id: HipId
    topic: Topic
    key: str
    run_at: datetime
    attempt: int = 0
    state: JobState = JobState.READY
    error: str | None = None
    failures: int = 0
    backfill: bool = False

    @property
    def priority(self) -> int:
        return BACKFILL if self.backfill else self.topic.priority

    @property
    def waiting(self) -> bool:
        return self.state in (JobState.READY, JobState.LEASED)

    @property
    def leased(self) -> OutboxRow:
        return OutboxRow(
            id=self.id,
            hip_id=self.hip_id,
            topic=self.topic,
            key=self.key,
            attempt=self.attempt,
            lease_until=self.run_at,
            failures=self.failures,
            backfill=self.backfill,
        )


def _job(row: _Row) -> Job:
    return Job(
        id=row.id,
        hip_id=row.hip_id,
        topic=row.topic,
        key=row.key,
        state=row.state,
        attempt=row.attempt,
        run_at=row.run_at,
        error=row.error,
    )


class OutboxTable:
    """Rows and their numbers; like a sequence, numbers are not given back by an undone unit."""

    def __init__(self) -> None:
        self.rows: MemoryTable[int, _Row] = MemoryTable()
        self.numbers = itertools.count(1)


class MemoryOutbox:
    def __init__(self, session: Session, table: OutboxTable) -> None:
        self._session = session
        self._rows = table.rows
        self._numbers = table.numbers
        self.added = False

    async def add(self, hip_id: HipId, topic: Topic, key: str, *, run_at: datetime) -> None:
        await self.add_all([Work(hip_id=hip_id, topic=topic, key=key, run_at=run_at)])

    async def add_all(self, work: Sequence[Work]) -> None:
        await self._session.step()
        for one in work:
            number = next(self._numbers)
            row = _Row(
                id=number, hip_id=one.hip_id, topic=one.topic, key=one.key, run_at=one.run_at, backfill=one.backfill
            )
            self._rows.put(number, row)
            self.added = True

    async def lease(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        topics: Collection[Topic] = tuple(Topic),
        newest: bool = False,
        backfill: bool = True,
    ) -> Sequence[OutboxRow]:
        await self._session.step()
        behind = backfill and set(topics) == set(Topic)
        due = [row for row in self._rows if row.waiting and row.run_at <= now and row.topic in topics]
        due = [row for row in due if behind or not row.backfill]
        due.sort(key=lambda row: (row.run_at, row.id), reverse=newest)
        due.sort(key=lambda row: row.priority)
        taken: list[OutboxRow] = []
        for row in sorted(due[:limit], key=lambda row: (row.priority, row.run_at, row.id)):
            leased = replace(row, state=JobState.LEASED, attempt=row.attempt + 1, run_at=until)
            self._rows.put(row.id, leased)
            taken.append(leased.leased)
        return taken

    async def current(self, row_id: int, attempt: int) -> OutboxRow | None:
        await self._session.step()
        row = self._held(row_id, attempt)
        return None if row is None else row.leased

    async def held(self, claims: Sequence[Claim]) -> Sequence[OutboxRow]:
        await self._session.step()
        rows = [self._held(*claim) for claim in claims]
        return [row.leased for row in rows if row is not None]

    async def renew(self, row_ids: Sequence[int], *, until: datetime) -> None:
        await self._session.step()
        for row_id in row_ids:
            row = self._rows.get(row_id)
            if row is not None and row.state is JobState.LEASED and row.run_at < until:
                self._rows.put(row_id, replace(row, run_at=until))

    async def done(self, row_id: int, attempt: int) -> bool:
        return await self._end(row_id, attempt, state=JobState.DONE)

    async def done_all(self, claims: Sequence[Claim]) -> Sequence[int]:
        await self._session.step()
        return [row_id for row_id, attempt in claims if await self.done(row_id, attempt)]

    async def give_back(self, claims: Sequence[Claim], *, run_at: datetime) -> None:
        await self._session.step()
        for row_id, attempt in claims:
            if await self._end(row_id, attempt, state=JobState.READY, run_at=run_at):
                self.added = True

    async def defer(
        self, row_id: int, attempt: int, *, run_at: datetime, error: str | None = None, counted: bool = False
    ) -> bool:
        return await self._end(row_id, attempt, state=JobState.READY, run_at=run_at, error=error, failures=int(counted))

    async def bury(self, row_id: int, attempt: int, *, error: str | None = None) -> bool:
        return await self._end(row_id, attempt, state=JobState.DEAD, error=error)

    async def hurry(self, hip_id: HipId, topic: Topic, key: str, *, run_at: datetime) -> int:
        await self._session.step()
        found = [
            row
            for row in self._rows
            if (row.hip_id, row.topic, row.key) == (hip_id, topic, key)
            and row.state is JobState.READY
            and row.run_at > run_at
        ]
        for row in found:
            self._rows.put(row.id, replace(row, run_at=run_at))
        self.added = self.added or bool(found)
        return len(found)

    async def waiting(self) -> int:
        await self._session.step()
        return sum(row.waiting for row in self._rows)

    async def get(self, hip_id: HipId, row_id: int) -> Job | None:
        await self._session.step()
        row = self._rows.get(row_id)
        return _job(row) if row is not None and row.hip_id == hip_id else None

    async def undecided(self, hip_id: HipId, topic: Topic, key: str) -> bool:
        await self._session.step()
        return any(row.waiting and (row.hip_id, row.topic, row.key) == (hip_id, topic, key) for row in self._rows)

    async def list(
        self, listing: Listing, *, state: JobState | None = None, topic: Topic | None = None
    ) -> Sequence[Job]:
        await self._session.step()
        jobs = [_job(row) for row in self._rows if row.state is not JobState.DONE]
        jobs = [job for job in jobs if state in (None, job.state) and topic in (None, job.topic)]
        jobs.sort(key=lambda job: job.id, reverse=True)
        return listed(jobs, listing, hip=lambda job: job.hip_id, at=lambda job: job.run_at)

    async def cancel(self, hip_id: HipId, row_id: int) -> bool:
        await self._session.step()
        row = self._rows.get(row_id)
        if row is None or row.hip_id != hip_id or row.state not in (JobState.READY, JobState.DEAD):
            return False
        self._rows.put(row_id, replace(row, state=JobState.CANCELLED))
        return True

    async def _end(
        self,
        row_id: int,
        attempt: int,
        *,
        state: JobState,
        run_at: datetime | None = None,
        error: str | None = None,
        failures: int = 0,
    ) -> bool:
        await self._session.step()
        row = self._held(row_id, attempt)
        if row is None:
            return False
        ended = replace(
            row,
            state=state,
            run_at=run_at or row.run_at,
            error=error or row.error,
            failures=row.failures + failures,
        )
        self._rows.put(row_id, ended)
        return True

    def _held(self, row_id: int, attempt: int) -> _Row | None:
        row = self._rows.get(row_id)
        return row if row is not None and row.state is JobState.LEASED and row.attempt == attempt else None
