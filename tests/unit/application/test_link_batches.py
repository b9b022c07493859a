"""Several visits in one link call: who leads, and what a refusal of the whole means (contract §2.2)."""

import asyncio
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.visits import a_visit

from hip.application.exchange_retries import RetryExchange
from hip.application.gateway_calls import GatewayError, LinkCareContexts
from hip.application.gateway_events import LinkAnswered
from hip.application.relay import SweepExchanges
from hip.application.storage import Listing, Topic
from hip.domain.errors import GatewayRefused, Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import VisitCode
from hip.domain.links import LinkStatus


def _codes(number: int) -> list[VisitCode]:
    return [VisitCode(f"9{n:04}") for n in range(number)]


async def _waiting(number: int) -> House:
    """A house in which so many visits of one patient wait for the token that has just come."""
    house = House()
    for code in _codes(number):
        await house.take_in(a_visit(visit_code=code))
    await house.work()
    await house.answer_token()
    return house


def _sent(house: House) -> list[list[str]]:
    calls = house.gateway.of(Flow.LINK_CARE_CONTEXT)
    return [
        [context.reference for context in call.entries[0].care_contexts]
        for call in calls
        if isinstance(call, LinkCareContexts)
    ]


async def _statuses(house: House, number: int) -> list[LinkStatus]:
    async with house.units() as uow:
        found = [await uow.link_requests.lock_by_visit(HIP, code) for code in _codes(number)]
    return [request.status for request in found if request is not None]


def test_no_entry_has_more_than_twenty_contexts_and_every_visit_goes_out_once():
    async def story() -> None:
        house = await _waiting(23)
        await house.work()
        assert sorted(map(len, _sent(house))) == [3, 20]
        assert sorted(reference for batch in _sent(house) for reference in batch) == _codes(23)

    asyncio.run(story())


@pytest.mark.parametrize("at_once", [True, False])
def test_a_batch_with_one_bad_visit_is_taken_apart_and_the_others_are_linked(at_once):
    async def story() -> None:
        house = await _waiting(3)
        bad = _codes(3)[1]
        send = house.gateway.send

        async def refusing(call, *, hip_id, request_id, now):
            status = await send(call, hip_id=hip_id, request_id=request_id, now=now)
            if call.flow is not Flow.LINK_CARE_CONTEXT:
                return status
            code = "ABDM-1060" if bad in [c.reference for c in call.entries[0].care_contexts] else None
            if code and at_once:
                raise GatewayRefused(call="link", code=code, status=400)
            error = GatewayError(code=code, message="") if code else None
            await house.accept_link_result(house.delivery(), LinkAnswered(answers=request_id, error=error))
            return status

        house.gateway.send = refusing  # type: ignore[method-assign]
        await house.work()
        assert _sent(house)[0] == _codes(3)
        assert {tuple(batch) for batch in _sent(house)[1:]} == {(code,) for code in _codes(3)}
        assert await _statuses(house, 3) == [LinkStatus.LINKED, LinkStatus.REFUSED, LinkStatus.LINKED]

    asyncio.run(story())


def test_already_linked_is_believed_of_one_visit_and_not_of_several():
    async def story() -> None:
        house = await _waiting(2)
        refusal = GatewayRefused(call="link", code="ABDM-1056", status=400)
        house.gateway.refusals[Flow.LINK_CARE_CONTEXT] = [refusal, refusal]
        await house.work()
        assert _sent(house)[0] == _codes(2)
        assert sorted(_sent(house)[1:]) == [[code] for code in _codes(2)]
        assert sorted(await _statuses(house, 2)) == [LinkStatus.LINKED, LinkStatus.REQUESTED]

    asyncio.run(story())


def test_a_bad_token_refused_at_once_is_dropped_and_the_whole_batch_waits_for_another():
    async def story() -> None:
        house = await _waiting(2)
        house.gateway.refusals[Flow.LINK_CARE_CONTEXT] = [GatewayRefused(call="link", code="ABDM-1026", status=400)]
        house.clock.advance(house.waits.duplicate_window)
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2
        assert await _statuses(house, 2) == [LinkStatus.AWAITING_TOKEN] * 2
        await house.answer_token("d.e.f")
        await house.work()
        assert _sent(house) == [_codes(2), _codes(2)]

    asyncio.run(story())


def test_a_batch_that_failed_on_the_way_goes_out_again_as_it_was():
    async def story() -> None:
        house = await _waiting(2)
        house.gateway.refusals[Flow.LINK_CARE_CONTEXT] = [Transient("no reply")]
        await house.work()
        await house.take_in(a_visit(visit_code=VisitCode("95000")))
        house.clock.advance(timedelta(minutes=1))
        await house.work()
        assert _sent(house).count(_codes(2)) == 2
        assert _sent(house).count(["95000"]) == 1

    asyncio.run(story())


def test_silence_about_a_batch_is_shown_on_each_visit_and_a_late_answer_links_all():
    async def story() -> None:
        house = await _waiting(3)
        await house.work()
        house.clock.advance(house.waits.answer + timedelta(seconds=1))
        await SweepExchanges(house.units, house.clock)()
        assert await _statuses(house, 3) == [LinkStatus.UNANSWERED] * 3
        await house.answer_link()
        assert await _statuses(house, 3) == [LinkStatus.LINKED] * 3

    asyncio.run(story())


@pytest.mark.parametrize("at_once", [True, False])
def test_a_visit_that_was_refused_by_itself_is_not_sent_again_by_work_that_was_left_over(at_once):
    async def story() -> None:
        house = await _waiting(3)
        bad = _codes(3)[1]
        send = house.gateway.send

        async def refusing(call, *, hip_id, request_id, now):
            status = await send(call, hip_id=hip_id, request_id=request_id, now=now)
            refused = bad in [c.reference for c in call.entries[0].care_contexts]
            if refused and at_once:
                raise GatewayRefused(call="link", code="ABDM-1060", status=400)
            error = GatewayError(code="ABDM-1060", message="") if refused else None
            await house.accept_link_result(house.delivery(), LinkAnswered(answers=request_id, error=error))
            return status

        house.gateway.send = refusing  # type: ignore[method-assign]
        await house.work()
        async with house.units() as uow:
            await uow.outbox.add(HIP, Topic.LINK, bad, run_at=house.clock())
            await uow.commit()
        await house.work()
        assert _sent(house).count([bad]) == 1
        async with house.units() as uow:
            [exchange] = [e for e in await uow.exchanges.list(Listing()) if e.business_key == bad]
        await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")
        await house.work()
        assert _sent(house).count([bad]) == 2, "but it is when an operator asks for it"
        await house.take_in(a_visit(visit_code=bad, complaints=()))
        await house.work()
        assert _sent(house).count([bad]) == 3, "or a new version of the visit comes"

    asyncio.run(story())
