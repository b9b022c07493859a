"""Scan and share: a place in the queue for who shows a profile (contract §2.8, SHARE_PATIENT_PROFILE_701)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.shares import a_profile, a_share
from tests.builders.visits import CLINIC

from hip.application.gateway_calls import OnShare
from hip.application.shares import AnswerShare
from hip.application.storage import Listing
from hip.domain.exchanges import Flow
from hip.domain.identifiers import AbhaAddress, HipId
from hip.entrypoints.facilities import ConfiguredFacilities


async def answered(house: House, request_id: str, **changes: object) -> OnShare:
    await house.answer_share(house.delivery(request_id), a_share(**changes))
    answer = house.gateway.of(Flow.ON_SHARE)[-1]
    assert isinstance(answer, OnShare)
    return answer


def test_patients_get_numbers_in_turn_by_counter_and_the_queue_begins_anew_each_indian_day():
    async def story() -> None:
        house = House()  # noon UTC: half past five in the afternoon in India
        ravi = a_profile(abha_address=AbhaAddress("ravi@sbx"))
        assert (await answered(house, "r-1")).token_number == "0001"
        assert (await answered(house, "r-2", profile=ravi)).token_number == "0002"
        assert (await answered(house, "r-3", counter="pharmacy")).token_number == "0001"
        house.clock.advance(timedelta(hours=6, minutes=29))
        assert (await answered(house, "r-4")).token_number == "0003"
        house.clock.advance(timedelta(minutes=31))
        assert (await answered(house, "r-5")).token_number == "0001"

    asyncio.run(story())


def test_a_second_scan_within_half_an_hour_gets_the_same_number_and_what_is_left_of_its_time():
    async def story() -> None:
        house = House()
        first = await answered(house, "r-1")
        house.clock.advance(timedelta(minutes=10))
        again = await answered(house, "r-2")
        assert (first.token_number, first.seconds) == ("0001", 1800)
        assert (again.token_number, again.seconds, again.answers) == ("0001", 1200, "r-2")
        async with house.units() as uow:
            assert len(await uow.shares.list(Listing())) == 1

    asyncio.run(story())


def test_a_repeat_of_a_delivery_is_answered_once():
    async def story() -> None:
        house = House()
        await answered(house, "r-1")
        await answered(house, "r-1")
        assert len(house.gateway.of(Flow.ON_SHARE)) == 1

    asyncio.run(story())


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"intent": "PAYMENT_SHARE"}, "ABDM-1149"),
        ({"intent": "RECORD_SHARE"}, "ABDM-1149"),
        ({"hip_id": "IN0410000999"}, "ABDM-1035"),
        ({"counter": "nowhere"}, "ABDM-1050"),
    ],
)
def test_what_cannot_be_taken_is_answered_with_an_error_and_keeps_no_profile(changes, code):
    async def story() -> None:
        house = House()
        known = ConfiguredFacilities((replace(CLINIC, counters=("counter1",)),))
        house.answer_share = AnswerShare(house.units, house.conversations, known, house.clock)
        answer = await answered(house, "r-1", **changes)
        assert answer.error is not None
        assert (answer.error.code, answer.token_number) == (code, None)
        async with house.units() as uow:
            assert await uow.shares.list(Listing()) == []
        assert (await answered(house, "r-2", hip_id=None)).token_number == "0001"

    asyncio.run(story())


def test_two_facilities_count_for_themselves():
    async def story() -> None:
        house = House()
        assert (await answered(house, "r-1")).token_number == "0001"
        theirs = replace(house.delivery("r-2"), hip_id=HipId("IN0410000999"))
        await house.answer_share(theirs, a_share(hip_id="IN0410000999"))
        async with house.units() as uow:
            assert {(t.hip_id, t.number) for t in await uow.shares.list(Listing())} == {(HIP, 1), (theirs.hip_id, 1)}

    asyncio.run(story())
