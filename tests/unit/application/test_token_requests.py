"""When a link token is asked for, and when it is not: contract §2.1, LINK-02."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.openings import visit_taken_in
from tests.builders.visits import MEERA, a_visit

from hip.application.relay import SweepExchanges
from hip.domain.errors import GatewayRefused
from hip.domain.exchanges import Flow
from hip.domain.identifiers import VisitCode
from hip.domain.links import LinkStatus

CODE, LATER = VisitCode("88120"), VisitCode("88200")


async def _status(house: House, visit_code: VisitCode = CODE) -> tuple[LinkStatus, str | None]:
    async with house.units() as uow:
        request = await uow.link_requests.lock_by_visit(HIP, visit_code)
    assert request is not None
    return request.status, request.code


def test_a_demographic_mismatch_is_asked_again_only_after_the_desk_has_corrected_it():
    async def story() -> None:
        house = await visit_taken_in()
        await house.answer_token(token=None, code="ABDM-1207")
        house.clock.advance(timedelta(hours=2))
        await house.take_in(a_visit(visit_code=LATER))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        assert await _status(house, LATER) == (LinkStatus.REFUSED, "ABDM-1207")
        await house.take_in(a_visit(visit_code=LATER, patient=replace(MEERA, name="Meera S Kulkarni")))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2

    asyncio.run(story())


def test_nothing_is_asked_for_24_hours_after_the_gateway_has_blocked_the_patient():
    async def story() -> None:
        house = await visit_taken_in()
        await house.answer_token(token=None, code="ABDM-1027")
        house.clock.advance(timedelta(hours=23))
        await house.take_in(a_visit(visit_code=LATER))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        assert await _status(house, LATER) == (LinkStatus.REFUSED, "ABDM-1027")
        house.clock.advance(timedelta(hours=2))
        await house.link_visit(HIP, LATER)
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2

    asyncio.run(story())


def test_a_refusal_as_duplicate_is_asked_again_by_itself_when_its_window_is_over():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [
            GatewayRefused(call="generate-token", code="ABDM-1092", status=400)
        ]
        await house.take_in()
        await house.work()
        assert await _status(house) == (LinkStatus.AWAITING_TOKEN, None)
        house.clock.advance(house.waits.duplicate_window * 0.9)
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        house.clock.advance(house.waits.duplicate_window)
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2

    asyncio.run(story())


@pytest.mark.parametrize("code", ["ABDM-1022", "ABDM-2429", "ABDM-1024", "ABDM-1092"])
def test_a_passing_refusal_by_callback_is_asked_again_by_itself(code: str):
    async def story() -> None:
        house = await visit_taken_in()
        await house.answer_token(token=None, code=code)
        assert await _status(house) == (LinkStatus.AWAITING_TOKEN, None)
        house.clock.advance(house.waits.duplicate_window)
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2

    asyncio.run(story())


def test_silence_about_a_token_is_shown_on_every_visit_that_waits_and_a_late_token_still_links_them():
    async def story() -> None:
        house = House()
        await house.take_in()
        await house.take_in(a_visit(visit_code=LATER))
        await house.work()
        house.clock.advance(house.waits.answer + timedelta(seconds=1))
        assert await SweepExchanges(house.units, house.clock)() == 1
        assert await _status(house) == (LinkStatus.UNANSWERED, "no-answer")
        assert await _status(house, LATER) == (LinkStatus.UNANSWERED, "no-answer")
        await house.answer_token()
        await house.work()
        await house.answer_link()
        assert [(await _status(house, code))[0] for code in (CODE, LATER)] == [LinkStatus.LINKED] * 2

    asyncio.run(story())


def test_two_processes_that_need_a_token_at_once_ask_for_one():
    async def story() -> None:
        house = House()
        send, gate = house.gateway.send, asyncio.Event()

        async def slowly(call, *, hip_id, request_id, now):
            await gate.wait()
            return await send(call, hip_id=hip_id, request_id=request_id, now=now)

        house.gateway.send = slowly  # type: ignore[method-assign]
        await house.take_in()
        await house.take_in(a_visit(visit_code=LATER))
        first, second = asyncio.create_task(house.work()), asyncio.create_task(house.work())
        await asyncio.sleep(0.05)
        gate.set()
        await asyncio.gather(first, second)
        house.clock.advance(timedelta(minutes=1))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        assert await _status(house) == await _status(house, LATER) == (LinkStatus.AWAITING_TOKEN, None)

    asyncio.run(story())
