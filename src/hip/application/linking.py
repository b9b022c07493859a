"""Flow: a visit whose bundles are all valid → link token → link call (contract §2.1, §2.2, LINK-01 … 05)."""

from dataclasses import dataclass

from hip.application.conversations import Conversations
from hip.application.link_results import mark_linked
from hip.application.link_tokens import remember
from hip.application.messages import GenerateToken, LinkCareContexts, LinkedContext, PatientEntry
from hip.application.ports import Clock, Ids, TokenCache
from hip.application.storage import Topic, Units
from hip.application.waits import Waits
from hip.domain.errors import LinkTokenRefused, NotFound, StorageFailed
from hip.domain.exchanges import Exchange, Flow, Outcome
from hip.domain.identifiers import AbhaAddress, CareContextReference, HipId, LinkReference, VisitCode
from hip.domain.links import CareContext, LinkRequest, LinkStatus, LinkToken
from hip.domain.patients import Patient

TOKEN_REQUESTS_PER_DAY = 3
"""LINK-02: the gateway blocks the patient for 24 hours at the fourth, so it is refused here."""

BLOCKED = "ABDM-1027"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkable:
    """A visit that may be linked now."""

    context: CareContext
    patient: Patient
    abha_address: AbhaAddress
    request: LinkRequest


@dataclass(frozen=True, slots=True)
class LinkVisit:
    """Bring one visit a step nearer to being linked; run again whenever something changed."""

    units: Units
    tokens: TokenCache
    conversations: Conversations
    clock: Clock
    ids: Ids
    waits: Waits

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """``key`` is the visit code. Raises NotFound when the visit has no care context yet (LINK-05)."""
        linkable = await self._prepare(hip_id, VisitCode(key))
        if linkable is None:
            return
        token = await self._token(linkable)
        if token is None:
            await self._request_token(linkable)
        else:
            await self._link(linkable, token)

    async def _prepare(self, hip_id: HipId, visit_code: VisitCode) -> Linkable | None:
        now = self.clock()
        async with self.units() as uow:
            request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
            context = await uow.care_contexts.get(hip_id, CareContextReference(visit_code))
            if context is None:
                raise NotFound("care context", visit_code)
            patient = await uow.patients.get(hip_id, context.patient_reference)
            if patient is None or patient.abha_address is None or context.linked or not context.hi_types:
                return None
            if request is None or request.abha_address != patient.abha_address:
                request = LinkRequest(
                    hip_id=hip_id,
                    reference=request.reference if request else LinkReference(self.ids()),
                    visit_code=visit_code,
                    patient_reference=patient.reference,
                    abha_address=patient.abha_address,
                    status=LinkStatus.AWAITING_TOKEN,
                    created_at=request.created_at if request else now,
                    updated_at=now,
                )
                await uow.link_requests.save(request)
                await uow.commit()
        return Linkable(context=context, patient=patient, abha_address=patient.abha_address, request=request)

    async def _token(self, linkable: Linkable) -> LinkToken | None:
        """A token that fits, from the cache or from Postgres. A token that does not fit is as good as none."""
        hip_id, address, now = linkable.context.hip_id, linkable.abha_address, self.clock()
        token: LinkToken | None = None
        try:
            token = await self.tokens.get(hip_id, address, now=now)
        except StorageFailed:
            token = None  # the cache holds nothing that Postgres does not
        cached = token is not None
        if token is None:
            async with self.units() as uow:
                token = await uow.link_tokens.current(hip_id, address, now=now)
        if token is None:
            return None
        try:
            token.require_fit(hip_id=hip_id, abha_address=address, abha_number=linkable.patient.abha_number, now=now)
        except LinkTokenRefused:
            return None
        if not cached:
            await remember(self.tokens, token, now=now)
        return token

    async def _request_token(self, linkable: Linkable) -> None:
        hip_id, patient, now = linkable.context.hip_id, linkable.patient, self.clock()
        async with self.units() as uow:
            # With the conversation locked no answer can slip in between: a token that came meanwhile is used.
            latest = await uow.exchanges.lock_latest(hip_id, Flow.GENERATE_TOKEN, str(linkable.abha_address))
            token = await uow.link_tokens.current(hip_id, linkable.abha_address, now=now)
            if token is not None and token.abha_number == patient.abha_number:
                await uow.outbox.add(hip_id, Topic.LINK, linkable.context.visit_code, run_at=now)
                await uow.commit()
                return
            request = await uow.link_requests.lock_by_visit(hip_id, linkable.context.visit_code)
            asked = await uow.exchanges.requests_since(
                hip_id, Flow.GENERATE_TOKEN, str(linkable.abha_address), now - self.waits.token_quota
            )
            waiting = latest is not None and latest.outcome in (Outcome.SENT, Outcome.ACCEPTED)
            blocked = asked >= TOKEN_REQUESTS_PER_DAY and not waiting
            if request is not None:
                if blocked:
                    request = request.move(LinkStatus.REFUSED, now=now, code=BLOCKED)
                else:
                    request = request.move(LinkStatus.AWAITING_TOKEN, now=now)
                await uow.link_requests.save(request)
            await uow.commit()
        if blocked:
            return
        exchange = await self.conversations.hold(
            GenerateToken(
                abha_address=linkable.abha_address,
                abha_number=patient.abha_number,
                name=patient.name,
                gender=patient.gender,
                birth_year=patient.birth_year,
            ),
            hip_id=hip_id,
        )
        await self._note_failure(exchange, linkable, awaiting=LinkStatus.AWAITING_TOKEN)

    async def _link(self, linkable: Linkable, token: LinkToken) -> None:
        hip_id, context, now = linkable.context.hip_id, linkable.context, self.clock()
        async with self.units() as uow:
            request = await uow.link_requests.lock_by_visit(hip_id, context.visit_code)
            if request is None or request.status is LinkStatus.LINKED:
                return
            # Before the call, for its callback may overtake its reply.
            if request.status is not LinkStatus.REQUESTED:
                if request.status is not LinkStatus.READY:
                    request = request.move(LinkStatus.READY, now=now)
                request = request.move(LinkStatus.REQUESTED, now=now)
            await uow.link_requests.save(request)
            await uow.commit()
        shown = LinkedContext(reference=context.reference, display=context.display)
        exchange = await self.conversations.hold(
            LinkCareContexts(
                abha_address=linkable.abha_address,
                abha_number=token.abha_number,
                link_token=token.value,
                entries=tuple(
                    PatientEntry(
                        patient_reference=linkable.patient.reference,
                        display=linkable.patient.display,
                        hi_type=hi_type,
                        care_contexts=(shown,),
                    )
                    for hi_type in context.hi_types
                ),
                key=context.visit_code,
            ),
            hip_id=hip_id,
        )
        await self._note_failure(exchange, linkable, awaiting=LinkStatus.REQUESTED)
        if exchange.succeeded:
            async with self.units() as uow:
                await mark_linked(
                    uow, hip_id, context.visit_code, request_id=exchange.attempts[-1].request_id, now=self.clock()
                )
                await uow.commit()

    async def _note_failure(self, exchange: Exchange, linkable: Linkable, *, awaiting: LinkStatus) -> None:
        """Show the desk a refusal or a hidden fate; a callback that came meanwhile has moved the request already."""
        status = {Outcome.REFUSED: LinkStatus.REFUSED, Outcome.UNANSWERED: LinkStatus.UNANSWERED}.get(exchange.outcome)
        async with self.units() as uow:
            request = await uow.link_requests.lock_by_visit(linkable.context.hip_id, linkable.context.visit_code)
            if request is None or request.status is not awaiting:
                return
            request_id = exchange.attempts[-1].request_id
            code = exchange.attempts[-1].code or exchange.refusal
            moved = request.move(status or awaiting, now=self.clock(), request_id=request_id, code=code)
            await uow.link_requests.save(moved)
            await uow.commit()
