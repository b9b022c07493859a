"""Flows: on_carecontext and the on-notifies → what the gateway really did with our calls (contract §2.2–2.4)."""

from dataclasses import dataclass
from datetime import datetime

from hip.application.context_notifies import wait_before_retry
from hip.application.gateway_events import Delivery, LinkAnswered, NotifyAnswered
from hip.application.link_batches import TOKEN_IS_BAD, forget_token, mark_linked, refuse, refused_for_now
from hip.application.ports import Clock, TokenCache
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.errors import NotFound
from hip.domain.exchanges import Exchange, Flow
from hip.domain.identifiers import HipId, RequestId, VisitCode
from hip.domain.links import LinkStatus


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
    waits: Waits

    async def __call__(self, delivery: Delivery, event: LinkAnswered) -> None:
        """Linked only by this word of the gateway, never by the 202; ABDM-1056 counts as linked.

        A refusal that may pass is met by the same call a few times more; what is repeated to us changes nothing.
        """
        now, hip_id = self.clock(), delivery.hip_id
        code = event.error.code if event.error else None
        async with self.units() as uow:
            exchange = await uow.exchanges.lock_by_request_id(hip_id, event.answers)
            batch = await uow.link_requests.led_by(hip_id, VisitCode(exchange.business_key)) if exchange else []
            if code is not None and Flow.LINK_CARE_CONTEXT.already_done(code) and len(batch) <= 1:
                code = None
            heard = exchange is not None and exchange.heard(event.answers)
            exchange = await answered(uow, hip_id, event.answers, code, Flow.LINK_CARE_CONTEXT, now=now)
            if exchange.succeeded:
                for request in batch:
                    if request.status is not LinkStatus.LINKED:
                        await mark_linked(uow, request, request_id=event.answers, now=now)
            elif code is not None and not heard and not await refused_for_now(uow, exchange, self.waits, now=now):
                await refuse(uow, batch, code, request_id=event.answers, now=now)
            await uow.commit()
        if code in TOKEN_IS_BAD and batch:
            await forget_token(self.tokens, hip_id, batch[0].abha_address)


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
