"""Entries that wait to be fetched, in memory."""

from collections.abc import Sequence
from datetime import datetime

from hip.adapters.memory.sessions import Session
from hip.adapters.memory.tables import MemoryTable
from hip.domain.errors import Conflict
from hip.domain.identifiers import ConsentId, HipId
from hip.domain.waiting_entries import LapsedEntry, WaitingEntry

WaitingEntryTable = MemoryTable[str, WaitingEntry]


class MemoryWaitingEntries:
    def __init__(self, session: Session, rows: WaitingEntryTable) -> None:
        self._session = session
        self._rows = rows

    async def add(self, entry: WaitingEntry) -> None:
        await self._session.step()
        if entry.information_id in self._rows:
            raise Conflict("the information id is taken")
        self._rows.put(entry.information_id, entry)

    async def find(self, information_id: str) -> WaitingEntry | None:
        await self._session.step()
        return self._rows.get(information_id)

    async def remove(self, hip_id: HipId, information_id: str) -> bool:
        await self._session.step()
        entry = self._rows.get(information_id)
        if entry is None or entry.hip_id != hip_id:
            return False
        self._rows.drop(information_id)
        return True

    async def remove_of_consent(self, hip_id: HipId, consent_id: ConsentId) -> int:
        await self._session.step()
        found = [row for row in self._rows if (row.hip_id, row.consent_id) == (hip_id, consent_id)]
        for row in found:
            self._rows.drop(row.information_id)
        return len(found)

    async def remove_older(self, *, than: datetime, limit: int) -> Sequence[LapsedEntry]:
        await self._session.step()
        found = sorted((row for row in self._rows if row.created_at <= than), key=lambda row: row.created_at)[:limit]
        for row in found:
            self._rows.drop(row.information_id)
        return [LapsedEntry(hip_id=r.hip_id, transaction_id=r.transaction_id, number=r.number) for r in found]
