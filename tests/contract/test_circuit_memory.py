"""``CircuitMemory`` in memory and in Redis: one circuit for each host, changed in one step whoever changes it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from hip.adapters.circuit_memory import RedisCircuitMemory
from hip.adapters.memory.circuit_memory import MemoryCircuitMemory
from hip.application.ports import CircuitMemory
from hip.domain.circuits import FORGOTTEN_AFTER, Circuit, CircuitRules
from hip.domain.errors import StorageFailed

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 3, 12, 10, 0, 0, 123456, tzinfo=UTC)
RULES = CircuitRules(failures=3, pause=timedelta(seconds=30))


@pytest.fixture(params=["memory", "redis"])
async def memories(request: pytest.FixtureRequest) -> AsyncIterator[tuple[CircuitMemory, CircuitMemory]]:
    """What two processes of a deployment hold; in memory they are one process."""
    if request.param == "memory":
        memory = MemoryCircuitMemory()
        yield memory, memory
        return
    url, client = request.getfixturevalue("redis_url"), f"client-{uuid4()}"
    one, two = (RedisCircuitMemory(url, client_id=client) for _ in range(2))
    yield one, two
    await one.close()
    await two.close()


def _failed(circuit: Circuit) -> Circuit:
    return circuit.failed(RULES, now=NOW)


async def test_nothing_is_held_against_a_host_that_nobody_knows(memories: tuple[CircuitMemory, CircuitMemory]) -> None:
    assert await memories[0].read("a.example.org", now=NOW) == Circuit()


async def test_what_one_made_of_it_the_other_reads_for_that_host_alone(
    memories: tuple[CircuitMemory, CircuitMemory],
) -> None:
    one, two = memories
    changes = [await memory.change("a.example.org", _failed, now=NOW) for memory in (one, two, one)]
    assert [(before.failures, after.failures) for before, after in changes] == [(0, 1), (1, 2), (2, 3)]
    opened = Circuit(failures=3, open_until=NOW + RULES.pause)
    assert changes[-1][1] == await two.read("a.example.org", now=NOW) == opened
    assert await two.read("b.example.org", now=NOW) == Circuit()
    probing = Circuit(failures=3, open_until=NOW, probe_until=NOW + RULES.probe)
    await two.change("a.example.org", lambda _: probing, now=NOW)
    assert await one.read("a.example.org", now=NOW) == probing


async def test_a_success_leaves_nothing(memories: tuple[CircuitMemory, CircuitMemory]) -> None:
    one, two = memories
    await one.change("a.example.org", _failed, now=NOW)
    assert await two.change("a.example.org", Circuit.succeeded, now=NOW) == (Circuit(failures=1), Circuit())
    assert await one.read("a.example.org", now=NOW) == Circuit()
    assert await one.change("a.example.org", Circuit.succeeded, now=NOW) == (Circuit(), Circuit())


async def test_no_failure_of_many_at_once_is_lost(memories: tuple[CircuitMemory, CircuitMemory]) -> None:
    changes = await asyncio.gather(
        *(memories[turn % 2].change("a.example.org", _failed, now=NOW) for turn in range(30))
    )
    assert (await memories[0].read("a.example.org", now=NOW)).failures == 30
    assert sorted(after.failures for _, after in changes) == list(range(1, 31)), "each was told of its own step"


async def test_of_many_that_ask_after_the_pause_one_probes(memories: tuple[CircuitMemory, CircuitMemory]) -> None:
    one, _ = memories
    for _ in range(RULES.failures):
        await one.change("a.example.org", _failed, now=NOW)
    after = NOW + RULES.pause

    async def asks(memory: CircuitMemory) -> bool:
        answers = []

        def ask(circuit: Circuit) -> Circuit:
            asked, answer = circuit.admit(RULES, now=after)
            answers.append(answer)
            return asked

        await memory.change("a.example.org", ask, now=after)
        return answers[-1].probe

    assert sum(await asyncio.gather(*(asks(memories[turn % 2]) for turn in range(30)))) == 1


async def test_a_memory_that_is_away_is_transient_and_no_change_is_made() -> None:
    memory = MemoryCircuitMemory()
    memory.down = True
    redis = RedisCircuitMemory("redis://127.0.0.1:9/0", client_id="c", answered_within=timedelta(milliseconds=200))
    try:
        for away in (memory, redis):
            with pytest.raises(StorageFailed):
                await away.read("a.example.org", now=NOW)
            with pytest.raises(StorageFailed):
                await away.change("a.example.org", _failed, now=NOW)
    finally:
        await redis.close()


async def test_what_nobody_spoke_of_for_an_hour_is_forgotten_in_memory() -> None:
    memory = MemoryCircuitMemory()
    await memory.change("a.example.org", _failed, now=NOW)
    moment = timedelta(microseconds=1)
    assert (await memory.read("a.example.org", now=NOW + FORGOTTEN_AFTER - moment)).failures == 1
    assert await memory.read("a.example.org", now=NOW + FORGOTTEN_AFTER) == Circuit()
