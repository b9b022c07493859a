"""A gateway that keeps failing is spared, and what met the pause waits without using up its tries or its quota."""

import asyncio
from datetime import datetime, timedelta

import pytest
from tests.builders.flows import HIP, House, SetClock

from hip.adapters.memory.circuit_memory import MemoryCircuitMemory
from hip.application.circuits import ALONE, Circuits
from hip.application.storage import JobState, Listing, Topic
from hip.application.tries import TRIES
from hip.domain.circuits import Circuit, CircuitRules, CircuitState
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
        circuits = Circuits(RULES, clock, log, MemoryCircuitMemory())
        await _call(circuits, status=503)
        await _call(circuits, status=None)
        until = clock() + RULES.pause
        assert await circuits.look(HOST) == Circuit(failures=2, open_until=until)
        with pytest.raises(CircuitOpen) as stopped:
            await _call(circuits, status=200)
        assert (stopped.value.code, stopped.value.counted) == (NOT_SENT, False)
        assert stopped.value.retry_after == RULES.pause
        assert await _call(circuits, status=200, host="other.example.org") is False
        clock.advance(RULES.pause)
        assert (await circuits.look(HOST)).state(clock()) is CircuitState.HALF_OPEN
        assert await _call(circuits, status=404) is True, "any answer shows it alive"
        assert await circuits.look(HOST) == Circuit()
        assert log.lines == [("circuit-opened", HOST, 2, until), ("circuit-closed", HOST, 0, None)]

    asyncio.run(story())


def test_while_one_call_tries_the_host_no_other_does_and_one_that_is_broken_off_gives_way():
    async def story() -> None:
        clock = SetClock()
        circuits = Circuits(RULES, clock, Log(), MemoryCircuitMemory())
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


def test_two_processes_count_together_one_of_them_probes_and_the_log_says_it_once():
    async def story() -> None:
        clock, log, shared = SetClock(), Log(), MemoryCircuitMemory()
        one, two = (Circuits(RULES, clock, log, shared) for _ in range(2))
        await _call(one, status=503)
        await _call(two, status=503)
        for circuits in (one, two):
            with pytest.raises(CircuitOpen):
                await _call(circuits, status=200)
        clock.advance(RULES.pause)
        async with one.passage(HOST) as passage:
            assert passage.probe
            with pytest.raises(CircuitOpen):
                await _call(two, status=200)
            passage.answered(200)
        assert await _call(two, status=200) is False
        assert [line[0] for line in log.lines] == ["circuit-opened", "circuit-closed"]

    asyncio.run(story())


def test_while_the_shared_memory_is_away_a_process_goes_by_what_it_knew_and_meets():
    async def story() -> None:
        clock, shared = SetClock(), MemoryCircuitMemory()
        circuits = Circuits(RULES, clock, Log(), shared)
        await _call(circuits, status=503)
        shared.down = True
        assert await _call(circuits, status=503) is False, "no call fails because of it"
        with pytest.raises(CircuitOpen):
            await _call(circuits, status=200)
        assert (await circuits.look(HOST)).state(clock()) is CircuitState.OPEN
        clock.advance(RULES.pause)
        assert await _call(circuits, status=200) is True
        assert await circuits.look(HOST) == Circuit()

    asyncio.run(story())


def test_a_memory_that_did_not_answer_is_asked_again_after_a_while_and_then_decides():
    async def story() -> None:
        clock, shared = SetClock(), MemoryCircuitMemory()
        circuits = Circuits(RULES, clock, Log(), shared)
        shared.down = True
        for _ in range(2):
            await _call(circuits, status=503)
        shared.down = False
        with pytest.raises(CircuitOpen):
            await _call(circuits, status=200)
        clock.advance(ALONE)
        assert await _call(circuits, status=200) is False, "what it kept meanwhile is the other processes' no more"
        clock.advance(-timedelta(days=1))
        shared.down = True
        await _call(circuits, status=200)
        shared.down = False
        clock.advance(-timedelta(hours=1))
        await _call(circuits, status=503)
        assert (await shared.read(HOST, now=clock())).failures == 1, "a clock that was set back makes it no longer"

    asyncio.run(story())


def test_a_probe_that_met_the_memorys_end_is_over_when_its_time_is():
    async def story() -> None:
        clock, shared = SetClock(), MemoryCircuitMemory()
        circuits = Circuits(RULES, clock, Log(), shared)
        for _ in range(2):
            await _call(circuits, status=503)
        clock.advance(RULES.pause)
        async with circuits.passage(HOST) as passage:
            assert passage.probe
            shared.down = True
            passage.answered(200)
        shared.down = False
        clock.advance(ALONE)
        with pytest.raises(CircuitOpen):
            await _call(circuits, status=200)
        clock.advance(RULES.probe)
        assert await _call(circuits, status=200) is True

    asyncio.run(story())


def test_a_host_that_is_always_tried_is_kept_by_no_memory():
    async def story() -> None:
        clock, shared = SetClock(), MemoryCircuitMemory()
        await shared.change(HOST, lambda circuit: circuit.failed(RULES, now=clock()), now=clock())
        circuits = Circuits(CircuitRules(failures=0), clock, Log(), shared)
        for _ in range(5):
            assert await _call(circuits, status=503) is False
        assert (await shared.read(HOST, now=clock())).failures == 1

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
