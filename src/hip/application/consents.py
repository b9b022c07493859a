"""Flow: consent notify → stored before it is acknowledged; an ended consent stops everything (contract §2.9)."""

from dataclasses import dataclass

from hip.application.conversations import Conversations
from hip.application.messages import ConsentNotified, ConsentOnNotify, Delivery, GatewayError
from hip.application.ports import Clock
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.consents import Consent, ConsentStatus, SignatureState
from hip.domain.exchanges import Outcome
from hip.domain.identifiers import HipId


@dataclass(frozen=True, slots=True)
class ReceiveConsent:
    units: Units
    conversations: Conversations
    clock: Clock

    async def __call__(self, delivery: Delivery, event: ConsentNotified) -> None:
        """Store what was said, then answer OK; an artefact of another HIP is answered with an error (REL-05)."""
        hip_id = delivery.hip_id
        error: GatewayError | None = None
        artefact = event.artefact
        if artefact is not None and artefact.hip_id is not None and artefact.hip_id != hip_id:
            error = GatewayError(code="ABDM-1035", message="The consent names another HIP")
        else:
            await self._store(hip_id, event)
        exchange = await self.conversations.hold(
            ConsentOnNotify(consent_id=event.consent_id, answers=delivery.request_id, error=error), hip_id=hip_id
        )
        if error is None and exchange.outcome is Outcome.ACCEPTED:
            await self._acknowledged(hip_id, event)

    async def _store(self, hip_id: HipId, event: ConsentNotified) -> None:
        now = self.clock()
        signature = SignatureState.UNVERIFIED if event.signed else SignatureState.ABSENT
        async with self.units() as uow:
            known = await uow.consents.lock(hip_id, event.consent_id)
            if known is None:
                consent = Consent(
                    hip_id=hip_id,
                    consent_id=event.consent_id,
                    status=event.status,
                    artefact=event.artefact if event.status is ConsentStatus.GRANTED else None,
                    artefact_hash=event.artefact_hash,
                    signature_state=signature,
                    received_at=now,
                    updated_at=now,
                )
            else:
                consent = known.receive(
                    event.status,
                    artefact=event.artefact,
                    artefact_hash=event.artefact_hash,
                    signature_state=signature,
                    now=now,
                )
            await uow.consents.save(consent)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="gateway",
                    action="consent-notified",
                    subject=event.consent_id,
                    detail=(("notified", event.status), ("stored", consent.status)),
                )
            )
            await uow.commit()

    async def _acknowledged(self, hip_id: HipId, event: ConsentNotified) -> None:
        async with self.units() as uow:
            consent = await uow.consents.lock(hip_id, event.consent_id)
            if consent is not None and consent.acknowledged_at is None:
                await uow.consents.save(consent.acknowledge(now=self.clock()))
                await uow.commit()
