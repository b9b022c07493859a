"""Flow: health-information request → a transfer and its outbox row, in one transaction (contract §2.10)."""

from dataclasses import dataclass, replace

from hip.application.gateway_events import Delivery, HealthInformationAsked
from hip.application.ports import Clock
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.transfers import Transfer, TransferState


@dataclass(frozen=True, slots=True)
class ReceiveHealthInformationRequest:
    units: Units
    clock: Clock
    waits: Waits

    async def __call__(self, delivery: Delivery, event: HealthInformationAsked) -> None:
        """A transaction id that is known already is served once: the repeat changes nothing (REL-16)."""
        now, hip_id = self.clock(), delivery.hip_id
        transfer = Transfer(
            hip_id=hip_id,
            transaction_id=event.transaction_id,
            consent_id=event.consent_id,
            request_id=delivery.request_id,
            request=replace(event.request, requester=delivery.requester),
            state=TransferState.REQUESTED,
            requested_at=delivery.received_at,
            updated_at=now,
            deadline=delivery.received_at + self.waits.transfer_deadline,
        )
        async with self.units() as uow:
            # A consent that ends right now either finds this transfer, to keep its care contexts, or is over first.
            await uow.consents.lock(hip_id, event.consent_id)
            if not await uow.transfers.add(transfer):
                await self._repeated(uow, transfer)
                await uow.commit()
                return
            await uow.outbox.add(hip_id, Topic.TRANSFER, event.transaction_id, run_at=now)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor="gateway",
                    action="transfer-requested",
                    subject=event.transaction_id,
                    detail=(("consent", event.consent_id),),
                )
            )
            await uow.commit()

    async def _repeated(self, uow: UnitOfWork, transfer: Transfer) -> None:
        await uow.audit.append(
            AuditEntry(
                hip_id=transfer.hip_id,
                at=self.clock(),
                actor="gateway",
                action="transfer-repeated",
                subject=transfer.transaction_id,
                detail=(("rule", "REL-16"), ("consent", transfer.consent_id)),
            )
        )
