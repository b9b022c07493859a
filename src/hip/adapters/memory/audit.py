"""The append-only audit in memory, chained as in Postgres."""

from collections.abc import Sequence

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing
from hip.domain.audit import AuditEntry, AuditHead, AuditLink
from hip.domain.identifiers import HipId


class AuditTable:
    """Links by HIP and place, and the end of each chain."""

    def __init__(self) -> None:
        self.rows: MemoryTable[tuple[HipId, int], AuditLink] = MemoryTable()
        self.heads: MemoryTable[HipId, AuditHead] = MemoryTable()


class MemoryAudit:
    def __init__(self, session: Session, table: AuditTable) -> None:
        self._session = session
        self._rows = table.rows
        self._heads = table.heads

    async def append(self, entry: AuditEntry) -> None:
        await self._session.step()
        link = self._head(entry.hip_id).append(entry)
        self._rows.put((entry.hip_id, link.sequence), link)
        self._heads.put(entry.hip_id, link.head)

    async def list(self, listing: Listing) -> Sequence[AuditEntry]:
        await self._session.step()
        entries = (link.entry for link in reversed(self._rows))
        return listed(entries, listing, hip=lambda e: e.hip_id, at=lambda e: e.at)

    async def chain(self, hip_id: HipId, *, after: int, limit: int) -> Sequence[AuditLink]:
        await self._session.step()
        found: Sequence[AuditLink] = [
            link for (hip, number), link in self._rows.items() if hip == hip_id and number > after
        ]
        return found[:limit]

    async def head(self, hip_id: HipId) -> AuditHead:
        await self._session.step()
        return self._head(hip_id)

    async def chained(self) -> Sequence[HipId]:
        await self._session.step()
        return sorted(head.hip_id for head in self._heads)

    async def latest(self, hip_id: HipId, action: str) -> AuditEntry | None:
        await self._session.step()
        entries = (link.entry for link in reversed(self._rows))
        return next((entry for entry in entries if (entry.hip_id, entry.action) == (hip_id, action)), None)

    def _head(self, hip_id: HipId) -> AuditHead:
        return self._heads.get(hip_id) or AuditHead(hip_id=hip_id)
