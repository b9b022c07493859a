"""Exchanges and their attempts in Postgres."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from hip.adapters.postgres.statements import Statements, listed, lock_number, upsert
from hip.adapters.postgres.tables.conversations import attempts, exchanges
from hip.application.conversation_storage import Refusals
from hip.application.storage import Listing
from hip.domain.errors import UNSENT, Conflict
from hip.domain.exchanges import Attempt, Exchange, ExchangeId, Flow, Outcome
from hip.domain.identifiers import HipId, RequestId


def _row(exchange: Exchange) -> dict[str, Any]:
    return {
        "hip_id": exchange.hip_id,
        "id": exchange.id,
        "flow": exchange.flow.value,
        "business_key": exchange.business_key,
        "outcome": exchange.outcome.value,
        "opened_at": exchange.opened_at,
        "updated_at": exchange.updated_at,
        "answer_due": exchange.answer_due,
        "refusal": exchange.refusal,
    }


def _exchange(row: RowMapping, its_attempts: Sequence[Attempt]) -> Exchange:
    return Exchange(
        hip_id=HipId(row["hip_id"]),
        id=ExchangeId(row["id"]),
        flow=Flow(row["flow"]),
        business_key=row["business_key"],
        outcome=Outcome(row["outcome"]),
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
        answer_due=row["answer_due"],
        refusal=row["refusal"],
        attempts=tuple(its_attempts),
    )


def _attempt_row(exchange: Exchange, position: int, attempt: Attempt) -> dict[str, Any]:
    return {
        "hip_id": exchange.hip_id,
        "request_id": attempt.request_id,
        "exchange_id": exchange.id,
        "position": position,
        "sent_at": attempt.sent_at,
        "status": attempt.status,
        "code": attempt.code,
        "replied_at": attempt.replied_at,
        "answered_at": attempt.answered_at,
        "payload_hash": attempt.payload,
    }


def _attempt(row: RowMapping) -> Attempt:
    return Attempt(
        request_id=RequestId(row["request_id"]),
        sent_at=row["sent_at"],
        status=row["status"],
        code=row["code"],
        replied_at=row["replied_at"],
        answered_at=row["answered_at"],
        payload=row["payload_hash"],
    )


class PostgresExchanges:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, exchange: Exchange) -> None:
        request_ids = [attempt.request_id for attempt in exchange.attempts]
        if len(set(request_ids)) < len(request_ids):
            raise Conflict("a REQUEST-ID belongs to another attempt")
        async with self._statements.savepoint():
            await self._statements.run(upsert(exchanges, _row(exchange)))
            await self._statements.run(
                delete(attempts).where(
                    attempts.c.hip_id == exchange.hip_id,
                    attempts.c.exchange_id == exchange.id,
                    attempts.c.request_id.not_in(request_ids),
                )
            )
            if request_ids:
                await self._save_attempts(exchange)

    async def _save_attempts(self, exchange: Exchange) -> None:
        rows = [_attempt_row(exchange, position, attempt) for position, attempt in enumerate(exchange.attempts)]
        statement = insert(attempts).values(rows)
        changed = ("position", "sent_at", "status", "code", "replied_at", "answered_at")
        written = await self._statements.count(
            statement.on_conflict_do_update(
                index_elements=[attempts.c.hip_id, attempts.c.request_id],
                set_={name: statement.excluded[name] for name in changed},
                where=attempts.c.exchange_id == statement.excluded.exchange_id,
            )
        )
        if written < len(rows):
            raise Conflict("a REQUEST-ID belongs to another attempt")

    async def get(self, hip_id: HipId, exchange_id: ExchangeId) -> Exchange | None:
        return await self._one(select(exchanges).where(exchanges.c.hip_id == hip_id, exchanges.c.id == exchange_id))

    async def lock_by_request_id(self, hip_id: HipId, request_id: RequestId) -> Exchange | None:
        statement = (
            select(exchanges)
            .join(attempts, (attempts.c.hip_id == exchanges.c.hip_id) & (attempts.c.exchange_id == exchanges.c.id))
            .where(attempts.c.hip_id == hip_id, attempts.c.request_id == request_id)
            .with_for_update(of=exchanges)
        )
        return await self._one(statement)

    async def lock_latest(self, hip_id: HipId, flow: Flow, business_key: str) -> Exchange | None:
        # A row that is not there yet cannot be locked, so the question itself is.
        await self._statements.run(select(func.pg_advisory_xact_lock(lock_number(hip_id, flow.value, business_key))))
        statement = (
            _about(hip_id, flow, business_key)
            .order_by(exchanges.c.opened_at.desc(), exchanges.c.sequence.desc())
            .limit(1)
            .with_for_update()
        )
        return await self._one(statement)

    async def lapsed(self, *, now: datetime, limit: int) -> Sequence[Exchange]:
        # What another transaction holds is being answered or swept: it is skipped, and looked at again next time.
        statement = (
            select(exchanges)
            .where(exchanges.c.outcome.in_([Outcome.SENT.value, Outcome.ACCEPTED.value]))
            .where(exchanges.c.answer_due.is_not(None), exchanges.c.answer_due <= now)
            .order_by(exchanges.c.answer_due, exchanges.c.sequence)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return await self._all(statement)

    async def forget(self, hip_id: HipId, flow: Flow, business_key: str, *, alias: str) -> None:
        await self._statements.run(
            update(exchanges)
            .where(exchanges.c.hip_id == hip_id, exchanges.c.flow == flow.value)
            .where(exchanges.c.business_key == business_key)
            .values(business_key=alias)
        )

    async def requests_since(self, hip_id: HipId, flow: Flow, business_key: str, since: datetime) -> int:
        ids = _about(hip_id, flow, business_key).with_only_columns(exchanges.c.id)
        counted = (
            select(func.count())
            .select_from(attempts)
            .where(attempts.c.hip_id == hip_id, attempts.c.exchange_id.in_(ids), attempts.c.sent_at >= since)
            .where(or_(attempts.c.code.is_(None), attempts.c.code.not_in(UNSENT), attempts.c.answered_at.is_not(None)))
        )
        return int((await self._statements.run(counted)).scalar_one())

    async def refused_lately(self, codes: Collection[str], *, since: datetime) -> Sequence[Refusals]:
        rows = await self._statements.all(
            select(
                attempts.c.hip_id,
                attempts.c.request_id,
                func.count().over(partition_by=attempts.c.hip_id).label("times"),
            )
            .ext(distinct_on(attempts.c.hip_id))
            .where(attempts.c.code.in_(sorted(codes)), attempts.c.sent_at >= since)
            .order_by(attempts.c.hip_id, attempts.c.sent_at.desc(), attempts.c.request_id.desc())
        )
        return [
            Refusals(hip_id=HipId(row["hip_id"]), times=row["times"], last=RequestId(row["request_id"])) for row in rows
        ]

    async def list(self, listing: Listing) -> Sequence[Exchange]:
        return await self._all(listed(select(exchanges), exchanges, listing, at="opened_at"))

    async def _one(self, statement: Select[Any]) -> Exchange | None:
        found = await self._all(statement)
        return found[0] if found else None

    async def _all(self, statement: Select[Any]) -> Sequence[Exchange]:
        rows = await self._statements.all(statement)
        if not rows:
            return []
        keys = [(row["hip_id"], row["id"]) for row in rows]
        its_attempts = await self._statements.all(
            select(attempts)
            .where(tuple_(attempts.c.hip_id, attempts.c.exchange_id).in_(keys))
            .order_by(attempts.c.position)
        )
        by_exchange: defaultdict[tuple[str, str], list[Attempt]] = defaultdict(list)
        for row in its_attempts:
            by_exchange[row["hip_id"], row["exchange_id"]].append(_attempt(row))
        return [_exchange(row, by_exchange[row["hip_id"], row["id"]]) for row in rows]


def _about(hip_id: HipId, flow: Flow, business_key: str) -> Select[Any]:
    return select(exchanges).where(
        exchanges.c.hip_id == hip_id, exchanges.c.flow == flow.value, exchanges.c.business_key == business_key
    )
