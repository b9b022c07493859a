"""Flow: the patient's app searches → one patient's unlinked care contexts, or an error (contract §2.5, DISC-01)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GatewayError, LinkedContext, OnDiscover, PatientEntry
from hip.application.gateway_events import Delivery, DiscoveryAsked
from hip.application.ports import Clock, Facilities, NameLikeness
from hip.application.storage import UnitOfWork, Units
from hip.domain.audit import AuditEntry
from hip.domain.discovery import (
    DiscoveryMatch,
    DiscoveryQuery,
    DiscoveryRequest,
    PatientIdentifiers,
    PatientNotFound,
    SeveralPatients,
    TooManyDiscoveries,
    match_patient,
)
from hip.domain.errors import DomainError
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId
from hip.domain.link_attempts import OfferedContext
from hip.domain.links import MAX_CONTEXTS_PER_ENTRY, CareContext

CANDIDATES = 50
"""Of more people than this behind one mobile number, alike in gender and age, none is told from the others by name."""

DISCOVERY_WINDOW = timedelta(hours=1)
"""The span in which an ABHA address gets a limited count of discoveries at one facility (DISC-02)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryRules:
    """What an operator may set; ``per_hour`` counts the searches of one ABHA address at one facility.

    A facility may have its own.
    """

    per_hour: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The one patient that fits, and the newest unlinked care contexts of each HI type; there may be none."""

    match: DiscoveryMatch
    entries: tuple[PatientEntry, ...]


@dataclass(frozen=True, slots=True)
class SearchContexts:
    """The search itself: one unit of work, in which it is counted, answered and written down."""

    units: Units
    facilities: Facilities
    likeness: NameLikeness
    clock: Clock
    rules: DiscoveryRules

    async def __call__(self, hip_id: HipId, query: DiscoveryQuery) -> Found:
        """Raises PatientNotFound, SeveralPatients, and TooManyDiscoveries for a search beyond the hour's share.

        A refused search counts for nothing, or whoever goes on asking would never be answered again. Every search is in
        the audit, refused or not (DISC-02). The same transaction again is the same search.
        """
        now, facility = self.clock(), self.facilities.find(hip_id)
        per_hour = (facility.discovery_per_hour if facility else None) or self.rules.per_hour
        refusal: PatientNotFound | SeveralPatients | None = None
        found: Found | None = None
        async with self.units() as uow:
            asked = await uow.discoveries.asked_since(
                hip_id, query.abha_address, now - DISCOVERY_WINDOW, beside=query.transaction_id
            )
            if asked >= per_hour:
                await uow.audit.append(
                    _entry(hip_id, query, now, "discovery-refused", ("code", TooManyDiscoveries.code))
                )
                await uow.commit()
                raise TooManyDiscoveries("too many discoveries of one ABHA address")
            try:
                found = await self._find(uow, hip_id, query)
            except (PatientNotFound, SeveralPatients) as nobody:
                refusal = nobody
            await self._write_down(uow, hip_id, query, found, now)
        if found is None:
            raise refusal or PatientNotFound("no patient matches")
        return found

    async def _find(self, uow: UnitOfWork, hip_id: HipId, query: DiscoveryQuery) -> Found:
        facility = self.facilities.find(hip_id)
        if facility is None or not facility.discovery:
            raise PatientNotFound("no patient is found by an app at this facility")
        verified = query.verified
        wanted = PatientIdentifiers(
            abha_addresses=verified.abha_addresses | {query.abha_address},
            abha_numbers=verified.abha_numbers,
            mobiles=verified.mobiles,
        )
        candidates = await uow.patients.candidates(
            hip_id, wanted, limit=CANDIDATES + 1, behind_mobile=query.demographics
        )
        match = match_patient(
            query, candidates[:CANDIDATES], likeness=self.likeness, complete=len(candidates) <= CANDIDATES
        )
        contexts = await uow.care_contexts.unlinked(hip_id, match.patient.reference, per_hi_type=MAX_CONTEXTS_PER_ENTRY)
        return Found(match=match, entries=_entries(match, contexts))

    async def _write_down(
        self, uow: UnitOfWork, hip_id: HipId, query: DiscoveryQuery, found: Found | None, now: datetime
    ) -> None:
        entries = found.entries if found else ()
        new = await uow.discoveries.add(
            DiscoveryRequest(
                hip_id=hip_id,
                transaction_id=query.transaction_id,
                abha_address=query.abha_address,
                patient_reference=found.match.patient.reference if found else None,
                received_at=now,
                offered=tuple(
                    OfferedContext(reference=context.reference, hi_type=entry.hi_type)
                    for entry in entries
                    for context in entry.care_contexts
                ),
            )
        )
        if new:
            matched = str(found is not None).lower()
            await uow.audit.append(
                _entry(hip_id, query, now, "discovery", ("matched", matched), ("entries", str(len(entries))))
            )
            await uow.commit()


@dataclass(frozen=True, slots=True)
class AnswerDiscovery:
    search: SearchContexts
    conversations: Conversations

    async def __call__(self, delivery: Delivery, event: DiscoveryAsked) -> None:
        """Always answers: entries for one patient, or an error that tells no more than it must."""
        query, hip_id = event.query, delivery.hip_id
        answer = OnDiscover(transaction_id=query.transaction_id, answers=delivery.request_id)
        try:
            found = await self.search(hip_id, query)
        except (PatientNotFound, SeveralPatients, TooManyDiscoveries) as refusal:
            answer = replace(answer, error=GatewayError(code=refusal.code, message=_MESSAGES[type(refusal)]))
        else:
            if found.entries:
                answer = replace(answer, entries=found.entries, matched_by=found.match.matched_by)
            else:
                nothing = GatewayError(code=PatientNotFound.code, message="No new care contexts available for linking")
                answer = replace(answer, error=nothing)
        await self.conversations.hold(answer, hip_id=hip_id)


_MESSAGES: dict[type[DomainError], str] = {
    PatientNotFound: "Patient not found",
    SeveralPatients: "Multiple patients found",
    TooManyDiscoveries: "Too many requests",
}


def _entries(match: DiscoveryMatch, contexts: Sequence[CareContext]) -> tuple[PatientEntry, ...]:
    """One for each HI type that there is anything of."""
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
    return tuple(entries)


def _entry(hip_id: HipId, query: DiscoveryQuery, now: datetime, action: str, *detail: tuple[str, str]) -> AuditEntry:
    return AuditEntry(
        hip_id=hip_id, at=now, actor="gateway", action=action, subject=query.transaction_id, detail=detail
    )
