"""The append-only audit in memory."""

import itertools
from collections.abc import Sequence

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing
from hip.domain.audit import AuditEntry


class AuditTable:
    """Entries by a number that only grows."""

    def __init__(self) -> None:
        self.rows: MemoryTable[int, AuditEntry] = MemoryTable()
        self.numbers = itertools.count(1)


class MemoryAudit:
    def __init__(self, session: Session, table: AuditTable) -> None:
        self._session = session
        self._rows = table.rows
        self._numbers = table.numbers

    async def append(self, entry: AuditEntry) -> None:
        await self._session.step()
        self._rows.put(next(self._numbers), entry)

    async def list(self, listing: Listing) -> Sequence[AuditEntry]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda e: e.hip_id, at=lambda e: e.at)
