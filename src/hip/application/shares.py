"""Flow: a patient scanned a counter's code → profile kept, queue token given, on-share (contract §2.8)."""

from dataclasses import dataclass, replace

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GatewayError, OnShare
from hip.application.gateway_events import Delivery, ProfileShared
from hip.application.ports import Clock, Facilities
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.identifiers import HipId
from hip.domain.shares import PROFILE_SHARE, QueueToken, ShareRefused, queue_day

MESSAGES = {
    "ABDM-1149": "Intent not supported",
    "ABDM-1035": "Invalid HIP id",
    "ABDM-1050": "Invalid counter",
}


@dataclass(frozen=True, slots=True)
class AnswerShare:
    units: Units
    conversations: Conversations
    facilities: Facilities
    clock: Clock

    async def __call__(self, delivery: Delivery, event: ProfileShared) -> None:
        """Always answers: a token, the same one while it holds, or an error."""
        answer = OnShare(answers=delivery.request_id, abha_address=event.profile.abha_address, counter=event.counter)
        try:
            self._require_ours(delivery.hip_id, event)
        except ShareRefused as refusal:
            answer = replace(answer, error=GatewayError(code=refusal.code, message=MESSAGES[refusal.code]))
        else:
            token = await self._token(delivery, event)
            answer = replace(answer, token_number=token.text, seconds=token.seconds_left(self.clock()))
        await self.conversations.hold(answer, hip_id=delivery.hip_id)

    def _require_ours(self, hip_id: HipId, event: ProfileShared) -> None:
        if event.intent != PROFILE_SHARE:
            raise ShareRefused("an intent without a flow", code="ABDM-1149")
        if event.hip_id is not None and event.hip_id != hip_id:
            raise ShareRefused("a code of another facility", code="ABDM-1035")
        facility = self.facilities.find(hip_id)
        if facility is not None and facility.counters and event.counter not in facility.counters:
            raise ShareRefused("a counter this facility has not got", code="ABDM-1050")

    async def _token(self, delivery: Delivery, event: ProfileShared) -> QueueToken:
        hip_id, now = delivery.hip_id, self.clock()
        async with self.units() as uow:
            known = await uow.shares.lock_current(hip_id, event.counter, event.profile.abha_address, now=now)
            if known is not None:
                return known
            last = await uow.shares.last_number(hip_id, event.counter, queue_day(now))
            token = QueueToken.issue(
                event.profile,
                hip_id=hip_id,
                counter=event.counter,
                number=last + 1,
                request_id=delivery.request_id,
                now=now,
            )
            await uow.shares.add(token)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="gateway",
                    action="profile-shared",
                    subject=delivery.request_id,
                    detail=(("counter", event.counter), ("number", token.text)),
                )
            )
            await uow.commit()
        return token
