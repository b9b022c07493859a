"""Exchanges and their attempts in memory."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.conversation_storage import Refusals
from hip.application.storage import Listing
from hip.domain.errors import Conflict
from hip.domain.exchanges import Exchange, ExchangeId, Flow, Outcome
from hip.domain.identifiers import HipId, RequestId

ExchangeTable = MemoryTable[tuple[HipId, ExchangeId], Exchange]


class MemoryExchanges:
    def __init__(self, session: Session, rows: ExchangeTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, exchange: Exchange) -> None:
        await self._session.step()
        ours = [attempt.request_id for attempt in exchange.attempts]
        theirs = {
            attempt.request_id
            for row in self._rows
            if row.hip_id == exchange.hip_id and row.id != exchange.id
            for attempt in row.attempts
        }
        if len(set(ours)) < len(ours) or not theirs.isdisjoint(ours):
            raise Conflict("a REQUEST-ID belongs to another attempt")
        self._rows.put((exchange.hip_id, exchange.id), exchange)

    async def get(self, hip_id: HipId, exchange_id: ExchangeId) -> Exchange | None:
        await self._session.step()
        return self._rows.get((hip_id, exchange_id))

    async def lock_by_request_id(self, hip_id: HipId, request_id: RequestId) -> Exchange | None:
        await self._session.step()
        for row in self._rows:
            if row.hip_id == hip_id and any(attempt.request_id == request_id for attempt in row.attempts):
                return row
        return None

    async def lock_latest(self, hip_id: HipId, flow: Flow, business_key: str) -> Exchange | None:
        await self._session.step()
        newest_last = sorted(self._about(hip_id, flow, business_key), key=lambda e: e.opened_at)
        return newest_last[-1] if newest_last else None

    async def lapsed(self, *, now: datetime, limit: int) -> Sequence[Exchange]:
        await self._session.step()
        overdue = [
            (row.answer_due, row)
            for row in self._rows
            if row.outcome in (Outcome.SENT, Outcome.ACCEPTED) and row.answer_due is not None and row.answer_due <= now
        ]
        return [row for _, row in sorted(overdue, key=lambda pair: pair[0])[:limit]]

    async def forget(self, hip_id: HipId, flow: Flow, business_key: str, *, alias: str) -> None:
        await self._session.step()
        for row in list(self._about(hip_id, flow, business_key)):
            self._rows.put((hip_id, row.id), replace(row, business_key=alias))

    async def requests_since(self, hip_id: HipId, flow: Flow, business_key: str, since: datetime) -> int:
        await self._session.step()
        rows = self._about(hip_id, flow, business_key)
        return sum(attempt.sent_at >= since and attempt.may_have_arrived for row in rows for attempt in row.attempts)

    async def refused_lately(self, codes: Collection[str], *, since: datetime) -> Sequence[Refusals]:
        await self._session.step()
        met: defaultdict[HipId, list[tuple[datetime, RequestId]]] = defaultdict(list)
        for row in self._rows:
            met[row.hip_id] += [
                (each.sent_at, each.request_id) for each in row.attempts if each.code in codes and each.sent_at >= since
            ]
        return [Refusals(hip_id=hip, times=len(each), last=max(each)[1]) for hip, each in sorted(met.items()) if each]

    async def list(self, listing: Listing) -> Sequence[Exchange]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda e: e.hip_id, at=lambda e: e.opened_at)

    def _about(self, hip_id: HipId, flow: Flow, business_key: str) -> Iterator[Exchange]:
        return (row for row in self._rows if (row.hip_id, row.flow, row.business_key) == (hip_id, flow, business_key))
