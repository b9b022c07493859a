"""Flow: the patient types our OTP → care contexts are linked, or nothing is (contract §2.7, OTP-01).

The number of tries is counted before the answer leaves, so that no crash gives one back.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GatewayError, LinkedContext, OnConfirm, PatientEntry
from hip.application.gateway_events import Delivery, LinkConfirmAsked
from hip.application.ports import Clock
from hip.application.storage import Topic, UnitOfWork, Units
from hip.domain.audit import AuditEntry
from hip.domain.exchanges import Outcome
from hip.domain.hi_types import HiType
from hip.domain.identifiers import LinkReference
from hip.domain.link_attempts import UNKNOWN_REFERENCE, AttemptState, LinkAttempt
from hip.domain.links import CareContext, LinkRequest, LinkStatus

MESSAGES = {
    "ABDM-1035": "Invalid OTP",
    "ABDM-1056": "Invalid link reference number",
    "ABDM-1057": "Invalid care contexts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What on-confirm says, and the attempt behind it when there is one."""

    attempt: LinkAttempt | None
    code: str | None
    entries: tuple[PatientEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerLinkConfirm:
    units: Units
    conversations: Conversations
    clock: Clock

    async def __call__(self, delivery: Delivery, event: LinkConfirmAsked) -> None:
        """Judge the OTP, answer, and link once the gateway has taken the answer."""
        hip_id = delivery.hip_id
        judged = await self._judge(delivery, event)
        error = None
        if judged.code is not None:
            error = GatewayError(code=judged.code, message=MESSAGES[judged.code])
        exchange = await self.conversations.hold(
            OnConfirm(reference=event.reference, answers=delivery.request_id, entries=judged.entries, error=error),
            hip_id=hip_id,
        )
        if judged.attempt is None or judged.code is not None:
            return
        async with self.units() as uow:
            attempt = await uow.link_attempts.lock(hip_id, event.reference)
            if attempt is None or attempt.state is not AttemptState.CONFIRMED:
                return
            if exchange.succeeded:
                await self._link(uow, attempt, delivery)
            elif exchange.outcome is Outcome.REFUSED:
                code = exchange.attempts[-1].code or "ABDM-9999"
                await uow.link_attempts.save(attempt.fail(code, now=self.clock()))
            await uow.commit()

    async def _judge(self, delivery: Delivery, event: LinkConfirmAsked) -> _Judged:
        hip_id, now = delivery.hip_id, self.clock()
        async with self.units() as uow:
            attempt = await uow.link_attempts.lock(hip_id, event.reference)
            if attempt is None:
                return _Judged(attempt=None, code=UNKNOWN_REFERENCE)
            # The moment it reached us counts: a queue of ours must not eat up the patient's minutes.
            judged, verdict = attempt.confirm(
                event.otp, request_id=delivery.request_id, at=delivery.received_at, now=now
            )
            entries: tuple[PatientEntry, ...] = ()
            code = verdict.code
            if code is None:
                entries = await self._entries(uow, judged)
                code = None if entries else "ABDM-1057"
                if code is not None and judged.state is AttemptState.CONFIRMED:
                    judged = judged.fail(code, now=now)
            if judged is not attempt:
                await uow.link_attempts.save(judged)
                await uow.audit.append(
                    AuditEntry(
                        hip_id=hip_id,
                        at=now,
                        actor="patient",
                        action="link-otp-refused" if code else "link-otp-accepted",
                        subject=attempt.reference,
                        detail=(("tries", str(judged.tries)), ("state", judged.state)),
                    )
                )
                await uow.commit()
        return _Judged(attempt=judged, code=code, entries=entries)

    async def _entries(self, uow: UnitOfWork, attempt: LinkAttempt) -> tuple[PatientEntry, ...]:
        """One entry for each HI type with what was chosen of it; none at all when a context can no longer be linked."""
        patient = await uow.patients.get(attempt.hip_id, attempt.patient_reference)
        contexts: dict[str, CareContext] = {}
        for reference in {one.reference for one in attempt.chosen}:
            context = await uow.care_contexts.get(attempt.hip_id, reference)
            if context is None or context.linked_to not in (None, attempt.abha_address):
                return ()
            contexts[reference] = context
        if patient is None:
            return ()
        by_type: dict[HiType, list[LinkedContext]] = {}
        for one in attempt.chosen:
            shown = LinkedContext(reference=one.reference, display=contexts[one.reference].display)
            by_type.setdefault(one.hi_type, []).append(shown)
        return tuple(
            PatientEntry(
                patient_reference=patient.reference,
                display=patient.display,
                hi_type=hi_type,
                care_contexts=tuple(shown),
            )
            for hi_type, shown in by_type.items()
        )

    async def _link(self, uow: UnitOfWork, attempt: LinkAttempt, delivery: Delivery) -> None:
        hip_id, now = attempt.hip_id, self.clock()
        for number, reference in enumerate(dict.fromkeys(one.reference for one in attempt.chosen)):
            context = await uow.care_contexts.lock(hip_id, reference)
            if context is None or context.linked_to not in (None, attempt.abha_address):
                continue
            request = await self._request(uow, attempt, delivery, context, number=number, now=now)
            await uow.care_contexts.save(context.link(attempt.abha_address, reference=request.reference, now=now))
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="patient",
                    action="care-context-linked",
                    subject=context.visit_code,
                    detail=(("transaction", attempt.transaction_id),),
                )
            )
        patient = await uow.patients.get(hip_id, attempt.patient_reference)
        if patient is not None and patient.abha_address is None:
            await uow.patients.save(replace(patient.reopening(), abha_address=attempt.abha_address), hip_id=hip_id)
        await uow.link_attempts.save(attempt.link(now=now))
        await uow.outbox.add(hip_id, Topic.PROJECTION, f"contexts|{attempt.patient_reference}", run_at=now)

    async def _request(
        self,
        uow: UnitOfWork,
        attempt: LinkAttempt,
        delivery: Delivery,
        context: CareContext,
        *,
        number: int,
        now: datetime,
    ) -> LinkRequest:
        """The visit's row in ``initiated_link_request``: the one the desk has seen so far, or a new one."""
        known = await uow.link_requests.lock_by_visit(attempt.hip_id, context.visit_code)
        if known is None:
            known = LinkRequest(
                hip_id=attempt.hip_id,
                reference=LinkReference(f"{attempt.reference}.{number}") if number else attempt.reference,
                visit_code=context.visit_code,
                patient_reference=attempt.patient_reference,
                abha_address=attempt.abha_address,
                status=LinkStatus.READY,
                created_at=now,
                updated_at=now,
            )
        linked = replace(
            known.move(LinkStatus.LINKED, now=now, request_id=delivery.request_id),
            abha_address=attempt.abha_address,
            transaction_id=attempt.transaction_id,
        )
        await uow.link_requests.save(linked)
        return linked
