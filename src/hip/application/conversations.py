"""Holding a conversation with the gateway: registered before sent, every outcome kept (design.md, exchange)."""

from dataclasses import dataclass
from datetime import datetime

from hip.application.gateway_calls import GatewayCall, GenerateToken
from hip.application.ports import Clock, Gateway, Ids
from hip.application.storage import Units
from hip.application.waits import Waits
from hip.domain.errors import (
    NO_SESSION,
    NO_SESSION_FOR_CLOCK,
    SESSIONS,
    WRONG_CLOCK,
    GatewayRefused,
    SessionRefused,
    Transient,
    Waiting,
)
from hip.domain.exchanges import Exchange, ExchangeId, Outcome
from hip.domain.identifiers import HipId, RequestId


@dataclass(frozen=True, slots=True)
class Conversations:
    """One code path for every call we make."""

    units: Units
    gateway: Gateway
    clock: Clock
    ids: Ids
    waits: Waits

    async def hold(self, call: GatewayCall, *, hip_id: HipId, repeat_counts: bool = True) -> Exchange:
        """Say ``call`` unless it has been said; return the exchange as it then stands.

        Nothing is sent when the exchange about this business key has succeeded or still awaits its callback. A call
        that must happen at most once and whose fate is hidden becomes ``unanswered`` and is not repeated. A refusal
        that says it was done before is a success only if ``repeat_counts``. Raises Waiting while another process may
        have the call under way, Transient when another try later may succeed; the refusal is kept all the same.
        """
        exchange = await self._register(call, hip_id)
        if exchange.outcome is not Outcome.SENT:
            return exchange
        try:
            return await self._send(call, exchange, repeat_counts=repeat_counts)
        except SessionRefused:
            renewed = await self._register(call, hip_id, again=True)
            return await self._send(call, renewed, repeat_counts=repeat_counts)

    async def _register(self, call: GatewayCall, hip_id: HipId, *, again: bool = False) -> Exchange:
        now = self.clock()
        request_id = RequestId(self.ids())
        due = now + self.waits.answer
        payload = call.payload if isinstance(call, GenerateToken) else None
        async with self.units() as uow:
            latest = await uow.exchanges.lock_latest(hip_id, call.flow, call.business_key)
            if latest is None or (latest.succeeded and call.flow.renewable):
                exchange = Exchange.open(
                    ExchangeId(self.ids()),
                    hip_id=hip_id,
                    flow=call.flow,
                    business_key=call.business_key,
                    request_id=request_id,
                    now=now,
                    answer_due=due,
                    payload=payload,
                )
            elif latest.succeeded or (latest.outcome is Outcome.ACCEPTED and not latest.overdue(now)):
                return latest
            elif not again and latest.outcome is Outcome.SENT and now < (over := self._surely_over(latest)):
                # Whoever sent it has not said what came of it; after that time it must have died.
                raise Waiting(f"{call.flow} is under way", retry_after=min(over - now, self.waits.lease))
            elif call.flow.at_most_once and not again and latest.outcome in (Outcome.SENT, Outcome.ACCEPTED):
                exchange = latest.lapse(now=now)  # as the sweep would have it, had it come by before
            elif call.flow.at_most_once and not again and self._fate_hidden(latest, now):
                return latest
            else:
                exchange = latest.again(request_id, now=now, answer_due=due, payload=payload)
            await uow.exchanges.save(exchange)
            await uow.commit()
        return exchange

    def _surely_over(self, latest: Exchange) -> datetime:
        """When the last attempt can be under way no more: later for a call that must not be made twice."""
        longest = self.waits.under_way if latest.flow.at_most_once else self.waits.lease
        return latest.attempts[-1].sent_at + longest

    def _fate_hidden(self, latest: Exchange, now: datetime) -> bool:
        """A counted call, or one a person feels, may have arrived: not repeated before a day has passed."""
        return latest.outcome is Outcome.UNANSWERED and now < latest.updated_at + self.waits.token_quota

    async def _send(self, call: GatewayCall, exchange: Exchange, *, repeat_counts: bool) -> Exchange:
        request_id = exchange.attempts[-1].request_id
        try:
            status = await self.gateway.send(call, hip_id=exchange.hip_id, request_id=request_id, now=self.clock())
        except GatewayRefused as refusal:
            if refusal.call == SESSIONS:
                # It was the session that was refused: the call itself never left.
                code = NO_SESSION_FOR_CLOCK if refusal.code in WRONG_CLOCK else NO_SESSION
                return await self._settle(exchange, refused=refusal.status, code=code)
            if repeat_counts and call.flow.already_done(refusal.code):
                return await self._settle(exchange, accepted=refusal.status, answered=call.flow.expects_callback)
            return await self._settle(exchange, refused=refusal.status, code=refusal.code)
        except Transient as failure:
            if failure.code is None and call.flow.at_most_once:
                return await self._settle(exchange, lapsed=True)
            await self._settle(exchange, code=failure.code or "no-reply")
            raise
        return await self._settle(exchange, accepted=status)

    async def _settle(
        self,
        exchange: Exchange,
        *,
        accepted: int | None = None,
        answered: bool = False,
        refused: int | None = None,
        code: str = "",
        lapsed: bool = False,
    ) -> Exchange:
        request_id = exchange.attempts[-1].request_id
        now = self.clock()
        async with self.units() as uow:
            # Read again: the callback may have come before the reply.
            current = await uow.exchanges.lock_by_request_id(exchange.hip_id, request_id) or exchange
            if lapsed:
                current = current.lapse(now=now)
            elif accepted is None:
                current = current.refuse(request_id, status=refused, code=code, now=now)
            else:
                current = current.accept(request_id, status=accepted, now=now)
                if answered:
                    current = current.answer(request_id, code=None, now=now)
            await uow.exchanges.save(current)
            await uow.commit()
        return current
