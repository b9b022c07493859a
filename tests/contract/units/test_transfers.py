"""Discoveries, consents, transfers and their pages."""

from dataclasses import replace

import pytest
from tests.builders.consents import a_consent, an_artefact
from tests.builders.conversations import an_audit_entry
from tests.builders.links import HIP, a_discovery
from tests.builders.moments import MINUTE, NOW, SECOND
from tests.builders.transfers import a_page, a_transfer

from hip.application.storage import Listing, Units
from hip.domain.consents import ConsentStatus, SignatureState
from hip.domain.errors import NotFound
from hip.domain.identifiers import ConsentId, TransactionId
from hip.domain.pages import PageState
from hip.domain.transfers import Transfer, TransferOutcome, TransferState

pytestmark = pytest.mark.anyio
CONSENT, TRANSFER = ConsentId("consent-1"), TransactionId("transfer-1")


async def test_a_discovery_is_written_down_once(units: Units) -> None:
    nobody = a_discovery(transaction_id=TransactionId("discovery-2"), patient_reference=None)
    async with units() as uow:
        assert await uow.discoveries.add(a_discovery())
        assert await uow.discoveries.add(nobody)
        assert not await uow.discoveries.add(a_discovery(patient_reference=None))
        await uow.commit()
    async with units() as uow:
        assert await uow.discoveries.get(HIP, TransactionId("discovery-1")) == a_discovery()
        assert await uow.discoveries.get(HIP, TransactionId("discovery-2")) == nobody
        assert await uow.discoveries.get(HIP, TransactionId("discovery-3")) is None


async def test_a_consent_comes_back_with_its_artefact(units: Units) -> None:
    sparse = a_consent(
        consent_id=ConsentId("consent-2"),
        artefact=an_artefact(hip_id=None, hiu_id=None, hi_types=frozenset(), care_contexts=(), frequency=None),
        signature_state=SignatureState.ABSENT,
    )
    async with units() as uow:
        await uow.consents.save(a_consent())
        await uow.consents.save(sparse)
        await uow.commit()
    async with units() as uow:
        assert await uow.consents.get(HIP, CONSENT) == a_consent()
        assert await uow.consents.lock(HIP, ConsentId("consent-2")) == sparse
        assert await uow.consents.get(HIP, ConsentId("consent-3")) is None


async def test_ret_01_an_ended_consent_loses_its_artefact_and_stays_as_a_tombstone(units: Units) -> None:
    async with units() as uow:
        await uow.consents.save(a_consent())
        await uow.commit()
    async with units() as uow:
        consent = await uow.consents.lock(HIP, CONSENT)
        assert consent is not None
        revoked = consent.receive(
            ConsentStatus.REVOKED,
            artefact=None,
            artefact_hash=None,
            signature_state=SignatureState.ABSENT,
            now=NOW + MINUTE,
        ).acknowledge(now=NOW + 2 * MINUTE)
        await uow.consents.save(revoked)
        await uow.commit()
    async with units() as uow:
        tombstone = await uow.consents.get(HIP, CONSENT)
    assert tombstone == revoked
    assert tombstone is not None
    assert tombstone.artefact is None
    assert tombstone.artefact_hash == a_consent().artefact_hash


def a_finished_transfer() -> Transfer:
    pages = [a_page().delivered(now=NOW + 3 * SECOND)]
    return (
        a_transfer()
        .attempt(now=NOW)
        .acknowledge(now=NOW + SECOND)
        .plan(1, now=NOW + 2 * SECOND)
        .finish(pages, now=NOW + 3 * SECOND)
        .notified(now=NOW + 4 * SECOND)
    )


async def test_rel_16_a_known_transaction_is_not_added_again(units: Units) -> None:
    async with units() as uow:
        assert await uow.transfers.add(a_transfer())
        assert not await uow.transfers.add(a_transfer(consent_id=ConsentId("consent-2")))
        assert await uow.transfers.get(HIP, TRANSFER) == a_transfer()


async def test_a_transfer_is_saved_with_all_its_books(units: Units) -> None:
    refused = a_transfer(transaction_id=TransactionId("transfer-2")).refuse(
        "ABDM-1062", "not granted", notify=False, now=NOW + SECOND
    )
    retried = replace(refused, retries=2, attempts=3)
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.transfers.add(a_transfer(transaction_id=TransactionId("transfer-2")))
        await uow.transfers.save(a_finished_transfer())
        await uow.transfers.save(retried)
        await uow.commit()
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) == a_finished_transfer()
        assert await uow.transfers.lock(HIP, TransactionId("transfer-2")) == retried


async def test_what_was_never_added_cannot_be_saved(units: Units) -> None:
    async with units() as uow:
        with pytest.raises(NotFound):
            await uow.transfers.save(a_transfer())
        await uow.transfers.add(a_transfer())
        with pytest.raises(NotFound):
            await uow.transfers.save_page(a_page())


async def test_open_transfers_of_a_consent_are_neither_done_nor_dead(units: Units) -> None:
    async with units() as uow:
        for number, state in enumerate(TransferState):
            await uow.transfers.add(
                a_transfer(
                    transaction_id=TransactionId(f"transfer-{state}"), state=state, requested_at=NOW - number * SECOND
                )
            )
        await uow.transfers.add(a_transfer(consent_id=ConsentId("consent-2")))
        found = await uow.transfers.open_of_consent(HIP, CONSENT)
    assert [transfer.state for transfer in found] == [
        TransferState.NOTIFYING,
        TransferState.PUSHING,
        TransferState.ACKNOWLEDGED,
        TransferState.REQUESTED,
    ]


async def test_transfers_are_listed_by_state_and_outcome(units: Units) -> None:
    async with units() as uow:
        await uow.transfers.add(a_finished_transfer())
        await uow.transfers.add(a_transfer(transaction_id=TransactionId("transfer-2")))
        failed = replace(
            a_finished_transfer(), transaction_id=TransactionId("transfer-3"), outcome=TransferOutcome.FAILED
        )
        await uow.transfers.add(failed)
        done = await uow.transfers.list(Listing(), state=TransferState.DONE)
        assert [transfer.transaction_id for transfer in done] == ["transfer-3", "transfer-1"]
        assert await uow.transfers.list(Listing(), state=TransferState.DONE, outcome=TransferOutcome.FAILED) == [failed]
        assert await uow.transfers.list(Listing(hip_id=HIP), outcome=TransferOutcome.TRANSFERRED) == [
            a_finished_transfer()
        ]
        assert await uow.transfers.list(Listing(), state=TransferState.DEAD) == []


async def test_pages_come_by_number_and_are_pushed_in_that_order(units: Units) -> None:
    empty_context = a_page(3, visit_code=None, hi_type=None, state=PageState.ERRORED, reason="no records in range")
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.transfers.add_pages([a_page(11), a_page(2), empty_context, a_page(1)])
        await uow.commit()
    async with units() as uow:
        assert await uow.transfers.pages(HIP, TRANSFER) == [a_page(1), a_page(2), empty_context, a_page(11)]
        assert await uow.transfers.pending_pages(HIP, TRANSFER, limit=10) == [a_page(1), a_page(2), a_page(11)]
        assert await uow.transfers.pending_pages(HIP, TRANSFER, limit=1) == [a_page(1)]


async def test_a_page_is_saved_and_leaves_the_pending_ones(units: Units) -> None:
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.transfers.add_pages([a_page(1), a_page(2)])
        page = await uow.transfers.lock_page(HIP, TRANSFER, 1)
        assert page == a_page(1)
        delivered = a_page(1).attempted().delivered(now=NOW + SECOND)
        await uow.transfers.save_page(delivered)
        assert await uow.transfers.lock_page(HIP, TRANSFER, 1) == delivered
        assert await uow.transfers.pending_pages(HIP, TRANSFER, limit=10) == [a_page(2)]
        assert await uow.transfers.lock_page(HIP, TRANSFER, 3) is None


async def test_several_pages_are_locked_and_saved_at_once(units: Units) -> None:
    delivered, refused = a_page(1).attempted().delivered(now=NOW), a_page(11).errored("no", now=NOW)
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.transfers.add_pages([a_page(11), a_page(2), a_page(1)])
        assert await uow.transfers.lock_pages(HIP, TRANSFER, [11, 1, 3]) == [a_page(1), a_page(11)]
        await uow.transfers.save_pages(HIP, TRANSFER, [refused, delivered, a_page(3)])
        await uow.transfers.save_pages(HIP, TRANSFER, [])
        await uow.commit()
    async with units() as uow:
        assert await uow.transfers.pages(HIP, TRANSFER) == [delivered, a_page(2), refused]


async def test_pages_that_exist_stay_as_they_are_when_a_plan_is_made_again(units: Units) -> None:
    delivered = a_page(1).delivered(now=NOW)
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.transfers.add_pages([a_page(1)])
        await uow.transfers.save_page(delivered)
        await uow.transfers.add_pages([a_page(1), a_page(2)])
        await uow.transfers.add_pages([])
        assert await uow.transfers.pages(HIP, TRANSFER) == [delivered, a_page(2)]


async def test_pages_of_no_transfer_are_refused_and_the_unit_lives_on(units: Units) -> None:
    async with units() as uow:
        with pytest.raises(NotFound):
            await uow.transfers.add_pages([a_page(1)])
        await uow.audit.append(an_audit_entry())
        await uow.commit()
    async with units() as uow:
        assert await uow.transfers.pages(HIP, TRANSFER) == []
        assert len(await uow.audit.list(Listing())) == 1
