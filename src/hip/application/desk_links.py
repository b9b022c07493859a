"""Flow: the front desk asks for a link token and for a link, and looks again until it is linked (AMRIT's two paths).

What the desk asks for is what the service does by itself with every visit, in the same conversations and limits. The
token itself never leaves: the desk gets a mark that stands for it.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GenerateToken
from hip.application.ports import Clock
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.accounts import ACCOUNT_CLOSED, account_key
from hip.domain.audit import AuditEntry
from hip.domain.discovery import PatientIdentifiers
from hip.domain.errors import Conflict, InvalidValue, NotFound
from hip.domain.exchanges import Exchange, Flow, Outcome
from hip.domain.identifiers import AbhaAddress, AbhaNumber, CareContextReference, HipId, RequestId, VisitCode
from hip.domain.links import LinkRequest, LinkStatus, LinkToken
from hip.domain.patients import Patient
from hip.domain.token_requests import DUPLICATE, TokenTurn


class DeskState(StrEnum):
    """What the desk's screen shows, in AMRIT's words."""

    TOKEN_REQUESTED = "tokenRequested"  # noqa: S105 - a state, not a secret
    TOKEN_READY = "tokenReady"  # noqa: S105 - a state, not a secret
    LINKED = "linked"
    LINK_FAILED = "linkFailed"


_OF_A_LINK = {
    LinkStatus.AWAITING_TOKEN: DeskState.TOKEN_REQUESTED,
    LinkStatus.READY: DeskState.TOKEN_READY,
    LinkStatus.REQUESTED: DeskState.TOKEN_READY,
    LinkStatus.LINKED: DeskState.LINKED,
    LinkStatus.REFUSED: DeskState.LINK_FAILED,
    LinkStatus.UNANSWERED: DeskState.LINK_FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskView:
    """How far it is. ``code`` says why it failed in ``flow``; ``mark`` stands for a token that is ready.

    ``tries`` counts the calls of the gateway so far.
    """

    state: DeskState
    flow: Flow = Flow.GENERATE_TOKEN
    request_id: RequestId | None = None
    mark: str | None = None
    code: str | None = None
    tries: int = 0


def token_mark(token: LinkToken) -> str:
    """Stands for a token where the token itself must not be shown."""
    return f"lt-{hashlib.sha256(token.value.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class AskTokenAtDesk:
    units: Units
    conversations: Conversations
    clock: Clock
    waits: Waits

    async def __call__(self, hip_id: HipId, person: GenerateToken) -> DeskView:
        """A token that is there, or a request for one under the limits of LINK-02. Raises Transient."""
        now = self.clock()
        async with self.units() as uow:
            latest = await uow.exchanges.lock_latest(hip_id, Flow.GENERATE_TOKEN, person.business_key)
            token = await uow.link_tokens.current(hip_id, person.abha_address, now=now)
            if token is not None and token.abha_number in (None, person.abha_number):
                return DeskView(state=DeskState.TOKEN_READY, mark=token_mark(token))
            call = await self._as_we_know(uow, hip_id, person)
            asked = await uow.exchanges.requests_since(
                hip_id, Flow.GENERATE_TOKEN, call.business_key, now - self.waits.token_quota
            )
        turn = TokenTurn.after(
            latest,
            payload=call.payload,
            asked=asked,
            now=now,
            window=self.waits.duplicate_window,
            quota=self.waits.token_quota,
        )
        if turn != TokenTurn():
            last = latest.attempts[-1].request_id if latest else None
            return DeskView(state=DeskState.LINK_FAILED, request_id=last, code=turn.refused or DUPLICATE, tries=asked)
        return _of_exchange(await self.conversations.hold(call, hip_id=hip_id))

    async def _as_we_know(self, uow: UnitOfWork, hip_id: HipId, person: GenerateToken) -> GenerateToken:
        """A token is bound to the number that was sent (LINK-03), so only the number of our own file is."""
        addresses = PatientIdentifiers(abha_addresses=frozenset({person.abha_address}))
        known = await uow.patients.candidates(hip_id, addresses, limit=1)
        return replace(person, abha_number=known[0].abha_number if known else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskLink:
    """What the desk asks to be linked; ``beneficiary`` is the hospital's number of the patient, None if not said."""

    visit_code: VisitCode
    beneficiary: str | None
    abha_address: AbhaAddress
    abha_number: AbhaNumber | None


@dataclass(frozen=True, slots=True)
class LinkFromDesk:
    units: Units
    clock: Clock

    async def __call__(self, hip_id: HipId, wanted: DeskLink, *, actor: str) -> None:
        """Learn the patient's ABHA and have the visit linked; again changes nothing.

        Raises NotFound for a visit that was never handed over, InvalidValue for another's patient, Conflict when the
        visit or the patient belongs to another ABHA, or the patient closed the account.
        """
        now = self.clock()
        async with self.units() as uow:
            visit = await uow.visits.lock(hip_id, wanted.visit_code)
            patient = None if visit is None else await uow.patients.get(hip_id, visit.record.patient.reference)
            if patient is None:
                raise NotFound("visit", wanted.visit_code)
            if wanted.beneficiary not in (None, str(patient.reference)):
                raise InvalidValue("beneficiaryID", "the patient of this visit", code="ABDM-1060")
            context = await uow.care_contexts.get(hip_id, CareContextReference(wanted.visit_code))
            if context is not None and context.linked_to == wanted.abha_address:
                return
            if context is not None and context.linked:
                raise Conflict("the visit is linked to another ABHA address", code="ABDM-1056")
            learnt = await self._learn(uow, hip_id, patient, wanted)
            await uow.patients.save(learnt, hip_id=hip_id)
            request = await uow.link_requests.lock_by_visit(hip_id, wanted.visit_code)
            if request is not None and request.status in (LinkStatus.REFUSED, LinkStatus.UNANSWERED):
                await uow.link_requests.save(request.move(LinkStatus.AWAITING_TOKEN, now=now))
            # Without a document of it the visit waits: the last document asks for the link by itself.
            if context is not None and context.hi_types:
                await uow.outbox.add(hip_id, Topic.LINK, wanted.visit_code, run_at=now)
            await uow.audit.append(
                AuditEntry(hip_id=hip_id, at=now, actor=actor, action="link-asked-at-desk", subject=wanted.visit_code)
            )
            await uow.commit()

    async def _learn(self, uow: UnitOfWork, hip_id: HipId, patient: Patient, wanted: DeskLink) -> Patient:
        if patient.closed_account == account_key(hip_id, wanted.abha_address):
            raise Conflict("the patient closed this ABHA account", code=ACCOUNT_CLOSED)
        if patient.abha_address not in (None, wanted.abha_address):
            raise Conflict("the patient has another ABHA address", code="ABDM-1038")
        if None not in (patient.abha_number, wanted.abha_number) and patient.abha_number != wanted.abha_number:
            raise Conflict("the patient has another ABHA number", code="ABDM-1062")
        if patient.abha_address is not None:
            return patient
        token = await uow.link_tokens.current(hip_id, wanted.abha_address, now=self.clock())
        bare = token is not None and token.abha_number is None
        number = patient.abha_number if bare else patient.abha_number or wanted.abha_number
        return replace(patient.reopening(), abha_address=wanted.abha_address, abha_number=number)


@dataclass(frozen=True, slots=True)
class LookFromDesk:
    units: Units

    async def at_token(self, hip_id: HipId, request_id: RequestId) -> DeskView:
        """What became of a token request. Raises NotFound."""
        async with self.units() as uow:
            exchange = await uow.exchanges.lock_by_request_id(hip_id, request_id)
        if exchange is None or exchange.flow is not Flow.GENERATE_TOKEN:
            raise NotFound("request", request_id)
        return _of_exchange(exchange)

    async def at_visit(self, hip_id: HipId, visit_code: VisitCode) -> DeskView:
        """How far the link of a visit is. Raises NotFound when none was asked for."""
        async with self.units() as uow:
            request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
            visit = await uow.visits.get(hip_id, visit_code)
            patient = None if visit is None else await uow.patients.get(hip_id, visit.record.patient.reference)
            if patient is None or (patient.abha_address is None and (request is None or request.code is None)):
                raise NotFound("link of visit", visit_code)
            exchange = None
            if request is not None:
                exchange = await self._latest(uow, request)
        state = DeskState.TOKEN_REQUESTED if request is None else _OF_A_LINK.get(request.status)
        failed = request is not None and state is DeskState.LINK_FAILED
        return DeskView(
            state=state or DeskState.TOKEN_REQUESTED,
            flow=exchange.flow if exchange else Flow.GENERATE_TOKEN,
            request_id=request.request_id if request else None,
            code=request.code if request and failed else None,
            tries=len(exchange.attempts) if exchange else 0,
        )

    async def _latest(self, uow: UnitOfWork, request: LinkRequest) -> Exchange | None:
        if request.led_by is not None:
            return await uow.exchanges.lock_latest(request.hip_id, Flow.LINK_CARE_CONTEXT, request.led_by)
        return await uow.exchanges.lock_latest(request.hip_id, Flow.GENERATE_TOKEN, str(request.abha_address))


def _of_exchange(exchange: Exchange) -> DeskView:
    last = exchange.attempts[-1]
    failed = not exchange.succeeded and exchange.outcome not in (Outcome.SENT, Outcome.ACCEPTED)
    state = DeskState.TOKEN_READY if exchange.succeeded else DeskState.TOKEN_REQUESTED
    return DeskView(
        state=DeskState.LINK_FAILED if failed else state,
        request_id=last.request_id,
        code=(last.code or exchange.refusal or "ABDM-9999") if failed else None,
        tries=len(exchange.attempts),
    )
