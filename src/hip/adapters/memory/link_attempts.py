"""User-initiated linkings in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hip.adapters.memory.sessions import Session
from hip.adapters.memory.tables import MemoryTable
from hip.domain.accounts import ACCOUNT_CLOSED
from hip.domain.identifiers import AbhaAddress, HipId, LinkReference, TransactionId
from hip.domain.link_attempts import AttemptState, LinkAttempt

LinkAttemptTable = MemoryTable[tuple[HipId, LinkReference], LinkAttempt]


class MemoryLinkAttempts:
    def __init__(self, session: Session, rows: LinkAttemptTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, attempt: LinkAttempt) -> None:
        await self._session.step()
        self._rows.put((attempt.hip_id, attempt.reference), attempt)

    async def get(self, hip_id: HipId, reference: LinkReference) -> LinkAttempt | None:
        await self._session.step()
        return self._rows.get((hip_id, reference))

    async def lock(self, hip_id: HipId, reference: LinkReference) -> LinkAttempt | None:
        await self._session.step()
        return self._rows.get((hip_id, reference))

    async def lock_latest(self, hip_id: HipId, transaction_id: TransactionId) -> LinkAttempt | None:
        await self._session.step()
        found = [row for row in reversed(self._rows) if (row.hip_id, row.transaction_id) == (hip_id, transaction_id)]
        return max(found, key=lambda row: row.created_at, default=None)

    async def otps_since(self, hip_id: HipId, number_key: str, since: datetime) -> int:
        await self._session.step()
        whose = (hip_id, number_key)
        return sum((row.hip_id, row.number_key) == whose and row.created_at >= since for row in self._rows)

    async def lapsed(self, *, before: datetime, limit: int) -> Sequence[LinkAttempt]:
        await self._session.step()
        waiting = (AttemptState.OFFERED, AttemptState.OTP_SENT)
        found = [row for row in self._rows if row.state in waiting and row.expires_at < before]
        return sorted(found, key=lambda row: row.expires_at)[:limit]

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        await self._session.step()
        for key, row in self._rows.items():
            if (row.hip_id, row.abha_address) == (hip_id, abha_address):
                forgotten = replace(row, abha_address=alias, state=AttemptState.FAILED, code=ACCOUNT_CLOSED)
                self._rows.put(key, forgotten)
