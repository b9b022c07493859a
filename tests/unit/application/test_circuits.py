"""A gateway that keeps failing is spared, and what met the pause waits without using up its tries or its quota."""

import asyncio
from datetime import datetime, timedelta

import pytest
from tests.builders.flows import HIP, House, SetClock

from hip.application.circuits import Circuits
from hip.application.storage import JobState, Listing, Topic
from hip.application.tries import TRIES
from hip.domain.circuits import CircuitRules, CircuitState
from hip.domain.errors import NOT_SENT, CircuitOpen, GatewayRefused, Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import VisitCode
from hip.domain.links import LinkStatus

HOST = "gateway.example.org"
RULES = CircuitRules(failures=2, pause=timedelta(seconds=30))


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, int, datetime | None]] = []

    def __call__(self, event: str, *, host: str, failures: int, until: datetime | None) -> None:
        self.lines.append((event, host, failures, until))


async def _call(circuits: Circuits, *, status: int | None, host: str = HOST) -> bool:
    async with circuits.passage(host) as passage:
        if status is None:
            passage.failed()
        else:
            passage.answered(status)
        return passage.probe


def test_it_opens_for_one_host_says_so_and_closes_with_the_first_answer():
    async def story() -> None:
        clock, log = SetClock(), Log()
        circuits = Circuits(RULES, clock, log)
        await _call(circuits, status=503)
        await _call(circuits, status=None)
        until = clock() + RULES.pause
        assert circuits.states() == {HOST: (CircuitState.OPEN, 2, until)}
        with pytest.raises(CircuitOpen) as stopped:
            await _call(circuits, status=200)
        assert (stopped.value.code, stopped.value.counted) == (NOT_SENT, False)
        assert stopped.value.retry_after == RULES.pause
        assert await _call(circuits, status=200, host="other.example.org") is False
        clock.advance(RULES.pause)
        assert circuits.states()[HOST][0] is CircuitState.HALF_OPEN
        assert await _call(circuits, status=404) is True, "any answer shows it alive"
        assert circuits.states()[HOST] == (CircuitState.CLOSED, 0, None)
        assert log.lines == [("circuit-opened", HOST, 2, until), ("circuit-closed", HOST, 0, None)]

    asyncio.run(story())


def test_while_one_call_tries_the_host_no_other_does_and_one_that_is_broken_off_gives_way():
    async def story() -> None:
        clock = SetClock()
        circuits = Circuits(RULES, clock, Log())
        for _ in range(2):
            await _call(circuits, status=500)
        clock.advance(RULES.pause)
        under_way = circuits.passage(HOST)
        assert (await under_way.__aenter__()).probe
        with pytest.raises(CircuitOpen):
            await _call(circuits, status=200)
        await under_way.__aexit__(None, None, None)
        assert await _call(circuits, status=200) is True

    asyncio.run(story())


def test_work_that_meets_the_pause_is_kept_however_long_it_lasts():
    async def story() -> None:
        house = House()
        stopped = CircuitOpen("it failed too often", retry_after=timedelta(seconds=30))
        probe = Transient("no reply", code="503")
        probe.counted = False
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [*([stopped] * 4 * TRIES[Topic.LINK]), probe]
        await house.take_in()
        for _ in range(4 * TRIES[Topic.LINK] + 2):
            await house.work()
            house.clock.advance(timedelta(minutes=10))
        await house.answer_token()
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 1
        async with house.units() as uow:
            assert [job for job in await uow.outbox.list(Listing()) if job.state is JobState.DEAD] == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("failure", "asked"),
    [
        (CircuitOpen("stopped", retry_after=timedelta(seconds=30)), 5),
        (Transient("no connection", code=NOT_SENT), 5),
        (Transient("throttled", code="ABDM-1022"), 3),
    ],
)
def test_link_02_only_calls_that_may_have_arrived_count_towards_three_a_day(failure: Transient, asked: int):
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [failure] * 4
        await house.take_in()
        for _ in range(10):
            await house.work()
            house.clock.advance(timedelta(minutes=10))
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == asked
        async with house.units() as uow:
            request = await uow.link_requests.lock_by_visit(HIP, VisitCode("88120"))
        assert request is not None
        assert (request.status, request.code) == (
            (LinkStatus.AWAITING_TOKEN, None) if asked == 5 else (LinkStatus.REFUSED, "ABDM-1027")
        )

    asyncio.run(story())


def test_link_02_a_session_that_was_refused_costs_the_patient_no_request():
    async def story() -> None:
        house = House()
        refused = GatewayRefused(call="sessions", code="401", status=401)
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [refused] * 4
        await house.take_in()
        for _ in range(5):
            await house.work()
            await house.link_visit(HIP, VisitCode("88120"))
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 5

    asyncio.run(story())
