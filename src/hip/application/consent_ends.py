"""What follows in one transaction when a consent ends, whoever ended it: notice, clock, or the patient's opt-out."""

from hip.application.storage import Topic, UnitOfWork
from hip.application.unsent_contexts import add_refused
from hip.domain.consents import Consent
from hip.domain.release import ended
from hip.domain.transfers import TransferState


async def end_consent(uow: UnitOfWork, before: Consent, after: Consent) -> None:
    """Save the tombstone ``after``; record the decision, cut every stored copy of the artefact, hurry its transfers.

    ``before`` is the row as it was locked in this unit. The artefact goes from the active store, from the raw
    callbacks that carried it and from their projections (RET-01), and with it the entries that wait to be fetched.
    Transfers of the consent that wait for anything are due now, so that the gate stops them and the gateway is told
    (REL-21). Those that have no pages yet keep the names of the care contexts, for nobody knows them afterwards.
    """
    now, hip_id, decision = after.updated_at, after.hip_id, ended(before, after)
    await uow.consents.save(after)
    await uow.decisions.append(decision)
    await uow.waiting_entries.remove_of_consent(hip_id, after.consent_id)
    await cut_copies(uow, after)
    reason = decision.refusals[0].told
    for transfer in await uow.transfers.open_of_consent(hip_id, after.consent_id):
        if transfer.state in (TransferState.REQUESTED, TransferState.ACKNOWLEDGED):
            await add_refused(uow, transfer, before, reason)
        await uow.outbox.hurry(hip_id, Topic.TRANSFER, transfer.transaction_id, run_at=now)


async def cut_copies(uow: UnitOfWork, tombstone: Consent) -> None:
    """No raw callback keeps the artefact of a consent that has ended, a late delivery no more than an early one."""
    for callback_id in await uow.callbacks.cut(tombstone.hip_id, tombstone.consent_id):
        await uow.outbox.add(tombstone.hip_id, Topic.PROJECTION, f"callback|{callback_id}", run_at=tombstone.updated_at)
