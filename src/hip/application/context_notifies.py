"""Flow: a new version of a visit that is linked already → the gateway tells the patient's apps (contract §2.3).

Never for a first link: the gateway announces that itself. It knows a new link only after some seconds, and says so with
ABDM-1006, which is tried again three times.
"""

from dataclasses import dataclass
from datetime import timedelta

from hip.application.conversations import Conversations
from hip.application.gateway_calls import ContextNotify
from hip.application.passing_refusals import wait_before_repeat
from hip.application.ports import Clock
from hip.application.storage import Topic, Units
from hip.application.waits import Waits
from hip.domain.exchanges import Exchange, Outcome
from hip.domain.identifiers import CareContextReference, HipId, VisitCode

NOT_LINKED_YET = "ABDM-1006"


def notify_work(visit_code: VisitCode, version: int) -> str:
    """The outbox key, and the business key of the conversation; ``|`` cannot stand in a visit code."""
    return f"{visit_code}|{version}"


def wait_before_retry(exchange: Exchange, waits: Waits) -> timedelta | None:
    """How long to wait before the notify is said again; None when it is not."""
    if (passing := wait_before_repeat(exchange, waits)) is not None:
        return passing
    tried = len(exchange.attempts)
    if exchange.attempts[-1].code != NOT_LINKED_YET or tried > len(waits.notify_retries):
        return None
    return waits.notify_retries[tried - 1]


@dataclass(frozen=True, slots=True)
class NotifyContext:
    units: Units
    conversations: Conversations
    clock: Clock
    waits: Waits

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """``key`` is ``visit code|version``. Each version is announced once, however often this runs."""
        visit_code, _, version = key.partition("|")
        call = await self._call(hip_id, VisitCode(visit_code), int(version))
        if call is None:
            return
        exchange = await self.conversations.hold(call, hip_id=hip_id)
        wait = wait_before_retry(exchange, self.waits)
        if exchange.outcome is Outcome.REFUSED and wait is not None:
            async with self.units() as uow:
                await uow.outbox.add(hip_id, Topic.NOTIFY, key, run_at=self.clock() + wait)
                await uow.commit()

    async def _call(self, hip_id: HipId, visit_code: VisitCode, version: int) -> ContextNotify | None:
        """None for a visit that is not linked (any more), has nothing new to show, or was linked a moment ago."""
        now = self.clock()
        async with self.units() as uow:
            context = await uow.care_contexts.get(hip_id, CareContextReference(visit_code))
            if context is None or context.linked_to is None or context.linked_at is None:
                return None
            built = await uow.bundles.of_visit(hip_id, visit_code)
            hi_types = tuple(record.key.hi_type for record in built if record.valid and record.version >= version)
            if not hi_types:
                return None
            soonest = context.linked_at + self.waits.notify_after_link
            if now < soonest:
                await uow.outbox.add(hip_id, Topic.NOTIFY, notify_work(visit_code, version), run_at=soonest)
                await uow.commit()
                return None
        return ContextNotify(
            abha_address=context.linked_to,
            patient_reference=context.patient_reference,
            care_context_reference=context.reference,
            hi_types=hi_types,
            date=context.clinical_date,
            version=version,
        )
