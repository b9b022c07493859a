"""Flow: the patient's app searches → one patient's unlinked care contexts, or an error (contract §2.5, DISC-01)."""

from dataclasses import dataclass

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GatewayError, LinkedContext, OnDiscover, PatientEntry
from hip.application.gateway_events import Delivery, DiscoveryAsked
from hip.application.ports import Clock, NameLikeness
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.discovery import (
    DiscoveryMatch,
    DiscoveryQuery,
    DiscoveryRequest,
    PatientIdentifiers,
    PatientNotFound,
    SeveralPatients,
    match_patient,
)
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId
from hip.domain.link_attempts import OfferedContext
from hip.domain.links import MAX_CONTEXTS_PER_ENTRY

CANDIDATES = 50
"""Of more people than this behind one mobile number, alike in gender and age, none is told from the others by name."""


@dataclass(frozen=True, slots=True)
class AnswerDiscovery:
    units: Units
    conversations: Conversations
    likeness: NameLikeness
    clock: Clock

    async def __call__(self, delivery: Delivery, event: DiscoveryAsked) -> None:
        """Always answers: entries for one patient, or an error that tells no more than it must."""
        query, hip_id = event.query, delivery.hip_id
        entries: tuple[PatientEntry, ...] = ()
        match: DiscoveryMatch | None = None
        error: GatewayError | None = None
        try:
            match, entries = await self._find(hip_id, query)
        except SeveralPatients as refusal:
            error = GatewayError(code=refusal.code, message="Multiple patients found")
        except PatientNotFound as refusal:
            error = GatewayError(code=refusal.code, message="Patient not found")
        if match is not None and not entries:
            error = GatewayError(code=PatientNotFound.code, message="No new care contexts available for linking")
        await self._write_down(hip_id, query, match, entries)
        await self.conversations.hold(
            OnDiscover(
                transaction_id=query.transaction_id,
                answers=delivery.request_id,
                entries=entries,
                matched_by=match.matched_by if match and not error else (),
                error=error,
            ),
            hip_id=hip_id,
        )

    async def _find(self, hip_id: HipId, query: DiscoveryQuery) -> tuple[DiscoveryMatch, tuple[PatientEntry, ...]]:
        verified = query.verified
        wanted = PatientIdentifiers(
            abha_addresses=verified.abha_addresses | {query.abha_address},
            abha_numbers=verified.abha_numbers,
            mobiles=verified.mobiles,
        )
        async with self.units() as uow:
            candidates = await uow.patients.candidates(
                hip_id, wanted, limit=CANDIDATES + 1, behind_mobile=query.demographics
            )
            match = match_patient(
                query,
                candidates[:CANDIDATES],
                likeness=self.likeness,
                complete=len(candidates) <= CANDIDATES,
            )
            contexts = await uow.care_contexts.unlinked(
                hip_id, match.patient.reference, per_hi_type=MAX_CONTEXTS_PER_ENTRY
            )
        entries: list[PatientEntry] = []
        for hi_type in HiType:
            of_type = [c for c in contexts if hi_type in c.hi_types][:MAX_CONTEXTS_PER_ENTRY]
            if of_type:
                entries.append(
                    PatientEntry(
                        patient_reference=match.patient.reference,
                        display=match.patient.display,
                        hi_type=hi_type,
                        care_contexts=tuple(LinkedContext(reference=c.reference, display=c.display) for c in of_type),
                    )
                )
        return match, tuple(entries)

    async def _write_down(
        self, hip_id: HipId, query: DiscoveryQuery, match: DiscoveryMatch | None, entries: tuple[PatientEntry, ...]
    ) -> None:
        now = self.clock()
        async with self.units() as uow:
            new = await uow.discoveries.add(
                DiscoveryRequest(
                    hip_id=hip_id,
                    transaction_id=query.transaction_id,
                    abha_address=query.abha_address,
                    patient_reference=match.patient.reference if match else None,
                    received_at=now,
                    offered=tuple(
                        OfferedContext(reference=context.reference, hi_type=entry.hi_type)
                        for entry in entries
                        for context in entry.care_contexts
                    ),
                )
            )
            if new:
                await uow.audit.append(
                    AuditEntry(
                        hip_id=hip_id,
                        at=now,
                        actor="gateway",
                        action="discovery",
                        subject=query.transaction_id,
                        detail=(("matched", str(match is not None).lower()), ("entries", str(len(entries)))),
                    )
                )
                await uow.commit()
