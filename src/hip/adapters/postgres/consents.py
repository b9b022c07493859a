"""Discoveries and consents in Postgres."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert

from hip.adapters.postgres.link_attempts import offered, offered_row
from hip.adapters.postgres.statements import Statements, listed, lock_number, upsert
from hip.adapters.postgres.tables.linking import discovery_request
from hip.adapters.postgres.tables.release import consents
from hip.application.ports import KeyVault
from hip.application.storage import Listing
from hip.domain.accounts import account_key
from hip.domain.consents import Consent, ConsentArtefact, ConsentStatus, SignatureState
from hip.domain.discovery import DiscoveryRequest
from hip.domain.identifiers import AbhaAddress, ConsentId, HipId, PatientReference, TransactionId


def _discovery_row(request: DiscoveryRequest) -> dict[str, Any]:
    return {
        "hip_id": request.hip_id,
        "transaction_id": request.transaction_id,
        "consent_manager_user_id": str(request.abha_address),
        "patient_reference_number": request.patient_reference,
        "timestamp": request.received_at,
        "offered": offered_row(request.offered),
    }


def _discovery(row: RowMapping) -> DiscoveryRequest:
    reference = row["patient_reference_number"]
    return DiscoveryRequest(
        hip_id=HipId(row["hip_id"]),
        transaction_id=TransactionId(row["transaction_id"]),
        abha_address=AbhaAddress(row["consent_manager_user_id"]),
        patient_reference=None if reference is None else PatientReference(reference),
        received_at=row["timestamp"],
        offered=offered(row["offered"]),
    )


class PostgresDiscoveries:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, request: DiscoveryRequest) -> bool:
        statement = insert(discovery_request).values(_discovery_row(request)).on_conflict_do_nothing()
        return await self._statements.count(statement) == 1

    async def asked_since(
        self, hip_id: HipId, abha_address: AbhaAddress, since: datetime, *, beside: TransactionId
    ) -> int:
        # Rows that are not there yet cannot be locked, so the address is. A statement of its own: the count must see
        # what was committed while this one waited.
        asking = lock_number("discovery", hip_id, str(abha_address))
        await self._statements.run(select(func.pg_advisory_xact_lock(asking)))
        counted = (
            select(func.count())
            .select_from(discovery_request)
            .where(discovery_request.c.hip_id == hip_id)
            .where(discovery_request.c.consent_manager_user_id == str(abha_address))
            .where(discovery_request.c.timestamp >= since, discovery_request.c.transaction_id != beside)
        )
        return int((await self._statements.run(counted)).scalar_one())

    async def get(self, hip_id: HipId, transaction_id: TransactionId) -> DiscoveryRequest | None:
        return await self._one(_by_transaction(hip_id, transaction_id))

    async def lock(self, hip_id: HipId, transaction_id: TransactionId) -> DiscoveryRequest | None:
        return await self._one(_by_transaction(hip_id, transaction_id).with_for_update())

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        await self._statements.run(
            update(discovery_request)
            .where(discovery_request.c.hip_id == hip_id)
            .where(discovery_request.c.consent_manager_user_id == str(abha_address))
            .values(consent_manager_user_id=str(alias))
        )

    async def _one(self, statement: Select[Any]) -> DiscoveryRequest | None:
        row = await self._statements.first(statement)
        return None if row is None else _discovery(row)


def _by_transaction(hip_id: HipId, transaction_id: TransactionId) -> Select[Any]:
    return select(discovery_request).where(
        discovery_request.c.hip_id == hip_id, discovery_request.c.transaction_id == transaction_id
    )


class PostgresConsents:
    """The artefact says who the patient is and where they were treated, so it rests sealed."""

    def __init__(self, statements: Statements, vault: KeyVault) -> None:
        self._statements = statements
        self._vault = vault

    async def save(self, consent: Consent) -> None:
        await self._statements.run(upsert(consents, self._row(consent)))

    async def lock(self, hip_id: HipId, consent_id: ConsentId) -> Consent | None:
        locked = _by_id(hip_id, consent_id).with_for_update()
        found = await self._one(locked)
        if found is not None:
            return found
        # Two notices of one new consent: the later one waits for the row that the earlier is about to write.
        await self._statements.run(select(func.pg_advisory_xact_lock(lock_number("consent", hip_id, consent_id))))
        return await self._one(locked)

    async def get(self, hip_id: HipId, consent_id: ConsentId) -> Consent | None:
        return await self._one(_by_id(hip_id, consent_id))

    async def lock_again(self, held: Consent) -> Consent | None:
        row = await self._statements.first(
            select(*_PLAIN, consents.c.sealed_artefact.is_not(None).label("kept"))
            .where(consents.c.hip_id == held.hip_id, consents.c.consent_id == held.consent_id)
            .with_for_update()
        )
        if row is None:
            return None
        unchanged = replace(held, artefact=None) == _without_artefact(row)
        if unchanged and row["kept"] is (held.artefact is not None):
            return held
        return await self.get(held.hip_id, held.consent_id)

    async def of_patient(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[Consent]:
        # Rows from before the key was kept have none: they are opened and looked at.
        key = account_key(hip_id, abha_address)
        rows = await self._statements.all(
            select(consents)
            .where(consents.c.hip_id == hip_id, consents.c.sealed_artefact.is_not(None))
            .where((consents.c.patient_key == key) | consents.c.patient_key.is_(None))
            .order_by(consents.c.received_at, consents.c.sequence)
            .with_for_update()
        )
        found = [self._consent(row) for row in rows]
        return [one for one in found if one.artefact is not None and one.artefact.patient == abha_address]

    async def spent(self, *, now: datetime, limit: int) -> Sequence[Consent]:
        # What another transaction holds is skipped, and looked at again next time.
        rows = await self._statements.all(
            select(consents)
            .where(consents.c.data_erase_at.is_not(None), consents.c.data_erase_at <= now)
            .order_by(consents.c.data_erase_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [self._consent(row) for row in rows]

    async def list(self, listing: Listing) -> Sequence[Consent]:
        rows = await self._statements.all(listed(select(consents), consents, listing, at="received_at"))
        return [self._consent(row) for row in rows]

    async def _one(self, statement: Select[Any]) -> Consent | None:
        row = await self._statements.first(statement)
        return None if row is None else self._consent(row)

    def _row(self, consent: Consent) -> dict[str, Any]:
        sealed = None
        if consent.artefact is not None:
            sealed = self._vault.seal(
                msgspec.json.encode(consent.artefact), context=_context(consent.hip_id, consent.consent_id)
            )
        return {
            "hip_id": consent.hip_id,
            "consent_id": consent.consent_id,
            "status": consent.status.value,
            "sealed_artefact": sealed,
            "artefact_hash": consent.artefact_hash,
            "signature_state": consent.signature_state.value,
            "received_at": consent.received_at,
            "updated_at": consent.updated_at,
            "acknowledged_at": consent.acknowledged_at,
            "terms_hash": consent.terms_hash,
            "data_erase_at": None if consent.artefact is None else consent.artefact.data_erase_at,
            "patient_key": None if consent.artefact is None else account_key(consent.hip_id, consent.artefact.patient),
        }

    def _consent(self, row: RowMapping) -> Consent:
        artefact = None
        if row["sealed_artefact"] is not None:
            content = self._vault.unseal(row["sealed_artefact"], context=_context(row["hip_id"], row["consent_id"]))
            artefact = msgspec.json.decode(content, type=ConsentArtefact)
        return replace(_without_artefact(row), artefact=artefact)


_PLAIN = [
    each
    for each in consents.columns
    if each.name not in ("sealed_artefact", "data_erase_at", "patient_key", "sequence")
]


def _without_artefact(row: RowMapping) -> Consent:
    return Consent(
        hip_id=HipId(row["hip_id"]),
        consent_id=ConsentId(row["consent_id"]),
        status=ConsentStatus(row["status"]),
        artefact=None,
        artefact_hash=row["artefact_hash"],
        signature_state=SignatureState(row["signature_state"]),
        received_at=row["received_at"],
        updated_at=row["updated_at"],
        acknowledged_at=row["acknowledged_at"],
        terms_hash=row["terms_hash"],
    )


def _by_id(hip_id: HipId, consent_id: ConsentId) -> Select[Any]:
    return select(consents).where(consents.c.hip_id == hip_id, consents.c.consent_id == consent_id)


def _context(hip_id: str, consent_id: str) -> str:
    return f"consents/{hip_id}/{consent_id}"
