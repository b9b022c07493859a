"""The outbox in Postgres.

``run_at`` is when a row may next be leased, for a leased row too: then it is where its lease ends. So one partial index
on (priority, run_at, id) holds whatever may become due, and a lease reads due rows only.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    RowMapping,
    TableValuedAlias,
    Update,
    and_,
    column,
    func,
    insert,
    select,
    true,
    update,
    values,
)

from hip.adapters.postgres.statements import Statements, in_columns, listed, rows_of, unnested
from hip.adapters.postgres.tables.conversations import outbox
from hip.application.outbox_storage import BACKFILL
from hip.application.storage import Claim, Job, JobState, Listing, OutboxRow, Topic, Work
from hip.domain.identifiers import HipId

CHANNEL = "hip_outbox"
_UNDECIDED = ("ready", "leased")


_COLUMNS = ("hip_id", "topic", "key", "priority", "run_at", "attempt", "state")
_INSERTED = insert(outbox).from_select(_COLUMNS, select(unnested(outbox, *_COLUMNS)))


def _row(work: Work) -> dict[str, Any]:
    return {
        "hip_id": work.hip_id,
        "topic": work.topic.value,
        "key": work.key,
        "priority": work.priority,
        "run_at": work.run_at,
        "attempt": 0,
        "state": "ready",
    }


def _outbox_row(row: RowMapping) -> OutboxRow:
    return OutboxRow(
        id=row["id"],
        hip_id=HipId(row["hip_id"]),
        topic=Topic(row["topic"]),
        key=row["key"],
        attempt=row["attempt"],
        lease_until=row["lease_until"],
        failures=row["failures"],
        backfill=row["priority"] == BACKFILL,
    )


def _job(row: RowMapping) -> Job:
    return Job(
        id=row["id"],
        hip_id=HipId(row["hip_id"]),
        topic=Topic(row["topic"]),
        key=row["key"],
        state=JobState(row["state"]),
        attempt=row["attempt"],
        run_at=row["run_at"],
        error=row["error"],
    )


class PostgresOutbox:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.rang = False

    async def add(self, hip_id: HipId, topic: Topic, key: str, *, run_at: datetime) -> None:
        await self.add_all([Work(hip_id=hip_id, topic=topic, key=key, run_at=run_at)])

    async def add_all(self, work: Sequence[Work]) -> None:
        await self._statements.run(_INSERTED, in_columns([_row(one) for one in work], *_COLUMNS))
        self.rang = self.rang or bool(work)

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
        # Each priority is its own range of the index. The join takes them in this order and row by row, so with the
        # outer limit no more rows are locked than are given out.
        wanted = [(topic.priority,) for topic in Topic if topic in topics]
        if not wanted:
            return []
        if backfill and len(wanted) == len(Topic):
            wanted.append((BACKFILL,))
        ranges = values(column("priority", Integer), name="topics").data(wanted)
        order = (outbox.c.run_at.desc(), outbox.c.id.desc()) if newest else (outbox.c.run_at, outbox.c.id)
        row = (
            select(outbox.c.hip_id, outbox.c.id, outbox.c.run_at)
            .where(outbox.c.state.in_(_UNDECIDED), outbox.c.priority == ranges.c.priority, outbox.c.run_at <= now)
            .order_by(*order)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .lateral("row")
        )
        due = select(row).select_from(ranges.join(row, true())).limit(limit).cte("due")
        leased = await self._statements.all(
            update(outbox)
            .where(outbox.c.hip_id == due.c.hip_id, outbox.c.id == due.c.id)
            .values(state="leased", attempt=outbox.c.attempt + 1, run_at=until, lease_until=until)
            .returning(outbox, due.c.run_at.label("due_at"))
        )
        in_order = sorted(leased, key=lambda each: (each["priority"], each["due_at"], each["id"]))
        return [_outbox_row(each) for each in in_order]

    async def current(self, row_id: int, attempt: int) -> OutboxRow | None:
        row = await self._statements.first(
            select(outbox).where(outbox.c.id == row_id, outbox.c.state == "leased", outbox.c.attempt == attempt)
        )
        return None if row is None else _outbox_row(row)

    async def held(self, claims: Sequence[Claim]) -> Sequence[OutboxRow]:
        claimed = _claimed(claims)
        rows = await self._statements.all(
            select(outbox).join(claimed, outbox.c.id == claimed.c.id).where(_holds(claimed)).order_by(claimed.c.place)
        )
        return [_outbox_row(row) for row in rows]

    async def renew(self, row_ids: Sequence[int], *, until: datetime) -> None:
        await self._statements.run(
            update(outbox)
            .where(outbox.c.id.in_(row_ids), outbox.c.state == "leased", outbox.c.run_at < until)
            .values(run_at=until, lease_until=until)
        )

    async def done(self, row_id: int, attempt: int) -> bool:
        return await self._held(_leave(row_id, attempt).values(state="done", lease_until=None))

    async def done_all(self, claims: Sequence[Claim]) -> Sequence[int]:
        claimed = _claimed(claims)
        rows = await self._statements.all(
            update(outbox)
            .where(outbox.c.id == claimed.c.id, _holds(claimed))
            .values(state="done", lease_until=None)
            .returning(outbox.c.id)
        )
        return [row["id"] for row in rows]

    async def give_back(self, claims: Sequence[Claim], *, run_at: datetime) -> None:
        claimed = _claimed(claims)
        count = await self._statements.count(
            update(outbox)
            .where(outbox.c.id == claimed.c.id, _holds(claimed))
            .values(state="ready", lease_until=None, run_at=run_at)
        )
        self.rang = self.rang or count > 0

    async def defer(
        self, row_id: int, attempt: int, *, run_at: datetime, error: str | None = None, counted: bool = False
    ) -> bool:
        kept = func.coalesce(error, outbox.c.error)
        failures = outbox.c.failures + int(counted)
        return await self._held(
            _leave(row_id, attempt).values(
                state="ready", lease_until=None, run_at=run_at, error=kept, failures=failures
            )
        )

    async def bury(self, row_id: int, attempt: int, *, error: str | None = None) -> bool:
        kept = func.coalesce(error, outbox.c.error)
        return await self._held(_leave(row_id, attempt).values(state="dead", lease_until=None, error=kept))

    async def hurry(self, hip_id: HipId, topic: Topic, key: str, *, run_at: datetime) -> int:
        hurried = (
            update(outbox)
            .where(outbox.c.state == "ready", outbox.c.run_at > run_at)
            .where(outbox.c.hip_id == hip_id, outbox.c.topic == topic.value, outbox.c.key == key)
            .values(run_at=run_at)
        )
        count = await self._statements.count(hurried)
        self.rang = self.rang or count > 0
        return count

    async def waiting(self) -> int:
        counted = select(func.count()).select_from(outbox).where(outbox.c.state.in_(_UNDECIDED))
        return int((await self._statements.run(counted)).scalar_one())

    async def get(self, hip_id: HipId, row_id: int) -> Job | None:
        row = await self._statements.first(select(outbox).where(outbox.c.hip_id == hip_id, outbox.c.id == row_id))
        return None if row is None else _job(row)

    async def undecided(self, hip_id: HipId, topic: Topic, key: str) -> bool:
        of_key = select(outbox.c.id).where(
            outbox.c.hip_id == hip_id,
            outbox.c.topic == topic.value,
            outbox.c.key == key,
            outbox.c.state != "done",
            outbox.c.state.in_(_UNDECIDED),
        )
        return await self._statements.first(of_key.limit(1)) is not None

    async def list(
        self, listing: Listing, *, state: JobState | None = None, topic: Topic | None = None
    ) -> Sequence[Job]:
        left = select(outbox).where(outbox.c.state != "done")
        if state is not None:
            left = left.where(outbox.c.state == state.value)
        if topic is not None:
            left = left.where(outbox.c.topic == topic.value)
        rows = await self._statements.all(listed(left, outbox, listing, at="run_at", sequence="id"))
        return [_job(row) for row in rows]

    async def cancel(self, hip_id: HipId, row_id: int) -> bool:
        return await self._held(
            update(outbox)
            .where(outbox.c.hip_id == hip_id, outbox.c.id == row_id, outbox.c.state.in_(("ready", "dead")))
            .values(state="cancelled")
        )

    async def _held(self, statement: Update) -> bool:
        return await self._statements.count(statement) == 1


def _claimed(claims: Sequence[Claim]) -> TableValuedAlias:
    return rows_of(
        "claimed",
        id=(BigInteger(), [row_id for row_id, _ in claims]),
        attempt=(Integer(), [attempt for _, attempt in claims]),
        place=(Integer(), range(len(claims))),
    )


def _holds(claimed: TableValuedAlias) -> ColumnElement[bool]:
    return and_(outbox.c.state == "leased", outbox.c.attempt == claimed.c.attempt)


def _leave(row_id: int, attempt: int) -> Update:
    return update(outbox).where(outbox.c.id == row_id, outbox.c.state == "leased", outbox.c.attempt == attempt)
