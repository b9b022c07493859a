"""Conversations: registered before sent, callbacks in every order, silence shown as silence."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.openings import exchange_of, link_sent, visit_taken_in
from tests.builders.visits import a_visit

from hip.application.gateway_calls import GatewayError
from hip.application.gateway_events import Delivery, LinkAnswered, TokenAnswered
from hip.application.relay import SweepExchanges
from hip.application.storage import Topic
from hip.domain.errors import GatewayRefused, NotFound, Transient
from hip.domain.exchanges import Exchange, Flow, Outcome
from hip.domain.identifiers import HipId, RequestId, VisitCode
from hip.domain.links import LinkStatus


def test_an_attempt_is_in_the_books_before_the_call_is_made():
    async def story() -> None:
        house = House()
        seen: list[Exchange | None] = []
        send = house.gateway.send

        async def look_then_send(call, *, hip_id, request_id, now):
            async with house.units() as uow:
                seen.append(await uow.exchanges.lock_by_request_id(hip_id, request_id))
            return await send(call, hip_id=hip_id, request_id=request_id, now=now)

        house.gateway.send = look_then_send  # type: ignore[method-assign]
        await house.take_in()
        await house.work()
        assert [exchange.outcome for exchange in seen if exchange] == [Outcome.SENT]

    asyncio.run(story())


def test_a_callback_that_overtakes_the_reply_is_not_undone_by_it():
    async def story() -> None:
        house = House()
        send = house.gateway.send

        async def answer_first(call, *, hip_id, request_id, now):
            status = await send(call, hip_id=hip_id, request_id=request_id, now=now)
            if call.flow is Flow.LINK_CARE_CONTEXT:
                await house.accept_link_result(house.delivery(), LinkAnswered(answers=request_id, error=None))
            return status

        house.gateway.send = answer_first  # type: ignore[method-assign]
        await house.take_in()
        await house.work()
        await house.answer_token()
        await house.work()
        exchange = await exchange_of(house, Flow.LINK_CARE_CONTEXT)
        assert exchange.outcome is Outcome.ANSWERED
        assert exchange.succeeded
        async with house.units() as uow:
            request = await uow.link_requests.lock_by_visit(HIP, VisitCode("88120"))
        assert request is not None
        assert request.status is LinkStatus.LINKED

    asyncio.run(story())


def test_silence_becomes_unanswered_and_a_late_answer_still_counts():
    async def story() -> None:
        house = await link_sent()
        house.clock.advance(house.waits.answer + timedelta(seconds=1))
        sweep = SweepExchanges(house.units, house.clock)
        assert await sweep() == 1
        assert await sweep() == 0
        assert (await exchange_of(house, Flow.LINK_CARE_CONTEXT)).outcome is Outcome.UNANSWERED
        async with house.units() as uow:
            request = await uow.link_requests.lock_by_visit(HIP, VisitCode("88120"))
        assert request is not None
        assert request.status is LinkStatus.UNANSWERED
        await house.answer_link()
        async with house.units() as uow:
            request = await uow.link_requests.lock_by_visit(HIP, VisitCode("88120"))
        assert request is not None
        assert request.status is LinkStatus.LINKED

    asyncio.run(story())


def test_the_same_answer_twice_changes_nothing():
    async def story() -> None:
        house = House()
        await house.link()
        calls = len(house.gateway.calls)
        await house.answer_link()
        await house.answer_link("ABDM-1038")
        await house.work()
        assert len(house.gateway.calls) == calls
        exchange = await exchange_of(house, Flow.LINK_CARE_CONTEXT)
        assert exchange.succeeded

    asyncio.run(story())


def test_an_answer_to_a_call_we_never_made_or_another_facility_made_is_not_known():
    async def story() -> None:
        house = await visit_taken_in()
        answers = house.gateway.last_id(Flow.GENERATE_TOKEN)
        other = Delivery(hip_id=HipId("IN0410000999"), request_id=RequestId("r"), received_at=house.clock())
        with pytest.raises(NotFound):
            await house.accept_token(other, TokenAnswered(answers=answers, token="a.b.c", error=None))
        with pytest.raises(NotFound):
            await house.accept_token(
                house.delivery(), TokenAnswered(answers=RequestId("never-sent"), token="a.b.c", error=None)
            )

    asyncio.run(story())


def test_a_transient_failure_is_tried_again_under_a_new_request_id_and_the_first_refusal_is_kept():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.LINK_CARE_CONTEXT] = [Transient("busy", code="503")]
        await house.take_in()
        await house.work()
        await house.answer_token()
        await house.work()
        house.clock.advance(timedelta(minutes=1))
        await house.work()
        ids = [request_id for call, request_id in house.gateway.calls if call.flow is Flow.LINK_CARE_CONTEXT]
        assert len(set(ids)) == len(ids) == 2
        exchange = await exchange_of(house, Flow.LINK_CARE_CONTEXT)
        assert (exchange.outcome, exchange.refusal) == (Outcome.ACCEPTED, "503")

    asyncio.run(story())


def test_a_duplicate_code_means_that_the_repeat_was_harmless():
    async def story() -> None:
        house = await visit_taken_in()
        await house.answer_token()
        house.gateway.refusals[Flow.LINK_CARE_CONTEXT] = [
            GatewayRefused(call="link-care-context", code="ABDM-1056", status=400)
        ]
        await house.work()
        assert (await exchange_of(house, Flow.LINK_CARE_CONTEXT)).succeeded

    asyncio.run(story())


def test_a_token_answer_with_neither_token_nor_error_is_a_refusal():
    async def story() -> None:
        house = await visit_taken_in()
        answers = house.gateway.last_id(Flow.GENERATE_TOKEN)
        error = GatewayError(code="ABDM-9999", message="")
        await house.accept_token(house.delivery(), TokenAnswered(answers=answers, token=None, error=error))
        await house.work()
        assert house.gateway.of(Flow.LINK_CARE_CONTEXT) == []

    asyncio.run(story())


def test_a_callback_that_answers_a_call_of_another_flow_is_not_known():
    async def story() -> None:
        house = await visit_taken_in()
        answers = house.gateway.last_id(Flow.GENERATE_TOKEN)
        with pytest.raises(NotFound):
            await house.accept_link_result(house.delivery(), LinkAnswered(answers=answers, error=None))

    asyncio.run(story())


def test_an_sms_that_was_taken_and_never_confirmed_is_not_sent_again_before_the_sweep_has_seen_it():
    async def story() -> None:
        house = House()
        patient = replace(a_visit().patient, abha_address=None, abha_number=None)
        await house.take_in(a_visit(patient=patient))
        await house.work()
        assert len(house.gateway.of(Flow.SMS_NOTIFY)) == 1
        # The worker died before it could say so, and nobody came by until long after the answer was due.
        house.clock.advance(house.waits.answer * 3)
        async with house.units() as uow:
            await uow.outbox.add(HIP, Topic.SMS, "88120", run_at=house.clock())
            await uow.commit()
        await house.work()
        assert len(house.gateway.of(Flow.SMS_NOTIFY)) == 1
        assert (await exchange_of(house, Flow.SMS_NOTIFY)).outcome is Outcome.UNANSWERED

    asyncio.run(story())


def test_a_counted_call_whose_fate_was_hidden_by_two_crashes_is_still_made_once():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [RuntimeError("the process dies here")]  # type: ignore[list-item]
        await house.take_in()
        for _ in range(4):
            await house.work()
            house.clock.advance(timedelta(hours=1))
            await house.link_visit(HIP, "88120")
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        house.clock.advance(timedelta(hours=24))
        await house.link_visit(HIP, "88120")
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2, "a day later a new occasion may ask again"

    asyncio.run(story())
