"""Flow: an operator has a conversation with the gateway held again, after what stood in its way was put right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hip.application.linkables import ask_again
from hip.application.ports import Clock
from hip.application.storage import Topic, UnitOfWork, Units
from hip.domain.audit import AuditEntry
from hip.domain.errors import DomainError, NotFound
from hip.domain.exchanges import Exchange, ExchangeId, Flow, Outcome
from hip.domain.identifiers import AbhaAddress, HipId, VisitCode
from hip.domain.links import LinkStatus

_ELSEWHERE = {
    Flow.HEALTH_INFORMATION_NOTIFY: "use `hip transfers retry`: it asks the release gate again",
    Flow.SMS_NOTIFY: "an SMS may have gone out, and one is sent once: a person feels it",
}


@dataclass(frozen=True, slots=True)
class RetryExchange:
    units: Units
    clock: Clock

    async def __call__(self, hip_id: HipId, exchange_id: ExchangeId, *, actor: str) -> Exchange:
        """Queue the work whose conversation it is; every rule of its flow is asked again, the day's cap included.

        Raises NotFound, and DomainError for one that went well, still waits, or is retried by another command.
        """
        now = self.clock()
        async with self.units() as uow:
            exchange = await uow.exchanges.get(hip_id, exchange_id)
            if exchange is None:
                raise NotFound("exchange", exchange_id)
            if exchange.succeeded or exchange.outcome in (Outcome.SENT, Outcome.ACCEPTED):
                raise DomainError(f"the exchange is {exchange.outcome}: only one that failed can be held again")
            work = await _work(uow, exchange, now=now)
            if not work:
                raise DomainError(_ELSEWHERE.get(exchange.flow, "nothing waits for it: use `hip callbacks replay`"))
            for topic, key in work:
                await uow.outbox.add(hip_id, topic, key, run_at=now)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor=actor,
                    action="exchange-retried",
                    subject=exchange_id,
                    detail=(("flow", exchange.flow), ("outcome", exchange.outcome)),
                )
            )
            await uow.commit()
        return exchange


async def _work(uow: UnitOfWork, exchange: Exchange, *, now: datetime) -> Sequence[tuple[Topic, str]]:
    hip_id, key = exchange.hip_id, exchange.business_key
    if exchange.flow is Flow.CONTEXT_NOTIFY:
        return [(Topic.NOTIFY, key)]
    if exchange.flow is Flow.SMS_NOTIFY:
        # Only where the gateway itself said of every call that it did not send one.
        refused = all(attempt.code not in (None, "no-reply") for attempt in exchange.attempts)
        return [(Topic.SMS, key.partition("|")[0])] if refused else []
    if exchange.flow is Flow.GENERATE_TOKEN:
        requests = await uow.link_requests.of_address(hip_id, AbhaAddress(key))
    elif exchange.flow is Flow.LINK_CARE_CONTEXT:
        requests = await uow.link_requests.led_by(hip_id, VisitCode(key))
    else:
        return []
    open_ = [request for request in requests if request.status is not LinkStatus.LINKED]
    for request in open_:
        await ask_again(uow, request, now=now)
    return [(Topic.LINK, request.visit_code) for request in open_]
