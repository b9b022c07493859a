"""An operator has a conversation held again: under a new REQUEST-ID, the first refusal kept, every rule asked again."""

import asyncio
from datetime import timedelta

import pytest
from tests.builders.flows import HIP
from tests.builders.openings import exchange_of, link_sent, visit_taken_in

from hip.application.exchange_retries import RetryExchange
from hip.domain.errors import DomainError, NotFound
from hip.domain.exchanges import ExchangeId, Flow


def test_a_refused_link_is_held_again_and_its_first_refusal_is_kept():
    async def story() -> None:
        house = await link_sent()
        await house.answer_link("ABDM-1035")
        exchange = await exchange_of(house, Flow.LINK_CARE_CONTEXT)
        await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")
        await house.work()
        await house.answer_link()
        exchange = await exchange_of(house, Flow.LINK_CARE_CONTEXT)
        assert exchange.succeeded
        assert exchange.refusal == "ABDM-1035"
        assert len({attempt.request_id for attempt in exchange.attempts}) == 2

    asyncio.run(story())


def test_retrying_a_mismatch_without_correcting_it_asks_nothing():
    async def story() -> None:
        house = await visit_taken_in()
        await house.answer_token(token=None, code="ABDM-1207")
        house.clock.advance(timedelta(hours=1))
        exchange = await exchange_of(house, Flow.GENERATE_TOKEN)
        await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1

    asyncio.run(story())


def test_what_still_waits_or_is_not_known_cannot_be_retried():
    async def story() -> None:
        house = await visit_taken_in()
        retry = RetryExchange(house.units, house.clock)
        with pytest.raises(DomainError, match="accepted"):
            await retry(HIP, (await exchange_of(house, Flow.GENERATE_TOKEN)).id, actor="test")
        with pytest.raises(NotFound):
            await retry(HIP, ExchangeId("unheard of"), actor="test")

    asyncio.run(story())
