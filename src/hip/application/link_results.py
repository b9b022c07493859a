"""Flows: on_carecontext and the on-notifies → what the gateway really did with our calls (contract §2.2–2.4)."""

from dataclasses import dataclass
from datetime import datetime

from hip.application.context_notifies import wait_before_retry
from hip.application.messages import Delivery, LinkAnswered, NotifyAnswered
from hip.application.ports import Clock, TokenCache
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.errors import NotFound, StorageFailed
from hip.domain.exchanges import Exchange, Flow
from hip.domain.identifiers import CareContextReference, HipId, RequestId, VisitCode
from hip.domain.links import LinkRequest, LinkStatus

TOKEN_IS_BAD = frozenset({"ABDM-1026", "ABDM-1038", "ABDM-1062", "ABDM-1063", "ABDM-1066"})
"""The link token is dropped and asked for again, once (contract §2.2)."""


async def mark_linked(
    uow: UnitOfWork, hip_id: HipId, visit_code: VisitCode, *, request_id: RequestId, now: datetime
) -> None:
    """The gateway confirmed: care context, request and (by a worker) ``PatientCareContexts`` say so."""
    request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
    context = await uow.care_contexts.lock(hip_id, CareContextReference(visit_code))
    if request is None or context is None or request.abha_address is None:
        return
    await uow.care_contexts.save(context.link(request.abha_address, reference=request.reference, now=now))
    await uow.link_requests.save(request.move(LinkStatus.LINKED, now=now, request_id=request_id))
    await uow.outbox.add(hip_id, Topic.PROJECTION, f"contexts|{context.patient_reference}", run_at=now)
    await uow.audit.append(
        AuditEntry(hip_id=hip_id, at=now, actor="gateway", action="care-context-linked", subject=visit_code)
    )


async def answered(
    uow: UnitOfWork, hip_id: HipId, request_id: RequestId, code: str | None, *flows: Flow, now: datetime
) -> Exchange:
    """Note a callback on its exchange. Raises NotFound when it answers no call of ours of these flows."""
    exchange = await uow.exchanges.lock_by_request_id(hip_id, request_id)
    if exchange is None or exchange.flow not in flows:
        raise NotFound("request", request_id, code="ABDM-1030")
    exchange = exchange.answer(request_id, code=code, now=now)
    await uow.exchanges.save(exchange)
    return exchange


@dataclass(frozen=True, slots=True)
class AcceptLinkResult:
    units: Units
    tokens: TokenCache
    clock: Clock

    async def __call__(self, delivery: Delivery, event: LinkAnswered) -> None:
        """Linked only by this word of the gateway, never by the 202; ABDM-1056 counts as linked."""
        now, hip_id = self.clock(), delivery.hip_id
        code = event.error.code if event.error else None
        if code is not None and Flow.LINK_CARE_CONTEXT.already_done(code):
            code = None
        async with self.units() as uow:
            exchange = await answered(uow, hip_id, event.answers, code, Flow.LINK_CARE_CONTEXT, now=now)
            visit_code = VisitCode(exchange.business_key)
            request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
            if exchange.succeeded:
                await mark_linked(uow, hip_id, visit_code, request_id=event.answers, now=now)
            elif request is not None and code is not None:
                await self._refused(uow, request, code, request_id=event.answers, now=now)
            await uow.commit()
        if code in TOKEN_IS_BAD and request is not None and request.abha_address is not None:
            try:
                await self.tokens.drop(hip_id, request.abha_address)
            except StorageFailed:
                return  # a stale cached token is refused by the gateway once more, then dropped

    async def _refused(
        self, uow: UnitOfWork, request: LinkRequest, code: str, *, request_id: RequestId, now: datetime
    ) -> None:
        if code in TOKEN_IS_BAD and request.abha_address is not None:
            await uow.link_tokens.drop(request.hip_id, request.abha_address)
            if not request.token_renewed and request.status is LinkStatus.REQUESTED:
                renewed = request.move(LinkStatus.AWAITING_TOKEN, now=now, token_renewed=True)
                await uow.link_requests.save(renewed)
                await uow.outbox.add(request.hip_id, Topic.LINK, request.visit_code, run_at=now)
                return
        if request.status is not LinkStatus.LINKED:
            await uow.link_requests.save(request.move(LinkStatus.REFUSED, now=now, request_id=request_id, code=code))


@dataclass(frozen=True, slots=True)
class AcceptNotify:
    """The gateway's word on an SMS deep link or a context notify."""

    units: Units
    clock: Clock
    waits: Waits

    async def __call__(self, delivery: Delivery, event: NotifyAnswered) -> None:
        now, hip_id = self.clock(), delivery.hip_id
        code = event.error.code if event.error else None
        async with self.units() as uow:
            before = await uow.exchanges.lock_by_request_id(hip_id, event.answers)
            exchange = await answered(uow, hip_id, event.answers, code, Flow.SMS_NOTIFY, Flow.CONTEXT_NOTIFY, now=now)
            if exchange.flow is Flow.SMS_NOTIFY:
                visit_code = VisitCode(exchange.business_key.partition("|")[0])
                request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
                if request is not None and request.status in (LinkStatus.SMS_REQUESTED, LinkStatus.UNANSWERED):
                    status = LinkStatus.REFUSED if code else LinkStatus.SMS_SENT
                    await uow.link_requests.save(request.move(status, now=now, request_id=event.answers, code=code))
            elif before is not None and not before.heard(event.answers):
                wait = wait_before_retry(exchange, self.waits)
                if wait is not None:
                    await uow.outbox.add(hip_id, Topic.NOTIFY, exchange.business_key, run_at=now + wait)
            await uow.commit()
