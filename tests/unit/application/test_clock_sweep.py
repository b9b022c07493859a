"""The gateway says again and again that our clock is wrong: somebody is told (contract §1.2)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.visits import MEERA, a_visit

from hip.application.storage import Listing
from hip.application.sweeps import SweepClock
from hip.domain.errors import GatewayRefused
from hip.domain.exchanges import Flow
from hip.domain.identifiers import PatientReference, VisitCode


async def _refused(house: House, number: int, code: str, *, call: str = "sms-notify") -> None:
    """An SMS notify of its own, which the gateway refuses with ``code``."""
    house.gateway.refusals[Flow.SMS_NOTIFY] = [GatewayRefused(call=call, code=code, status=400)]
    patient = replace(MEERA, reference=PatientReference(f"P-{number}"), abha_address=None, abha_number=None)
    await house.take_in(a_visit(visit_code=VisitCode(f"7{number:04}"), patient=patient))
    await house.work()


@pytest.mark.parametrize(("code", "call"), [("ABDM-1016", "sms-notify"), ("ABDM-2402", "sessions")])
def test_refusals_for_our_clock_raise_an_alarm_at_most_once_a_minute_and_only_while_they_come(code: str, call: str):
    async def story() -> None:
        house = House()
        sweep = SweepClock(house.units, house.clock, house._alarm)
        await _refused(house, 1, code, call=call)
        assert await sweep() == 0, "once may happen"
        await _refused(house, 2, code, call=call)
        second = house.gateway.last_id(Flow.SMS_NOTIFY)
        assert await sweep() == 1
        await _refused(house, 3, code, call=call)
        house.clock.advance(timedelta(seconds=59))
        assert await sweep() == 0, "once a minute is enough"
        house.clock.advance(timedelta(seconds=1))
        third = house.gateway.last_id(Flow.SMS_NOTIFY)
        assert await sweep() == 1
        house.clock.advance(timedelta(minutes=2))
        assert await sweep() == 0, "the clock was put right"
        assert house.alarms == [("clock-refused", second, "2 refusals"), ("clock-refused", third, "3 refusals")]

    asyncio.run(story())


def test_refusals_long_apart_and_other_refusals_raise_none():
    async def story() -> None:
        house = House()
        sweep = SweepClock(house.units, house.clock, house._alarm)
        for number in range(3):
            await _refused(house, number, "ABDM-1016")
            assert await sweep() == 0
            house.clock.advance(timedelta(minutes=11))
        for number in range(3, 6):
            await _refused(house, number, "ABDM-1035")
        assert await sweep() == 0
        assert house.alarms == []

    asyncio.run(story())


def test_a_session_refused_for_our_clock_counts_as_not_sent_and_says_why():
    async def story() -> None:
        house = House()
        await _refused(house, 1, "ABDM-1016", call="sessions")
        async with house.units() as uow:
            [exchange] = await uow.exchanges.list(Listing(hip_id=HIP))
        assert exchange.refusal == "no-session-clock"
        assert not exchange.attempts[-1].may_have_arrived

    asyncio.run(story())
