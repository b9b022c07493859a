"""What is told of a transfer that went wrong, and what a retry sends."""

import asyncio
from datetime import timedelta

import pytest
from tests.builders.flows import HIP
from tests.builders.openings import data_asked_for
from tests.builders.releases import transfer_of

from hip.domain.errors import CircuitOpen, IllegalTransition, PushRefused, Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import TransactionId
from hip.domain.transfers import TransferOutcome, TransferState

T1 = TransactionId("t-1")


def test_a_notify_that_the_gateway_did_not_take_is_told_again_and_says_the_same():
    async def story() -> None:
        house = await data_asked_for()
        house.gateway.refusals[Flow.HEALTH_INFORMATION_NOTIFY] = [Transient("503", code="503")] * 2
        for _ in range(3):
            await house.work()
            house.clock.advance(timedelta(seconds=60))
        told = house.gateway.of(Flow.HEALTH_INFORMATION_NOTIFY)
        assert len(told) == 3
        assert len(set(map(repr, told))) == 1
        assert (await transfer_of(house)).state is TransferState.DONE

    asyncio.run(story())


def test_a_failed_transfer_is_retried_by_the_operator_and_sends_only_what_was_not_delivered():
    async def story() -> None:
        house = await data_asked_for()
        house.pusher.errors = [PushRefused(status=403)] * 3
        await house.work()
        assert (await transfer_of(house)).outcome is TransferOutcome.FAILED
        await house.retry_transfer(HIP, T1, actor="test")
        await house.work()
        assert (await transfer_of(house)).outcome is TransferOutcome.TRANSFERRED
        assert len(house.pusher.pages) == 3
        with pytest.raises(IllegalTransition):
            await house.retry_transfer(HIP, T1, actor="test")

    asyncio.run(story())


def test_push_06_while_the_requesters_host_is_spared_no_page_is_decided_on_and_the_transfer_waits_for_it():
    async def story() -> None:
        house = await data_asked_for()
        house.pusher.pause = timedelta(seconds=20)
        await house.work()
        assert house.pusher.pages == []
        async with house.units() as uow:
            pages = await uow.transfers.pending_pages(HIP, T1, limit=10)
        assert [page.attempts for page in pages] == [0] * 3
        house.pusher.pause = None
        house.clock.advance(timedelta(seconds=19))
        await house.work()
        assert house.pusher.pages == [], "not before the pause is over"
        house.clock.advance(timedelta(seconds=60))
        await house.work()
        assert len(house.pusher.pages) == 3
        assert (await transfer_of(house)).outcome is TransferOutcome.TRANSFERRED

    asyncio.run(story())


def test_push_06_a_page_that_meets_the_pause_under_way_ends_the_run_and_is_sent_later():
    async def story() -> None:
        house = await data_asked_for()
        house.pusher.errors = [CircuitOpen("push:hiu failed", retry_after=timedelta(seconds=30))] * 3
        await house.work()
        house.clock.advance(timedelta(seconds=90))
        house.pusher.errors = []
        await house.work()
        assert len(house.pusher.pages) == 3
        assert (await transfer_of(house)).outcome is TransferOutcome.TRANSFERRED

    asyncio.run(story())


def test_push_06_a_page_that_only_ever_met_the_pause_is_not_given_up_at_the_first_404():
    """Contract §2.10: 404 is answered while the requester does not know the transaction yet."""

    async def story() -> None:
        house = await data_asked_for()
        for _ in house.waits.push_retries:
            house.pusher.errors = [CircuitOpen("push:hiu failed", retry_after=timedelta(seconds=30))] * 3
            await house.work()
            house.clock.advance(timedelta(seconds=90))
        async with house.units() as uow:
            pages = await uow.transfers.pending_pages(HIP, T1, limit=10)
        assert [page.attempts for page in pages] == [0] * 3
        house.pusher.errors = [Transient("404", code="404")] * 3
        await house.work()
        house.clock.advance(timedelta(seconds=90))
        await house.work()
        assert (await transfer_of(house)).outcome is TransferOutcome.TRANSFERRED

    asyncio.run(story())
