"""Flow: consent notify → stored before it is acknowledged; an ended consent stops everything (contract §2.9)."""

from dataclasses import dataclass
from datetime import timedelta

from hip.application.consent_ends import cut_copies, end_consent
from hip.application.conversations import Conversations
from hip.application.gateway_calls import ConsentOnNotify, GatewayError
from hip.application.gateway_events import ConsentNotified, Delivery
from hip.application.ports import Alarm, Clock
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.consents import Consent, ConsentStatus, SignatureState
from hip.domain.errors import Transient
from hip.domain.exchanges import Outcome
from hip.domain.identifiers import ConsentId, HipId


@dataclass(frozen=True, slots=True)
class ReceiveConsent:
    units: Units
    conversations: Conversations
    clock: Clock
    waits: Waits
    alarm: Alarm

    async def __call__(self, delivery: Delivery, event: ConsentNotified) -> None:
        """Store what was said, then answer OK; an artefact of another HIP is answered with an error (REL-05).

        An OK that the gateway has not taken 60 seconds after its callback is cause for alarm at each further try, and
        so is one that it took later than that (REL-20).
        """
        hip_id = delivery.hip_id
        error: GatewayError | None = None
        artefact = event.artefact
        if artefact is not None and artefact.hip_id is not None and artefact.hip_id != hip_id:
            error = GatewayError(code="ABDM-1035", message="The consent names another HIP")
        else:
            await self._store(delivery, event)
        if await self._answered(delivery, event.consent_id, error) and error is None:
            await self._acknowledged(delivery, event)

    async def answer_again(self, delivery: Delivery, consent_id: ConsentId) -> None:
        """The OK to a notice that was stored before, and cut since with all copies of an ended consent (RET-01)."""
        await self._answered(delivery, consent_id, None)

    async def _answered(self, delivery: Delivery, consent_id: ConsentId, error: GatewayError | None) -> bool:
        """True when the gateway took it. Raises Transient when it may take it later."""
        answer = ConsentOnNotify(consent_id=consent_id, answers=delivery.request_id, error=error)
        try:
            exchange = await self.conversations.hold(answer, hip_id=delivery.hip_id)
        except Transient:
            self._alarm_if_late(delivery, consent_id)
            raise
        if exchange.outcome is Outcome.REFUSED and error is None:
            self.alarm("on-notify-refused", hip_id=delivery.hip_id, subject=consent_id)
        return exchange.outcome is Outcome.ACCEPTED

    def _alarm_if_late(self, delivery: Delivery, consent_id: ConsentId) -> None:
        took = self.clock() - delivery.received_at
        if took > self.waits.on_notify:
            detail = f"not taken after {took.total_seconds():.0f}s"
            self.alarm("on-notify-late", hip_id=delivery.hip_id, subject=consent_id, detail=detail)

    async def _store(self, delivery: Delivery, event: ConsentNotified) -> None:
        hip_id, now = delivery.hip_id, self.clock()
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
                    terms_hash=event.artefact.fingerprint if event.artefact is not None else None,
                )
            else:
                consent = known.receive(
                    event.status,
                    artefact=event.artefact,
                    artefact_hash=event.artefact_hash,
                    signature_state=signature,
                    now=now,
                )
            if delivery.callback_id is not None:
                await uow.callbacks.about(hip_id, delivery.callback_id, event.consent_id)
            await self._keep(uow, known, consent)
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

    @staticmethod
    async def _keep(uow: UnitOfWork, known: Consent | None, consent: Consent) -> None:
        if not consent.status.ended:
            await uow.consents.save(consent)
        elif known is not None and known.status.ended:
            await cut_copies(uow, known)  # a GRANTED that came, or was replayed, after the end
        else:
            await end_consent(uow, known or consent, consent)

    async def _acknowledged(self, delivery: Delivery, event: ConsentNotified) -> None:
        hip_id, now = delivery.hip_id, self.clock()
        took = now - delivery.received_at
        late = took > self.waits.on_notify
        async with self.units() as uow:
            consent = await uow.consents.lock(hip_id, event.consent_id)
            if consent is None or consent.acknowledged_at is not None:
                return
            await uow.consents.save(consent.acknowledge(now=now))
            for transfer in await uow.transfers.open_of_consent(hip_id, event.consent_id):
                await uow.outbox.hurry(hip_id, Topic.TRANSFER, transfer.transaction_id, run_at=now)
            if late:
                await uow.audit.append(_late(hip_id, event, took, self.clock))
            await uow.commit()
        if late:
            self.alarm("on-notify-late", hip_id=hip_id, subject=event.consent_id, detail=f"{took.total_seconds():.0f}s")


def _late(hip_id: HipId, event: ConsentNotified, took: timedelta, clock: Clock) -> AuditEntry:
    return AuditEntry(
        hip_id=hip_id,
        at=clock(),
        actor="worker",
        action="on-notify-late",
        subject=event.consent_id,
        detail=(("seconds", f"{took.total_seconds():.0f}"),),
    )
