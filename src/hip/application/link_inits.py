"""Flow: the patient picks care contexts in an app → an OTP goes to the number in our own file (contract §2.6, OTP-01).

It is sent at most once for each init: a person feels it.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GatewayError, OnInit, OtpChallenge
from hip.application.gateway_events import Delivery, LinkInitAsked
from hip.application.ports import Clock, Entropy, Facilities, Ids, OtpMessage, OtpSender
from hip.application.storage import UnitOfWork, Units
from hip.domain import otp
from hip.domain.audit import AuditEntry
from hip.domain.discovery import DiscoveryRequest
from hip.domain.errors import OtpNotSent, Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import HipId, LinkReference
from hip.domain.link_attempts import (
    ALREADY_LINKED,
    NOT_SENT,
    TOO_MANY,
    AttemptState,
    AuthenticationType,
    LinkAttempt,
    LinkingRefused,
    OfferedContext,
    choose,
)
from hip.domain.patients import Patient

DISCOVERY_LIFE = timedelta(minutes=30)
"""How long after a discovery its contexts may be chosen (contract §5.3)."""

OTP_WINDOW, OTP_DAY = timedelta(hours=1), timedelta(hours=24)
"""The spans in which a number gets a limited count of OTPs.

Whoever guesses has five tries for each OTP, whatever ABHA address they come with: so ten OTPs in a day are fifty tries
at a million.
"""

_WAIT_FOR_SENDING = timedelta(seconds=1)
"""A repeat of an init waits so long while the first one is handing its OTP over."""

MESSAGES = {
    "ABDM-1004": "The OTP could not be sent",
    "ABDM-1017": "Invalid transaction id",
    "ABDM-1022": "Too many requests",
    "ABDM-1035": "Invalid OTP",
    "ABDM-1056": "Care contexts are already linked",
    "ABDM-1057": "Invalid care contexts",
    "ABDM-1060": "Invalid patient reference",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkingRules:
    """What an operator may set."""

    authentication: AuthenticationType = AuthenticationType.DIRECT
    otps_per_hour: int = 5
    otps_per_day: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """An attempt and, when one is to be sent now, its OTP."""

    attempt: LinkAttempt
    message: OtpMessage | None = None


@dataclass(frozen=True, slots=True)
class AnswerLinkInit:
    units: Units
    conversations: Conversations
    otp_sender: OtpSender
    facilities: Facilities
    clock: Clock
    ids: Ids
    entropy: Entropy
    rules: LinkingRules

    async def __call__(self, delivery: Delivery, event: LinkInitAsked) -> None:
        """Check, send an OTP to the number in our own file, answer. Raises Transient while a repeat has to wait."""
        answer = OnInit(transaction_id=event.transaction_id, answers=delivery.request_id)
        if await self._answered(delivery.hip_id, answer):
            return
        try:
            prepared = await self._prepare(delivery, event)
            attempt = await self._sent(prepared)
        except LinkingRefused as refusal:
            await self._note(delivery.hip_id, event, refusal.code)
            message = MESSAGES.get(refusal.code, "Linking is not possible")
            answer = replace(answer, error=GatewayError(code=refusal.code, message=message))
        else:
            challenge = OtpChallenge(
                reference=attempt.reference,
                authentication=self.rules.authentication,
                hint=attempt.hint,
                expires_at=attempt.expires_at,
            )
            answer = replace(answer, challenge=challenge)
        await self.conversations.hold(answer, hip_id=delivery.hip_id)

    async def _answered(self, hip_id: HipId, answer: OnInit) -> bool:
        """A replay of an init that was answered must make no telephone ring."""
        async with self.units() as uow:
            exchange = await uow.exchanges.lock_latest(hip_id, Flow.ON_INIT, answer.business_key)
        return exchange is not None and exchange.succeeded

    async def _prepare(self, delivery: Delivery, event: LinkInitAsked) -> _Prepared:
        hip_id, now = delivery.hip_id, self.clock()
        async with self.units() as uow:
            # The lock lets one of two inits of a discovery make the OTP, and the other find it.
            discovery = await uow.discoveries.lock(hip_id, event.transaction_id)
            patient = await self._found(uow, delivery, event, discovery)
            if discovery is None or patient is None:
                raise LinkingRefused("not a discovery of this patient's", code="ABDM-1017")
            chosen = choose(event.chosen, offered=discovery.offered, patient=patient.reference)
            known = await uow.link_attempts.lock_latest(hip_id, event.transaction_id)
            if known is not None and known.request_id == delivery.request_id:
                if known.state is AttemptState.OFFERED:
                    # Whether its OTP left is hidden by a crash: it is not sent again, the patient may ask anew.
                    known = known.fail(NOT_SENT, now=now)
                    await uow.link_attempts.save(known)
                    await uow.commit()
                return _Prepared(attempt=known)
            if known is not None and known.chosen == chosen and now < known.expires_at:
                if known.state is AttemptState.OFFERED:
                    raise Transient("the OTP is on its way", retry_after=_WAIT_FOR_SENDING)
                if known.awaits_otp(now=now):
                    return _Prepared(attempt=known)
            await self._require_unlinked(uow, hip_id, chosen)
            if patient.phone is None:
                raise LinkingRefused("no number is known", code=NOT_SENT)
            number_key = otp.number_key(patient.phone, hip_id=hip_id)
            limits = ((OTP_WINDOW, self.rules.otps_per_hour), (OTP_DAY, self.rules.otps_per_day))
            for span, most in limits:
                if await uow.link_attempts.otps_since(hip_id, number_key, now - span) >= most:
                    raise LinkingRefused("too many OTPs for one number", code=TOO_MANY)
            digits = otp.new_otp(self.entropy(otp.ENTROPY))
            attempt = LinkAttempt(
                hip_id=hip_id,
                reference=LinkReference(self.ids()),
                transaction_id=event.transaction_id,
                request_id=delivery.request_id,
                abha_address=event.abha_address,
                patient_reference=patient.reference,
                chosen=chosen,
                number_key=number_key,
                hint=otp.hint(patient.phone),
                otp=otp.HashedOtp.of(digits, salt=self.entropy(otp.SALT)),
                state=AttemptState.OFFERED,
                created_at=now,
                updated_at=now,
                expires_at=now + otp.LIFE,
            )
            await uow.link_attempts.save(attempt)
            await uow.commit()
        return _Prepared(attempt=attempt, message=self._message(hip_id, patient.phone, digits))

    async def _found(
        self, uow: UnitOfWork, delivery: Delivery, event: LinkInitAsked, discovery: DiscoveryRequest | None
    ) -> Patient | None:
        """The patient whom this discovery found for this ABHA address, not too long ago."""
        if (
            discovery is None
            or discovery.patient_reference is None
            or discovery.abha_address != event.abha_address
            or delivery.received_at >= discovery.received_at + DISCOVERY_LIFE
        ):
            return None
        return await uow.patients.get(delivery.hip_id, discovery.patient_reference)

    async def _require_unlinked(self, uow: UnitOfWork, hip_id: HipId, chosen: tuple[OfferedContext, ...]) -> None:
        for reference in {one.reference for one in chosen}:
            context = await uow.care_contexts.get(hip_id, reference)
            if context is None:
                raise LinkingRefused("a care context that is gone", code="ABDM-1057")
            if context.linked:
                raise LinkingRefused("a care context that is linked", code=ALREADY_LINKED)

    def _message(self, hip_id: HipId, phone: str, digits: str) -> OtpMessage:
        facility = self.facilities.find(hip_id)
        name = facility.name_in_messages if facility is not None else hip_id
        minutes = int(otp.LIFE.total_seconds() // 60)
        text = f"{digits} is your OTP to link your health records at {name}. It is valid for {minutes} minutes."
        if facility is not None and facility.sms_contact is not None:
            text += f" Not you? Call {facility.sms_contact}."
        return OtpMessage(hip_id=hip_id, facility_name=name, phone=phone, otp=digits, text=text)

    async def _sent(self, prepared: _Prepared) -> LinkAttempt:
        attempt = prepared.attempt
        if prepared.message is not None:
            attempt = await self._send(attempt, prepared.message)
        if attempt.state is AttemptState.FAILED:
            raise LinkingRefused("the OTP is dead", code=attempt.code)
        return attempt

    async def _send(self, attempt: LinkAttempt, message: OtpMessage) -> LinkAttempt:
        hip_id, taken = attempt.hip_id, True
        try:
            await self.otp_sender.send(message)
        except (OtpNotSent, Transient):
            taken = False
        now = self.clock()
        async with self.units() as uow:
            current = await uow.link_attempts.lock(hip_id, attempt.reference) or attempt
            if current.state is AttemptState.OFFERED:
                current = current.sent(now=now) if taken else current.fail(NOT_SENT, now=now)
                await uow.link_attempts.save(current)
                await uow.audit.append(
                    AuditEntry(
                        hip_id=hip_id,
                        at=now,
                        actor="worker",
                        action="link-otp-sent" if taken else "link-otp-not-sent",
                        subject=current.reference,
                        detail=(("transaction", current.transaction_id),),
                    )
                )
                await uow.commit()
        return current

    async def _note(self, hip_id: HipId, event: LinkInitAsked, code: str) -> None:
        async with self.units() as uow:
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=self.clock(),
                    actor="gateway",
                    action="link-init-refused",
                    subject=event.transaction_id,
                    detail=(("code", code),),
                )
            )
            await uow.commit()
