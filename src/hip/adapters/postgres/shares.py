"""Queue tokens in Postgres. The profile rests sealed."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert

from hip.adapters.postgres.statements import Statements, listed, lock_number
from hip.adapters.postgres.tables.patient_side import queue_tokens
from hip.application.listings import Listing
from hip.application.ports import KeyVault
from hip.domain.errors import Conflict
from hip.domain.identifiers import AbhaAddress, HipId, RequestId
from hip.domain.shares import QueueToken, SharedProfile

_TABLE = queue_tokens


class PostgresShares:
    def __init__(self, statements: Statements, vault: KeyVault) -> None:
        self._statements = statements
        self._vault = vault

    async def lock_current(
        self, hip_id: HipId, counter: str, abha_address: AbhaAddress, *, now: datetime
    ) -> QueueToken | None:
        # The next number is not there yet and cannot be locked, so the counter is.
        await self._statements.run(select(func.pg_advisory_xact_lock(lock_number("queue", hip_id, counter))))
        row = await self._statements.first(
            select(_TABLE)
            .where(_TABLE.c.hip_id == hip_id, _TABLE.c.abha_address == str(abha_address), _TABLE.c.counter == counter)
            .where(_TABLE.c.expires_at > now)
            .order_by(_TABLE.c.issued_at.desc())
            .limit(1)
        )
        return None if row is None else self._token(row)

    async def last_number(self, hip_id: HipId, counter: str, day: date) -> int:
        last = select(func.coalesce(func.max(_TABLE.c.number), 0)).where(
            _TABLE.c.hip_id == hip_id, _TABLE.c.counter == counter, _TABLE.c.day == day
        )
        return int((await self._statements.run(last)).scalar_one())

    async def add(self, token: QueueToken) -> None:
        added = insert(_TABLE).values(self._row(token)).on_conflict_do_nothing()
        if await self._statements.count(added) == 0:
            raise Conflict("the number is taken")

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        await self._statements.run(
            update(_TABLE)
            .where(_TABLE.c.hip_id == hip_id, _TABLE.c.abha_address == str(abha_address))
            .values(abha_address=str(alias), sealed_profile=None)
        )

    async def list(self, listing: Listing) -> Sequence[QueueToken]:
        rows = await self._statements.all(listed(select(_TABLE), _TABLE, listing, at="issued_at"))
        return [self._token(row) for row in rows]

    def _row(self, token: QueueToken) -> dict[str, Any]:
        sealed = None
        if token.profile is not None:
            sealed = self._vault.seal(msgspec.json.encode(token.profile), context=_context(token.hip_id, token.counter))
        return {
            "hip_id": token.hip_id,
            "counter": token.counter,
            "day": token.day,
            "number": token.number,
            "abha_address": str(token.abha_address),
            "sealed_profile": sealed,
            "request_id": token.request_id,
            "issued_at": token.issued_at,
            "expires_at": token.expires_at,
        }

    def _token(self, row: RowMapping) -> QueueToken:
        profile = None
        if row["sealed_profile"] is not None:
            content = self._vault.unseal(row["sealed_profile"], context=_context(row["hip_id"], row["counter"]))
            profile = msgspec.json.decode(content, type=SharedProfile)
        return QueueToken(
            hip_id=HipId(row["hip_id"]),
            counter=row["counter"],
            day=row["day"],
            number=row["number"],
            abha_address=AbhaAddress(row["abha_address"]),
            profile=profile,
            request_id=RequestId(row["request_id"]),
            issued_at=row["issued_at"],
            expires_at=row["expires_at"],
        )


def _context(hip_id: str, counter: str) -> str:
    return f"queue_tokens/{hip_id}/{counter}"
