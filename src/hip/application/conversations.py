"""Holding a conversation with the gateway: registered before sent, every outcome kept (design.md, exchange)."""

from dataclasses import dataclass
from datetime import datetime

from hip.application.messages import GatewayCall
from hip.application.ports import Clock, Gateway, Ids
from hip.application.storage import Units
from hip.application.waits import Waits
from hip.domain.errors import GatewayRefused, SessionRefused, Transient, Waiting
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

    async def hold(self, call: GatewayCall, *, hip_id: HipId) -> Exchange:
        """Say ``call`` unless it has been said; return the exchange as it then stands.

        Nothing is sent when the exchange about this business key has succeeded or still awaits its callback. A call
        that must happen at most once and whose fate is hidden becomes ``unanswered`` and is not repeated. Raises
        Transient when another try later may succeed; the refusal is kept all the same. Raises Waiting while another
        worker may still be making such a call: two visits of one patient want the same link token.
        """
        exchange = await self._register(call, hip_id)
        if exchange.outcome is not Outcome.SENT:
            return exchange
        try:
            return await self._send(call, exchange)
        except SessionRefused:
            renewed = await self._register(call, hip_id, again=True)
            return await self._send(call, renewed)

    async def _register(self, call: GatewayCall, hip_id: HipId, *, again: bool = False) -> Exchange:
        now = self.clock()
        request_id = RequestId(self.ids())
        due = now + self.waits.answer
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
                )
            elif latest.succeeded or (latest.outcome is Outcome.ACCEPTED and not latest.overdue(now)):
                return latest
            elif call.flow.at_most_once and not again and latest.outcome is Outcome.SENT:
                if now < latest.attempts[-1].sent_at + self.waits.under_way:
                    raise Waiting("the same call is under way")
                exchange = latest.lapse(now=now)
            elif call.flow.at_most_once and not again and self._fate_hidden(latest, now):
                return latest
            else:
                exchange = latest.again(request_id, now=now, answer_due=due)
            await uow.exchanges.save(exchange)
            await uow.commit()
        return exchange

    def _fate_hidden(self, latest: Exchange, now: datetime) -> bool:
        """A counted call, or one a person feels, may have arrived: not repeated before a day has passed."""
        return latest.outcome is Outcome.UNANSWERED and now < latest.updated_at + self.waits.token_quota

    async def _send(self, call: GatewayCall, exchange: Exchange) -> Exchange:
        request_id = exchange.attempts[-1].request_id
        try:
            status = await self.gateway.send(call, hip_id=exchange.hip_id, request_id=request_id, now=self.clock())
        except GatewayRefused as refusal:
            if call.flow.already_done(refusal.code):
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
