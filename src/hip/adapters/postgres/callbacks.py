"""Received callbacks in Postgres. Their bodies arrive sealed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from hip.adapters.postgres.statements import Statements, in_columns, listed, unnested
from hip.adapters.postgres.tables.conversations import callbacks
from hip.application.storage import Listing
from hip.domain.callbacks import Callback, CallbackId, CallbackState, Receipt
from hip.domain.errors import Conflict, NotFound
from hip.domain.identifiers import ConsentId, HipId, RequestId

_KEY = ("hip_id", "path", "request_id")
_COLUMNS = (
    *_KEY,
    "id",
    "received_at",
    "body_hash",
    "sealed_body",
    "headers",
    "verified",
    "state",
    "late",
    "runs",
    "finished_at",
    "error",
    "requester",
)
_INSERTED = (
    insert(callbacks)
    .from_select(_COLUMNS, select(unnested(callbacks, *_COLUMNS)))
    .on_conflict_do_nothing()
    .returning(callbacks.c.hip_id, callbacks.c.path, callbacks.c.request_id, callbacks.c.id)
)
_ASKED = unnested(callbacks, *_KEY)
_KNOWN = select(callbacks.c.hip_id, callbacks.c.path, callbacks.c.request_id, callbacks.c.body_hash).join(
    _ASKED, and_(*(callbacks.c[name] == _ASKED.c[name] for name in _KEY))
)


def _key(row: Mapping[Any, Any]) -> tuple[str, str, str]:
    return row["hip_id"], row["path"], row["request_id"]


def _row(callback: Callback) -> dict[str, Any]:
    return {
        "hip_id": callback.hip_id,
        "id": callback.id,
        "path": callback.path,
        "request_id": callback.request_id,
        "received_at": callback.received_at,
        "body_hash": callback.body_hash,
        "sealed_body": callback.sealed_body,
        "headers": [list(header) for header in callback.headers],
        "verified": callback.verified,
        "state": callback.state.value,
        "late": callback.late,
        "runs": callback.runs,
        "finished_at": callback.finished_at,
        "error": callback.error,
        "requester": callback.requester,
    }


def _callback(row: RowMapping) -> Callback:
    return Callback(
        hip_id=HipId(row["hip_id"]),
        id=CallbackId(row["id"]),
        path=row["path"],
        request_id=RequestId(row["request_id"]),
        received_at=row["received_at"],
        body_hash=row["body_hash"],
        sealed_body=row["sealed_body"],
        headers=tuple((name, length) for name, length in row["headers"]),
        verified=row["verified"],
        state=CallbackState(row["state"]),
        late=row["late"],
        runs=row["runs"],
        finished_at=row["finished_at"],
        error=row["error"],
        requester=row["requester"],
    )


class PostgresCallbacks:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, callback: Callback) -> bool:
        [receipt] = await self.add_all([callback])
        if receipt is Receipt.CONFLICT:
            raise Conflict("a callback with this REQUEST-ID was received with another body, or its id is taken")
        return receipt is Receipt.STORED

    async def add_all(self, deliveries: Sequence[Callback]) -> Sequence[Receipt]:
        # By key: transactions that share some then wait for one another in one order, and never in a circle.
        rows = sorted((_row(callback) for callback in deliveries), key=_key)
        found = await self._statements.all(_INSERTED, in_columns(rows, *_COLUMNS))
        inserted = {(*_key(row), row["id"]) for row in found}
        known: dict[tuple[str, str, str], str] = {}
        if len(inserted) < len(rows):
            # Also what others committed while the insert waited for them: it is a statement of its own.
            found = await self._statements.all(_KNOWN, in_columns(rows, *_KEY))
            known = {_key(row): row["body_hash"] for row in found}
        receipts = []
        for callback in deliveries:
            key = (callback.hip_id, callback.path, callback.request_id)
            if (*key, callback.id) in inserted:
                inserted.remove((*key, callback.id))  # the same once more is a repeat
                receipts.append(Receipt.STORED)
            else:
                receipts.append(Receipt.REPEAT if known.get(key) == callback.body_hash else Receipt.CONFLICT)
        return receipts

    async def get(self, hip_id: HipId, callback_id: CallbackId) -> Callback | None:
        row = await self._statements.first(
            select(callbacks).where(callbacks.c.hip_id == hip_id, callbacks.c.id == callback_id)
        )
        return None if row is None else _callback(row)

    async def save(self, callback: Callback) -> None:
        written: dict[str, Any] = {
            "state": callback.state.value,
            "error": callback.error,
            "runs": callback.runs,
            "finished_at": callback.finished_at,
        }
        if callback.sealed_body is None:
            written["sealed_body"] = None
        await self._write(callback.hip_id, callback.id, written)

    async def about(self, hip_id: HipId, callback_id: CallbackId, consent_id: ConsentId) -> None:
        await self._write(hip_id, callback_id, {"consent_id": consent_id})

    async def subject(self, hip_id: HipId, callback_id: CallbackId) -> ConsentId | None:
        row = await self._statements.first(
            select(callbacks.c.consent_id).where(callbacks.c.hip_id == hip_id, callbacks.c.id == callback_id)
        )
        return None if row is None or row["consent_id"] is None else ConsentId(row["consent_id"])

    async def cut(self, hip_id: HipId, consent_id: ConsentId) -> Sequence[CallbackId]:
        rows = await self._statements.all(
            update(callbacks)
            .where(callbacks.c.hip_id == hip_id, callbacks.c.consent_id == consent_id)
            .where(callbacks.c.sealed_body.is_not(None))
            .values(sealed_body=None)
            .returning(callbacks.c.id)
        )
        return [CallbackId(row["id"]) for row in rows]

    async def overdue(self, *, before: datetime) -> Sequence[Callback]:
        rows = await self._statements.all(
            select(callbacks)
            .ext(distinct_on(callbacks.c.hip_id))
            .where(callbacks.c.state == "received", callbacks.c.received_at < before)
            .order_by(callbacks.c.hip_id, callbacks.c.received_at, callbacks.c.id)
        )
        return [_callback(row) for row in rows]

    async def _write(self, hip_id: HipId, callback_id: CallbackId, written: dict[str, Any]) -> None:
        statement = update(callbacks).where(callbacks.c.hip_id == hip_id, callbacks.c.id == callback_id)
        if await self._statements.count(statement.values(written)) == 0:
            raise NotFound("callback", callback_id)

    async def list(self, listing: Listing) -> Sequence[Callback]:
        rows = await self._statements.all(listed(select(callbacks), callbacks, listing, at="received_at"))
        return [_callback(row) for row in rows]
