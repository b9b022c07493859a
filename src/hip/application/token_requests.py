"""Asking for a link token: one request in flight per patient, at most three a day (contract §2.1, LINK-02)."""

from dataclasses import dataclass

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GenerateToken
from hip.application.linkables import Linkable, note_failure
from hip.application.ports import Clock
from hip.application.storage import Topic, Units
from hip.application.waits import Waits
from hip.domain.exchanges import Flow, Outcome
from hip.domain.links import LinkStatus
from hip.domain.token_requests import PASSING, TokenTurn


@dataclass(frozen=True, slots=True)
class RequestToken:
    units: Units
    conversations: Conversations
    clock: Clock
    waits: Waits

    async def __call__(self, linkable: Linkable) -> None:
        """Ask, or find out why not: the visit then waits for its turn, or shows the desk what stands in its way.

        Raises Waiting while another process has the question under way.
        """
        patient, hip_id = linkable.patient, linkable.context.hip_id
        call = GenerateToken(
            abha_address=linkable.abha_address,
            abha_number=patient.abha_number,
            name=patient.name,
            gender=patient.gender,
            birth_year=patient.birth_year,
        )
        if not await self._may_ask(call, linkable):
            return
        exchange = await self.conversations.hold(call, hip_id=hip_id)
        last = exchange.attempts[-1]
        if exchange.outcome is Outcome.REFUSED and last.code in PASSING:
            async with self.units() as uow:
                await uow.outbox.add(
                    hip_id, Topic.LINK, linkable.context.visit_code, run_at=last.sent_at + self.waits.duplicate_window
                )
                await uow.commit()
            return
        await note_failure(self.units, exchange, linkable, awaiting=LinkStatus.AWAITING_TOKEN, now=self.clock())

    async def _may_ask(self, call: GenerateToken, linkable: Linkable) -> bool:
        hip_id, visit_code, now = linkable.context.hip_id, linkable.context.visit_code, self.clock()
        async with self.units() as uow:
            # With the conversation locked no answer can slip in between: a token that came meanwhile is used.
            latest = await uow.exchanges.lock_latest(hip_id, Flow.GENERATE_TOKEN, call.business_key)
            token = await uow.link_tokens.current(hip_id, linkable.abha_address, now=now)
            if token is not None and token.abha_number == linkable.patient.abha_number:
                await uow.outbox.add(hip_id, Topic.LINK, visit_code, run_at=now)
                await uow.commit()
                return False
            turn = TokenTurn.after(
                latest,
                payload=call.payload,
                asked=await uow.exchanges.requests_since(
                    hip_id, Flow.GENERATE_TOKEN, call.business_key, now - self.waits.token_quota
                ),
                now=now,
                window=self.waits.duplicate_window,
                quota=self.waits.token_quota,
            )
            request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
            if request is not None and request.status is not LinkStatus.LINKED:
                status = LinkStatus.REFUSED if turn.refused else LinkStatus.AWAITING_TOKEN
                await uow.link_requests.save(request.move(status, now=now, code=turn.refused))
            if turn.not_before is not None:
                await uow.outbox.add(hip_id, Topic.LINK, visit_code, run_at=turn.not_before)
            await uow.commit()
        return turn == TokenTurn()
