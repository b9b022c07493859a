"""Queue tokens in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.listings import Listing
from hip.domain.errors import Conflict
from hip.domain.identifiers import AbhaAddress, HipId
from hip.domain.shares import QueueToken

ShareTable = MemoryTable[tuple[HipId, str, date, int], QueueToken]


class MemoryShares:
    def __init__(self, session: Session, rows: ShareTable) -> None:
        self._session = session
        self._rows = rows

    async def lock_current(
        self, hip_id: HipId, counter: str, abha_address: AbhaAddress, *, now: datetime
    ) -> QueueToken | None:
        await self._session.step()
        whose = (hip_id, counter, abha_address)
        found = [row for row in self._rows if (row.hip_id, row.counter, row.abha_address) == whose]
        return max((row for row in found if now < row.expires_at), key=lambda row: row.issued_at, default=None)

    async def last_number(self, hip_id: HipId, counter: str, day: date) -> int:
        await self._session.step()
        which = (hip_id, counter, day)
        return max((row.number for row in self._rows if (row.hip_id, row.counter, row.day) == which), default=0)

    async def add(self, token: QueueToken) -> None:
        await self._session.step()
        key = (token.hip_id, token.counter, token.day, token.number)
        if key in self._rows:
            raise Conflict("the number is taken")
        self._rows.put(key, token)

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        await self._session.step()
        for key, row in self._rows.items():
            if (row.hip_id, row.abha_address) == (hip_id, abha_address):
                self._rows.put(key, replace(row, abha_address=alias, profile=None))

    async def list(self, listing: Listing) -> Sequence[QueueToken]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda t: t.hip_id, at=lambda t: t.issued_at)
