"""Flow: the truthful account of a transfer, told until the gateway has taken it (contract §2.12, PUSH-08)."""

from dataclasses import dataclass

from hip.application.conversations import Conversations
from hip.application.gateway_calls import HealthInformationNotify
from hip.application.ports import Clock
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.exchanges import Outcome
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.pages import context_statuses
from hip.domain.transfers import TransferState


@dataclass(frozen=True, slots=True)
class NotifyTransfer:
    units: Units
    conversations: Conversations
    clock: Clock

    async def __call__(self, hip_id: HipId, transaction_id: TransactionId) -> None:
        """Every repeat says the same, for outcome, time and pages are fixed before the first. Raises Transient."""
        async with self.units() as uow:
            transfer = await uow.transfers.get(hip_id, transaction_id)
            if transfer is None or transfer.state is not TransferState.NOTIFYING:
                return
            pages = await uow.transfers.pages(hip_id, transaction_id)
        if transfer.outcome is None or transfer.done_at is None:
            return
        exchange = await self.conversations.hold(
            HealthInformationNotify(
                consent_id=transfer.consent_id,
                transaction_id=transaction_id,
                done_at=transfer.done_at,
                outcome=transfer.outcome,
                statuses=context_statuses(pages),
                tries=transfer.retries,
            ),
            hip_id=hip_id,
        )
        now = self.clock()
        async with self.units() as uow:
            current = await uow.transfers.lock(hip_id, transaction_id)
            if current is None or current.state is not TransferState.NOTIFYING:
                return
            if exchange.outcome is Outcome.REFUSED:
                code = exchange.attempts[-1].code or "ABDM-9999"
                current = current.give_up(f"the gateway refused the notify with {code}", now=now)
            else:
                current = current.notified(now=now)
            await uow.transfers.save(current)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="worker",
                    action="transfer-ended",
                    subject=transaction_id,
                    detail=(("state", current.state), ("outcome", transfer.outcome)),
                )
            )
            await uow.commit()
