"""Transfers and their pages in memory."""

from collections.abc import Sequence
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing
from hip.domain.errors import NotFound
from hip.domain.identifiers import ConsentId, HipId, TransactionId
from hip.domain.pages import Page, PageState
from hip.domain.transfers import Transfer, TransferOutcome, TransferState

TransferTable = MemoryTable[tuple[HipId, TransactionId], Transfer]
PageTable = MemoryTable[tuple[HipId, TransactionId, int], Page]

_ENDED = (TransferState.DONE, TransferState.DEAD)


class MemoryTransfers:
    def __init__(self, session: Session, rows: TransferTable, pages: PageTable) -> None:
        self._session = session
        self._rows = rows
        self._pages = pages

    async def add(self, transfer: Transfer) -> bool:
        await self._session.step()
        key = (transfer.hip_id, transfer.transaction_id)
        if key in self._rows:
            return False
        self._rows.put(key, transfer)
        return True

    async def lock(self, hip_id: HipId, transaction_id: TransactionId) -> Transfer | None:
        return await self.get(hip_id, transaction_id)

    async def get(self, hip_id: HipId, transaction_id: TransactionId) -> Transfer | None:
        await self._session.step()
        return self._rows.get((hip_id, transaction_id))

    async def save(self, transfer: Transfer) -> None:
        await self._session.step()
        key = (transfer.hip_id, transfer.transaction_id)
        if key not in self._rows:
            raise NotFound("transfer", transfer.transaction_id)
        self._rows.put(key, transfer)

    async def open_of_consent(self, hip_id: HipId, consent_id: ConsentId) -> Sequence[Transfer]:
        await self._session.step()
        found = [
            row
            for row in self._rows
            if (row.hip_id, row.consent_id) == (hip_id, consent_id) and row.state not in _ENDED
        ]
        return sorted(found, key=lambda row: row.requested_at)

    async def earlier(self, transfer: Transfer, *, since: datetime) -> int:
        await self._session.step()
        return sum(
            (row.hip_id, row.consent_id) == (transfer.hip_id, transfer.consent_id)
            and row.transaction_id != transfer.transaction_id
            and since <= row.requested_at <= transfer.requested_at
            for row in self._rows
        )

    async def alerting(self, *, now: datetime, limit: int) -> Sequence[Transfer]:
        await self._session.step()
        found = [(row.alert_at, row) for row in self._rows if row.alert_at is not None and row.alert_at <= now]
        return [row for _, row in sorted(found, key=lambda pair: pair[0])][:limit]

    async def list(
        self, listing: Listing, *, state: TransferState | None = None, outcome: TransferOutcome | None = None
    ) -> Sequence[Transfer]:
        await self._session.step()
        rows = [
            row
            for row in reversed(self._rows)
            if (state is None or row.state is state) and (outcome is None or row.outcome is outcome)
        ]
        return listed(rows, listing, hip=lambda t: t.hip_id, at=lambda t: t.requested_at)

    async def add_pages(self, pages: Sequence[Page]) -> None:
        await self._session.step()
        for page in pages:
            if (page.hip_id, page.transaction_id) not in self._rows:
                raise NotFound("transfer", page.transaction_id)
        for page in pages:
            key = (page.hip_id, page.transaction_id, page.number)
            if key not in self._pages:
                self._pages.put(key, page)

    async def lock_page(self, hip_id: HipId, transaction_id: TransactionId, number: int) -> Page | None:
        await self._session.step()
        return self._pages.get((hip_id, transaction_id, number))

    async def save_page(self, page: Page) -> None:
        await self._session.step()
        key = (page.hip_id, page.transaction_id, page.number)
        if key not in self._pages:
            raise NotFound("page", f"{page.transaction_id}/{page.number}")
        self._pages.put(key, page)

    async def lock_pages(self, hip_id: HipId, transaction_id: TransactionId, numbers: Sequence[int]) -> Sequence[Page]:
        return [page for page in await self.pages(hip_id, transaction_id) if page.number in numbers]

    async def save_pages(self, hip_id: HipId, transaction_id: TransactionId, pages: Sequence[Page]) -> None:
        await self._session.step()
        for page in pages:
            key = (hip_id, transaction_id, page.number)
            if key in self._pages:
                self._pages.put(key, page)

    async def pending_pages(self, hip_id: HipId, transaction_id: TransactionId, *, limit: int) -> Sequence[Page]:
        pages = await self.pages(hip_id, transaction_id)
        return [page for page in pages if page.state is PageState.PENDING][:limit]

    async def close_pages(self, hip_id: HipId, transaction_id: TransactionId, reason: str, *, now: datetime) -> None:
        for page in await self.pages(hip_id, transaction_id):
            self._pages.put((page.hip_id, page.transaction_id, page.number), page.errored(reason, now=now))

    async def pages(self, hip_id: HipId, transaction_id: TransactionId) -> Sequence[Page]:
        await self._session.step()
        found = [row for row in self._pages if (row.hip_id, row.transaction_id) == (hip_id, transaction_id)]
        return sorted(found, key=lambda page: page.number)
