"""Received callbacks in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing
from hip.domain.callbacks import Callback, CallbackId, CallbackState, Receipt
from hip.domain.errors import Conflict, NotFound
from hip.domain.identifiers import ConsentId, HipId, RequestId

CallbackTable = MemoryTable[tuple[HipId, str, RequestId], Callback]
SubjectTable = MemoryTable[tuple[HipId, CallbackId], ConsentId]


class MemoryCallbacks:
    def __init__(self, session: Session, rows: CallbackTable, subjects: SubjectTable) -> None:
        self._session = session
        self._rows = rows
        self._subjects = subjects

    async def add(self, callback: Callback) -> bool:
        [receipt] = await self.add_all([callback])
        if receipt is Receipt.CONFLICT:
            raise Conflict("a callback with this REQUEST-ID was received with another body, or its id is taken")
        return receipt is Receipt.STORED

    async def add_all(self, deliveries: Sequence[Callback]) -> Sequence[Receipt]:
        await self._session.step()
        return [self._add(callback) for callback in deliveries]

    def _add(self, callback: Callback) -> Receipt:
        key = (callback.hip_id, callback.path, callback.request_id)
        known = self._rows.get(key)
        if known is not None:
            return Receipt.REPEAT if known.body_hash == callback.body_hash else Receipt.CONFLICT
        if self._find(callback.hip_id, callback.id) is not None:
            return Receipt.CONFLICT
        self._rows.put(key, callback)
        return Receipt.STORED

    async def get(self, hip_id: HipId, callback_id: CallbackId) -> Callback | None:
        await self._session.step()
        return self._find(hip_id, callback_id)

    async def save(self, callback: Callback) -> None:
        await self._session.step()
        known = self._find(callback.hip_id, callback.id)
        if known is None:
            raise NotFound("callback", callback.id)
        written = replace(
            known,
            state=callback.state,
            error=callback.error,
            runs=callback.runs,
            finished_at=callback.finished_at,
            sealed_body=known.sealed_body if callback.sealed_body is not None else None,
        )
        self._rows.put((known.hip_id, known.path, known.request_id), written)

    async def about(self, hip_id: HipId, callback_id: CallbackId, consent_id: ConsentId) -> None:
        await self._session.step()
        if self._find(hip_id, callback_id) is None:
            raise NotFound("callback", callback_id)
        self._subjects.put((hip_id, callback_id), consent_id)

    async def subject(self, hip_id: HipId, callback_id: CallbackId) -> ConsentId | None:
        await self._session.step()
        return self._subjects.get((hip_id, callback_id))

    async def cut(self, hip_id: HipId, consent_id: ConsentId) -> Sequence[CallbackId]:
        await self._session.step()
        bound = {key for key, about in self._subjects.items() if key[0] == hip_id and about == consent_id}
        found = [row for row in self._rows if (row.hip_id, row.id) in bound and row.sealed_body is not None]
        for row in found:
            self._rows.put((row.hip_id, row.path, row.request_id), replace(row, sealed_body=None))
        return [row.id for row in found]

    async def overdue(self, *, before: datetime) -> Sequence[Callback]:
        await self._session.step()
        unread = [row for row in self._rows if row.state is CallbackState.RECEIVED and row.received_at < before]
        unread.sort(key=lambda row: (row.received_at, row.id), reverse=True)
        return sorted({row.hip_id: row for row in unread}.values(), key=lambda row: row.hip_id)

    async def list(self, listing: Listing) -> Sequence[Callback]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda c: c.hip_id, at=lambda c: c.received_at)

    def _find(self, hip_id: HipId, callback_id: CallbackId) -> Callback | None:
        return next((row for row in self._rows if (row.hip_id, row.id) == (hip_id, callback_id)), None)
