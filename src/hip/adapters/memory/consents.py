"""Discoveries and consents in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing
from hip.domain.consents import Consent
from hip.domain.discovery import DiscoveryRequest
from hip.domain.identifiers import AbhaAddress, ConsentId, HipId, TransactionId

DiscoveryTable = MemoryTable[tuple[HipId, TransactionId], DiscoveryRequest]
ConsentTable = MemoryTable[tuple[HipId, ConsentId], Consent]


class MemoryDiscoveries:
    def __init__(self, session: Session, rows: DiscoveryTable) -> None:
        self._session = session
        self._rows = rows

    async def add(self, request: DiscoveryRequest) -> bool:
        await self._session.step()
        key = (request.hip_id, request.transaction_id)
        if key in self._rows:
            return False
        self._rows.put(key, request)
        return True

    async def asked_since(
        self, hip_id: HipId, abha_address: AbhaAddress, since: datetime, *, beside: TransactionId
    ) -> int:
        await self._session.step()
        return sum(
            (row.hip_id, row.abha_address) == (hip_id, abha_address)
            and row.received_at >= since
            and row.transaction_id != beside
            for row in self._rows
        )

    async def get(self, hip_id: HipId, transaction_id: TransactionId) -> DiscoveryRequest | None:
        await self._session.step()
        return self._rows.get((hip_id, transaction_id))

    async def lock(self, hip_id: HipId, transaction_id: TransactionId) -> DiscoveryRequest | None:
        return await self.get(hip_id, transaction_id)

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        await self._session.step()
        for key, row in self._rows.items():
            if (row.hip_id, row.abha_address) == (hip_id, abha_address):
                self._rows.put(key, replace(row, abha_address=alias))


class MemoryConsents:
    def __init__(self, session: Session, rows: ConsentTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, consent: Consent) -> None:
        await self._session.step()
        self._rows.put((consent.hip_id, consent.consent_id), consent)

    async def lock(self, hip_id: HipId, consent_id: ConsentId) -> Consent | None:
        return await self.get(hip_id, consent_id)

    async def get(self, hip_id: HipId, consent_id: ConsentId) -> Consent | None:
        await self._session.step()
        return self._rows.get((hip_id, consent_id))

    async def lock_again(self, held: Consent) -> Consent | None:
        return await self.get(held.hip_id, held.consent_id)

    async def of_patient(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[Consent]:
        await self._session.step()
        found = [
            row
            for row in self._rows
            if row.hip_id == hip_id and row.artefact is not None and row.artefact.patient == abha_address
        ]
        return sorted(found, key=lambda row: row.received_at)

    async def spent(self, *, now: datetime, limit: int) -> Sequence[Consent]:
        await self._session.step()
        found = [(row.artefact.data_erase_at, row) for row in self._rows if row.artefact is not None and row.due(now)]
        return [row for _, row in sorted(found, key=lambda pair: pair[0])][:limit]

    async def list(self, listing: Listing) -> Sequence[Consent]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda c: c.hip_id, at=lambda c: c.received_at)
