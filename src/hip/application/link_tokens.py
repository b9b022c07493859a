"""Flow: on-generate-token → the token is kept, sealed, and every visit that waits for it goes on (contract §2.1)."""

from dataclasses import dataclass
from datetime import datetime

from hip.application.gateway_events import Delivery, TokenAnswered
from hip.application.ports import Clock, TokenCache
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.discovery import PatientIdentifiers
from hip.domain.errors import NotFound, StorageFailed
from hip.domain.exchanges import Flow
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, RequestId
from hip.domain.links import LinkStatus, LinkToken
from hip.domain.token_requests import PASSING


async def remember(tokens: TokenCache, token: LinkToken, *, now: datetime) -> None:
    """Put a token into the cache; a cache that is down costs speed, never a link."""
    try:
        await tokens.put(token, now=now)
    except StorageFailed:
        return


@dataclass(frozen=True, slots=True)
class AcceptToken:
    units: Units
    tokens: TokenCache
    clock: Clock
    waits: Waits

    async def __call__(self, delivery: Delivery, event: TokenAnswered) -> None:
        """Repeats change nothing. Raises NotFound when no call of ours is answered by it."""
        now, hip_id = self.clock(), delivery.hip_id
        token: LinkToken | None = None
        async with self.units() as uow:
            exchange = await uow.exchanges.lock_by_request_id(hip_id, event.answers)
            if exchange is None or exchange.flow is not Flow.GENERATE_TOKEN:
                raise NotFound("request", event.answers, code="ABDM-1030")
            code = event.error.code if event.error else None
            address = AbhaAddress.parse(exchange.business_key)
            if event.token is None:
                code = code or "ABDM-9999"
            else:
                number = await self._number_sent(uow, hip_id, address)
                token = LinkToken.issued(event.token, hip_id=hip_id, abha_address=address, abha_number=number, now=now)
                if (unusable := token.unusable(now=now)) is not None:
                    token, code = None, unusable  # LINK-01: never kept, and its reason is shown
            await uow.exchanges.save(exchange.answer(event.answers, code=code, now=now))
            if token is not None:
                await uow.link_tokens.put(token, request_id=event.answers, now=now)
            else:
                refusal = code or "ABDM-9999"
                await uow.link_tokens.put_refusal(hip_id, address, refusal, request_id=event.answers, now=now)
            await uow.outbox.add(hip_id, Topic.PROJECTION, f"token|{event.answers}", run_at=now)
            await self._wake_waiting(
                uow, hip_id, address, event.answers, code=None if token else code or "ABDM-9999", now=now
            )
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="gateway",
                    action="link-token-answered",
                    subject=event.answers,
                    detail=(("code", code or "none"),),
                )
            )
            await uow.commit()
        if token is not None:
            await remember(self.tokens, token, now=now)

    async def _number_sent(self, uow: UnitOfWork, hip_id: HipId, address: AbhaAddress) -> AbhaNumber | None:
        """The ABHA number the request carried, which the token is bound to (LINK-03): the patient's own."""
        known = await uow.patients.candidates(hip_id, PatientIdentifiers(abha_addresses=frozenset({address})), limit=1)
        return known[0].abha_number if known else None

    async def _wake_waiting(
        self,
        uow: UnitOfWork,
        hip_id: HipId,
        address: AbhaAddress,
        answers: RequestId,
        *,
        code: str | None,
        now: datetime,
    ) -> None:
        """A token lets all go on, also those that gave up waiting; a refusal ends those that this call was for."""
        for request in await uow.link_requests.awaiting_token(hip_id, address):
            if code is None:
                await uow.link_requests.save(request.move(LinkStatus.READY, now=now))
                await uow.outbox.add(hip_id, Topic.LINK, request.visit_code, run_at=now)
            elif code in PASSING:
                await uow.outbox.add(hip_id, Topic.LINK, request.visit_code, run_at=now + self.waits.duplicate_window)
            elif request.status is LinkStatus.AWAITING_TOKEN or request.request_id == answers:
                await uow.link_requests.save(request.move(LinkStatus.REFUSED, now=now, code=code))
