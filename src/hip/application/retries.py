"""Flow: an operator runs a dead or failed transfer again."""

from dataclasses import dataclass

from hip.application.ports import Clock
from hip.application.release import ReleaseGate
from hip.application.storage import Topic, Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.decisions import RuleResult
from hip.domain.errors import NotFound
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.pages import PageState
from hip.domain.transfers import Transfer, TransferState


@dataclass(frozen=True, slots=True)
class RetryTransfer:
    units: Units
    clock: Clock
    waits: Waits
    gate: ReleaseGate

    async def rehearse(self, hip_id: HipId, transaction_id: TransactionId) -> tuple[Transfer, RuleResult | None]:
        """What a retry would make of it, and the rule by which the gate would stop it; nothing is changed.

        A transfer that only has its notify left is not asked about. Raises as a retry does.
        """
        now = self.clock()
        async with self.units() as uow:
            transfer = await uow.transfers.get(hip_id, transaction_id)
            if transfer is None:
                raise NotFound("transfer", transaction_id)
            retried = transfer.retry(now=now, deadline=now + self.waits.transfer_deadline)
            if retried.state is TransferState.NOTIFYING:
                return retried, None
            consent = await uow.consents.get(hip_id, transfer.consent_id)
        return retried, self.gate.again(retried, consent, now=now).refusal

    async def __call__(self, hip_id: HipId, transaction_id: TransactionId, *, actor: str) -> Transfer:
        """Back to the step it had reached; delivered pages stay delivered and the gate is asked again.

        Raises NotFound, or IllegalTransition for a transfer that is running or was TRANSFERRED.
        """
        now = self.clock()
        async with self.units() as uow:
            transfer = await uow.transfers.lock(hip_id, transaction_id)
            if transfer is None:
                raise NotFound("transfer", transaction_id)
            retried = transfer.retry(now=now, deadline=now + self.waits.transfer_deadline)
            if retried.state is TransferState.PUSHING:
                for page in await uow.transfers.pages(hip_id, transaction_id):
                    if page.state is PageState.ERRORED:
                        await uow.transfers.save_page(page.reopened())
            await uow.transfers.save(retried)
            await uow.outbox.add(hip_id, Topic.TRANSFER, transaction_id, run_at=now)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor=actor,
                    action="transfer-retried",
                    subject=transaction_id,
                    detail=(("from", transfer.state), ("to", retried.state)),
                )
            )
            await uow.commit()
        return retried
