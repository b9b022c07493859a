"""Flow: a patient closes an ABHA account → address, links and consents go, records stay (contract §2.14, RET-02)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from hip.application.consent_ends import end_consent
from hip.application.conversations import Conversations
from hip.application.gateway_calls import OnDeactivate
from hip.application.gateway_events import AccountChanged, Delivery
from hip.application.ports import Clock, TokenCache
from hip.application.storage import Topic, UnitOfWork, Units
from hip.domain.accounts import account_key, alias
from hip.domain.audit import AuditEntry
from hip.domain.consents import ConsentStatus
from hip.domain.discovery import PatientIdentifiers
from hip.domain.errors import StorageFailed
from hip.domain.exchanges import Flow
from hip.domain.identifiers import AbhaAddress, HipId, PatientReference
from hip.domain.patients import Patient

_MOST_PATIENTS = 1_000
"""Records of one person under several numbers; more of them is a mistake in the hospital's own file."""


@dataclass(frozen=True, slots=True)
class ChangeAccount:
    """Transfers under way are stopped by the gate: a consent that has ended permits nothing (REL-02, REL-21)."""

    units: Units
    tokens: TokenCache
    clock: Clock
    conversations: Conversations | None = None
    """Where a closed account is acknowledged; None: nowhere, for nobody has published how (contract §2.14)."""

    async def __call__(self, delivery: Delivery, event: AccountChanged) -> None:
        """Repeats change nothing, and are acknowledged once."""
        hip_id, address, now = delivery.hip_id, event.abha_address, self.clock()
        async with self.units() as uow:
            counts = await (self._purge if event.status.closed else self._reopen)(uow, hip_id, address, now)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="gateway",
                    action="abha-account-changed",
                    subject=delivery.request_id,
                    detail=(("status", event.status), *((name, str(count)) for name, count in counts)),
                )
            )
            await uow.commit()
        if event.status.closed:
            with suppress(StorageFailed):  # a stale token is good for nothing: no patient has this address any more
                await self.tokens.drop(hip_id, address)
            if self.conversations is not None:
                await self.conversations.hold(OnDeactivate(answers=delivery.request_id), hip_id=hip_id)

    async def _purge(
        self, uow: UnitOfWork, hip_id: HipId, address: AbhaAddress, now: datetime
    ) -> Sequence[tuple[str, int]]:
        key = account_key(hip_id, address)
        patients = await self._patients(uow, hip_id, address)
        for patient in patients:
            await uow.patients.save(patient.closing(key), hip_id=hip_id)
        contexts = await uow.care_contexts.linked_to(hip_id, address)
        for context in contexts:
            await uow.care_contexts.save(context.forget_link())
        requests = await uow.link_requests.of_address(hip_id, address)
        for request in requests:
            await uow.link_requests.save(request.forget_account(now=now))
        # The account may be opened again: what was said of its visits then must not answer for them.
        for visit_code in sorted(
            {request.visit_code for request in requests} | {context.visit_code for context in contexts}
        ):
            past = f"{alias(key)}|{visit_code}"
            await uow.exchanges.forget(hip_id, Flow.LINK_CARE_CONTEXT, visit_code, alias=past)
        consents = await uow.consents.of_patient(hip_id, address)
        for consent in consents:
            ended = consent.receive(
                ConsentStatus.REVOKED,
                artefact=None,
                artefact_hash=None,
                signature_state=consent.signature_state,
                now=now,
            )
            await end_consent(uow, consent, ended)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="gateway",
                    action="consent-revoked",
                    subject=consent.consent_id,
                    detail=(("stored", ended.status),),
                )
            )
        await uow.link_attempts.forget(hip_id, address, alias=alias(key))
        await uow.shares.forget(hip_id, address, alias=alias(key))
        await uow.discoveries.forget(hip_id, address, alias=alias(key))
        await uow.exchanges.forget(hip_id, Flow.GENERATE_TOKEN, str(address), alias=str(alias(key)))
        answers = await uow.link_tokens.forget(hip_id, address, alias=alias(key))
        stale = [f"token|{request_id}" for request_id in answers]
        stale += [f"contexts|{reference}" for reference in _touched(patients, [c.patient_reference for c in contexts])]
        for document in stale:
            await uow.outbox.add(hip_id, Topic.PROJECTION, document, run_at=now)
        return ("patients", len(patients)), ("links", len(contexts)), ("consents", len(consents))

    async def _reopen(
        self, uow: UnitOfWork, hip_id: HipId, address: AbhaAddress, _now: datetime
    ) -> Sequence[tuple[str, int]]:
        patients = await uow.patients.of_closed_account(hip_id, account_key(hip_id, address))
        for patient in patients:
            await uow.patients.save(patient.reopening(), hip_id=hip_id)
        return (("patients", len(patients)),)

    async def _patients(self, uow: UnitOfWork, hip_id: HipId, address: AbhaAddress) -> Sequence[Patient]:
        wanted = PatientIdentifiers(abha_addresses=frozenset({address}))
        return await uow.patients.candidates(hip_id, wanted, limit=_MOST_PATIENTS)


def _touched(patients: Sequence[Patient], others: Sequence[PatientReference]) -> list[PatientReference]:
    return list(dict.fromkeys([*(patient.reference for patient in patients), *others]))
