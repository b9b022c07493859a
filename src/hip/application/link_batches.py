"""One link call for every visit of a patient that waits, and what became of it (contract §2.2).

The first visit *leads*: the conversation is about it, and ``led_by`` of the others names it from before the call is
made, so that a crash, a repeat or a second process finds the same batch again. A batch that is refused as a whole is
taken apart, for one bad visit must not keep the others from being linked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hip.application.conversations import Conversations
from hip.application.gateway_calls import LinkCareContexts, LinkedContext, PatientEntry
from hip.application.linkables import Linkable, failed_status
from hip.application.passing_refusals import PASSING, wait_before_repeat
from hip.application.ports import Clock, TokenCache
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.errors import StorageFailed
from hip.domain.exchanges import Exchange, Outcome
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, HipId, RequestId, VisitCode
from hip.domain.links import MAX_CONTEXTS_PER_ENTRY, CareContext, LinkRequest, LinkStatus, LinkToken

TOKEN_IS_BAD = frozenset({"ABDM-1026", "ABDM-1038", "ABDM-1062", "ABDM-1063", "ABDM-1066"})
"""The link token is dropped and asked for again, once (contract §2.2)."""

_JOINS = frozenset({LinkStatus.READY, LinkStatus.AWAITING_TOKEN})


async def mark_linked(uow: UnitOfWork, request: LinkRequest, *, request_id: RequestId, now: datetime) -> None:
    """The gateway confirmed: care context, request and (by a worker) ``PatientCareContexts`` say so."""
    hip_id, visit_code = request.hip_id, request.visit_code
    context = await uow.care_contexts.lock(hip_id, CareContextReference(visit_code))
    if context is None or request.abha_address is None:
        return
    await uow.care_contexts.save(context.link(request.abha_address, reference=request.reference, now=now))
    await uow.link_requests.save(request.move(LinkStatus.LINKED, now=now, request_id=request_id))
    await uow.outbox.add(hip_id, Topic.PROJECTION, f"contexts|{context.patient_reference}", run_at=now)
    await uow.audit.append(
        AuditEntry(hip_id=hip_id, at=now, actor="gateway", action="care-context-linked", subject=visit_code)
    )


async def refuse(
    uow: UnitOfWork, batch: Sequence[LinkRequest], code: str, *, request_id: RequestId, now: datetime
) -> None:
    """The gateway refused the call of this batch: a new token, once; each visit by itself; or the desk is shown why.

    Not each by itself for a refusal that says nothing about the visits: that would be more calls to be refused.
    """
    waiting = [request for request in batch if request.status is not LinkStatus.LINKED]
    for request in waiting:
        hip_id, visit_code = request.hip_id, request.visit_code
        if code in TOKEN_IS_BAD and request.abha_address is not None:
            await uow.link_tokens.drop(hip_id, request.abha_address)
        live = request.status is LinkStatus.REQUESTED
        if live and code in TOKEN_IS_BAD and not request.token_renewed:
            waits = request.move(LinkStatus.AWAITING_TOKEN, now=now, token_renewed=True)
            await uow.link_requests.save(replace(waits, led_by=None))
            await uow.outbox.add(hip_id, Topic.LINK, visit_code, run_at=now)
        elif live and code not in TOKEN_IS_BAD | PASSING and len(batch) > 1:
            await uow.link_requests.save(request.move(LinkStatus.READY, now=now, led_by=visit_code))
            await uow.outbox.add(hip_id, Topic.LINK, visit_code, run_at=now)
        else:
            await uow.link_requests.save(request.move(LinkStatus.REFUSED, now=now, request_id=request_id, code=code))


async def refused_for_now(uow: UnitOfWork, exchange: Exchange, waits: Waits, *, now: datetime) -> bool:
    """True when the call that was refused is made again later, as it was: its visits wait, and nothing is shown yet."""
    wait = wait_before_repeat(exchange, waits)
    if wait is not None:
        await uow.outbox.add(exchange.hip_id, Topic.LINK, exchange.business_key, run_at=now + wait)
    return wait is not None


async def forget_token(tokens: TokenCache, hip_id: HipId, abha_address: AbhaAddress | None) -> None:
    """A stale cached token is refused by the gateway once more, then dropped: a cache that is away costs that."""
    if abha_address is None:
        return
    try:
        await tokens.drop(hip_id, abha_address)
    except StorageFailed:
        return


@dataclass(frozen=True, slots=True)
class LinkBatch:
    units: Units
    tokens: TokenCache
    conversations: Conversations
    clock: Clock
    waits: Waits

    async def __call__(self, linkable: Linkable, token: LinkToken) -> None:
        """Send the batch this visit leads, unless it goes, or went, out with another.

        Repeats send nothing that is under way or was confirmed. Raises Transient when it has to be tried again.
        """
        hip_id, lead = linkable.context.hip_id, linkable.context.visit_code
        contexts = await self._gather(linkable)
        if not contexts:
            return
        exchange = await self.conversations.hold(
            LinkCareContexts(
                abha_address=linkable.abha_address,
                abha_number=token.abha_number,
                link_token=token.value,
                entries=_entries(linkable, contexts),
                key=lead,
            ),
            hip_id=hip_id,
            # Of several, "already linked" may speak of one alone.
            repeat_counts=len(contexts) == 1,
        )
        last, now = exchange.attempts[-1], self.clock()
        code = last.code or exchange.refusal or "ABDM-9999"
        async with self.units() as uow:
            batch = await uow.link_requests.led_by(hip_id, lead)
            for request in batch:
                if request.status is not LinkStatus.REQUESTED:
                    continue
                if exchange.succeeded:
                    await mark_linked(uow, request, request_id=last.request_id, now=now)
                elif exchange.outcome is not Outcome.REFUSED:
                    status = failed_status(exchange) or LinkStatus.REQUESTED
                    await uow.link_requests.save(
                        request.move(status, now=now, request_id=last.request_id, code=last.code)
                    )
            if exchange.outcome is Outcome.REFUSED and not await refused_for_now(uow, exchange, self.waits, now=now):
                await refuse(uow, batch, code, request_id=last.request_id, now=now)
            await uow.commit()
        if exchange.outcome is Outcome.REFUSED and code in TOKEN_IS_BAD:
            await forget_token(self.tokens, hip_id, linkable.abha_address)

    async def _gather(self, linkable: Linkable) -> Sequence[CareContext]:
        """The care contexts of this visit's batch, each request REQUESTED from here on; none when it leads none.

        Before the call, for its callback may overtake its reply.
        """
        hip_id, lead, now = linkable.context.hip_id, linkable.context.visit_code, self.clock()
        async with self.units() as uow:
            # All of the patient's at once and in one order: two processes cannot wait for each other.
            requests = await uow.link_requests.of_address(hip_id, linkable.abha_address)
            own = next((request for request in requests if request.visit_code == lead), None)
            if own is None or own.status is LinkStatus.LINKED:
                return []
            if own.status is LinkStatus.REQUESTED:
                if own.led_by not in (None, lead):
                    return []
                batch = [r for r in requests if r.led_by == lead and r.status is LinkStatus.REQUESTED] or [own]
            else:
                alone = own.led_by == lead
                others = [r for r in requests if r.visit_code != lead and r.status in _JOINS and r.led_by is None]
                batch = [own] if alone else [own, *others]
            known = await uow.care_contexts.several(hip_id, [CareContextReference(r.visit_code) for r in batch])
            contexts = {
                context.visit_code: context
                for context in known
                if context.hi_types and not context.linked and context.patient_reference == linkable.patient.reference
            }
            chosen = [r for r in batch if r.visit_code in contexts][:MAX_CONTEXTS_PER_ENTRY]
            for request in chosen:
                await uow.link_requests.save(_requested(request, lead, now=now))
            await uow.commit()
        return [contexts[request.visit_code] for request in chosen] if own in chosen else []


def _requested(request: LinkRequest, lead: VisitCode, *, now: datetime) -> LinkRequest:
    if request.status not in (LinkStatus.READY, LinkStatus.REQUESTED):
        request = request.move(LinkStatus.READY, now=now)
    return request.move(LinkStatus.REQUESTED, now=now, led_by=lead)


def _entries(linkable: Linkable, contexts: Sequence[CareContext]) -> tuple[PatientEntry, ...]:
    """One entry for each HI type, with every context that holds it."""
    by_type: dict[HiType, list[LinkedContext]] = {}
    for context in contexts:
        for hi_type in context.hi_types:
            by_type.setdefault(hi_type, []).append(LinkedContext(reference=context.reference, display=context.display))
    return tuple(
        PatientEntry(
            patient_reference=linkable.patient.reference,
            display=linkable.patient.display,
            hi_type=hi_type,
            care_contexts=tuple(shown),
        )
        for hi_type, shown in by_type.items()
    )
