"""Refused by callback for the moment only: said again within the policy of contract §1.10, and truly explained."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.openings import exchange_of, visit_taken_in
from tests.builders.visits import MEERA, a_visit

from hip.application.exchange_retries import RetryExchange
from hip.application.gateway_calls import GatewayError, LinkCareContexts
from hip.application.gateway_events import NotifyAnswered
from hip.application.passing_refusals import MOST_CALLS, PASSING, wait_before_repeat
from hip.application.relay import SweepExchanges
from hip.application.waits import Waits
from hip.domain.errors import DomainError, GatewayRefused
from hip.domain.exchanges import Exchange, ExchangeId, Flow, Outcome
from hip.domain.identifiers import RequestId, VisitCode
from hip.domain.links import LinkRequest, LinkStatus
from hip.domain.refusals import explain

CODES = [VisitCode("90000"), VisitCode("90001")]


async def _request(house: House, code: str = "88120") -> LinkRequest:
    async with house.units() as uow:
        request = await uow.link_requests.lock_by_visit(HIP, VisitCode(code))
    assert request is not None
    return request


async def _linking(*codes: VisitCode) -> House:
    """Visits of one patient, their link call just taken."""
    house = House()
    for code in codes:
        await house.take_in(a_visit(visit_code=code))
    await house.work()
    await house.answer_token()
    await house.work()
    return house


async def _notified(house: House, code: str | None) -> None:
    error = GatewayError(code=code, message="") if code else None
    answers = house.gateway.last_id(Flow.SMS_NOTIFY)
    await house.accept_notify(house.delivery(), NotifyAnswered(answers=answers, error=error))


async def _texted() -> House:
    return await visit_taken_in(a_visit(patient=replace(MEERA, abha_address=None, abha_number=None)))


@pytest.mark.parametrize("code", sorted(PASSING))
def test_a_link_that_was_refused_for_the_moment_is_made_again_as_it_was_and_not_at_once(code):
    async def story() -> None:
        house = await _linking(*CODES)
        await house.answer_link(code)
        await house.answer_link(code)  # a repeat of the callback asks for nothing more
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 1
        house.clock.advance(house.waits.throttled * 2)
        await house.work()
        first, again = house.gateway.of(Flow.LINK_CARE_CONTEXT)
        assert isinstance(first, LinkCareContexts)
        assert first == again
        await house.answer_link()
        assert [(await _request(house, visit)).status for visit in CODES] == [LinkStatus.LINKED] * 2
        assert (await exchange_of(house, Flow.LINK_CARE_CONTEXT)).refusal == code

    asyncio.run(story())


def test_after_five_calls_the_desk_is_shown_the_refusal_and_an_operator_may_go_on():
    async def story() -> None:
        house = await _linking(*CODES)
        for made in range(1, MOST_CALLS + 1):
            assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == made
            await house.answer_link("ABDM-2429")
            house.clock.advance(timedelta(hours=1))
            await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == MOST_CALLS
        shown = [await _request(house, visit) for visit in CODES]
        assert [(request.status, request.code) for request in shown] == [(LinkStatus.REFUSED, "ABDM-2429")] * 2
        exchange = await exchange_of(house, Flow.LINK_CARE_CONTEXT)
        await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) > MOST_CALLS

    asyncio.run(story())


def test_a_refusal_in_the_reply_that_may_pass_is_met_the_same_way():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.LINK_CARE_CONTEXT] = [GatewayRefused(call="link", code="ABDM-1024", status=400)]
        await house.take_in()
        await house.work()
        await house.answer_token()
        await house.work()
        assert (await _request(house)).status is LinkStatus.REQUESTED
        house.clock.advance(house.waits.throttled * 2)
        await house.work()
        await house.answer_link()
        assert (await _request(house)).status is LinkStatus.LINKED

    asyncio.run(story())


def test_an_sms_is_not_repeated_by_itself_but_an_operator_may_when_the_gateway_said_it_sent_none():
    async def story() -> None:
        house = await _texted()
        await _notified(house, "ABDM-1022")
        house.clock.advance(timedelta(days=2))
        await house.work()
        assert len(house.gateway.of(Flow.SMS_NOTIFY)) == 1
        assert "hip exchanges retry" in explain("ABDM-1022", Flow.SMS_NOTIFY).fix
        exchange = await exchange_of(house, Flow.SMS_NOTIFY)
        await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")
        await house.work()
        assert (await _request(house)).status is LinkStatus.SMS_REQUESTED
        await _notified(house, None)
        assert (await _request(house)).status is LinkStatus.SMS_SENT
        assert len(house.gateway.of(Flow.SMS_NOTIFY)) == 2
        with pytest.raises(DomainError):  # it went well, so never again
            await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")

    asyncio.run(story())


def test_an_sms_that_may_have_gone_out_is_not_sent_again_even_when_an_operator_asks():
    async def story() -> None:
        house = await _texted()
        house.clock.advance(house.waits.answer + timedelta(seconds=1))
        await SweepExchanges(house.units, house.clock)()
        exchange = await exchange_of(house, Flow.SMS_NOTIFY)
        assert exchange.outcome is Outcome.UNANSWERED
        with pytest.raises(DomainError, match="may have gone out"):
            await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")

    asyncio.run(story())


def test_the_waits_grow_are_never_less_than_a_minute_and_end():
    exchange = Exchange.open(
        ExchangeId("e"),
        hip_id=HIP,
        flow=Flow.LINK_CARE_CONTEXT,
        business_key="88120",
        request_id=RequestId("r-1"),
        now=House().clock(),
        answer_due=None,
    )
    now, waits = exchange.opened_at, []
    for number in range(2, MOST_CALLS + 2):
        exchange = exchange.answer(exchange.attempts[-1].request_id, code="ABDM-1022", now=now)
        waits.append(wait_before_repeat(exchange, Waits()))
        exchange = exchange.again(RequestId(f"r-{number}"), now=now, answer_due=None)
    *some, last = waits
    assert last is None
    for doubled, wait in enumerate(some):
        assert wait is not None
        assert timedelta(seconds=60) * 2**doubled <= wait < timedelta(seconds=90) * 2**doubled


@pytest.mark.parametrize("code", sorted(PASSING))
def test_the_advice_is_what_happens(code):
    """By itself where it is so; by an operator's command where nothing else does it."""
    for flow in (Flow.LINK_CARE_CONTEXT, Flow.CONTEXT_NOTIFY):
        assert "five times in all" in explain(code, flow).fix
    assert "if a callback did, run `hip exchanges retry`" in explain(code, Flow.SMS_NOTIFY).fix
