"""What only Redis can show of circuits: how they rest, when they leave, and that of several processes one probes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from tests.integration.redis.prober import RULES

from hip.adapters.circuit_memory import RedisCircuitMemory
from hip.domain.circuits import FORGOTTEN_AFTER, Circuit, CircuitState
from hip.domain.errors import StorageFailed

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 3, 12, 10, 0, tzinfo=UTC)
HOST = "gateway.example.org:8443"
PROCESSES, CALLS = 3, 10


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        await client.flushdb()
        yield client


@pytest.fixture
async def memory(redis_url: str) -> AsyncIterator[RedisCircuitMemory]:
    memory = RedisCircuitMemory(redis_url, client_id="canary-client")
    yield memory
    await memory.close()


def _failed(circuit: Circuit) -> Circuit:
    return circuit.failed(RULES, now=NOW)


async def _key(redis: Redis) -> bytes:
    (key,) = [key async for key in redis.scan_iter("hip:circuit:*")]
    assert isinstance(key, bytes)
    return key


async def test_a_key_names_the_host_and_no_client_and_leaves_by_itself(
    redis: Redis, memory: RedisCircuitMemory
) -> None:
    await memory.change(HOST, _failed, now=NOW)
    key = await _key(redis)
    assert key.endswith(HOST.encode())
    assert b"canary" not in key + await redis.get(key)
    assert timedelta(0) < timedelta(milliseconds=await redis.pttl(key)) <= FORGOTTEN_AFTER
    opened = Circuit(failures=3, open_until=NOW + timedelta(hours=2))
    await memory.change(HOST, lambda _: opened, now=NOW)
    assert timedelta(milliseconds=await redis.pttl(key)) > timedelta(hours=2), "as long as it is open, and an hour"
    await memory.change(HOST, Circuit.succeeded, now=NOW)
    assert not await redis.exists(key)


async def test_another_clients_circuit_is_another(redis: Redis, redis_url: str, memory: RedisCircuitMemory) -> None:
    await memory.change(HOST, _failed, now=NOW)
    other = RedisCircuitMemory(redis_url, client_id="other")
    assert await other.read(HOST, now=NOW) == Circuit()
    await other.close()
    await redis.flushdb()
    assert await memory.read(HOST, now=NOW) == Circuit(), "a flushed Redis has closed circuits"


@pytest.mark.parametrize(
    "foreign",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b'{"failures": 3}',
        b'{"failures": 3, "openUntil": "2026-03-12T10:00:00", "probeUntil": null}',
        b'{"failures": 3, "openUntil": "soon", "probeUntil": null}',
    ],
)
async def test_a_value_that_is_not_ours_is_none_and_is_replaced(
    redis: Redis, memory: RedisCircuitMemory, foreign: bytes
) -> None:
    await memory.change(HOST, _failed, now=NOW)
    await redis.set(await _key(redis), foreign)
    assert await memory.read(HOST, now=NOW) == Circuit()
    assert await memory.change(HOST, _failed, now=NOW) == (Circuit(), Circuit(failures=1))
    assert await memory.read(HOST, now=NOW) == Circuit(failures=1)


async def test_a_value_of_another_kind_is_a_memory_that_is_away(redis: Redis, memory: RedisCircuitMemory) -> None:
    await memory.change(HOST, _failed, now=NOW)
    key = await _key(redis)
    await redis.delete(key)
    await redis.lpush(key, "not a string")
    with pytest.raises(StorageFailed, match="Redis did not answer"):
        await memory.change(HOST, _failed, now=NOW)


async def test_a_connection_that_broke_is_made_again(redis: Redis, memory: RedisCircuitMemory) -> None:
    await memory.change(HOST, _failed, now=NOW)
    mine, database = await redis.client_id(), (await redis.client_info())["db"]
    for client in await redis.client_list():
        if int(client["id"]) != mine and client["db"] == database:
            await redis.client_kill_filter(_id=client["id"])
    assert (await memory.change(HOST, _failed, now=NOW))[1].failures == 2


async def test_of_several_processes_that_find_the_pause_over_one_makes_one_call_and_closes_it(redis_url: str) -> None:
    client_id = f"client-{uuid4()}"
    memory = RedisCircuitMemory(redis_url, client_id=client_id)
    for _ in range(RULES.failures):
        await memory.change(HOST, _failed, now=NOW)  # its pause has been over since
    with ExitStack() as stack:
        probers = [stack.enter_context(_started(redis_url, client_id)) for _ in range(PROCESSES)]
        try:
            assert await _told(probers) == ["ready\n"] * PROCESSES
            _tell(probers)
            assert sorted(await _told(probers)) == ["0 0\n"] * (PROCESSES - 1) + ["1 1\n"]
            assert (await memory.read(HOST, now=NOW)).state(datetime.now(UTC)) is CircuitState.HALF_OPEN
            _tell(probers)
            for prober in probers:
                assert await asyncio.to_thread(prober.wait, 60) == 0
            assert await memory.read(HOST, now=NOW) == Circuit(), "the one call that went well closed it for all"
        finally:
            for prober in probers:
                prober.kill()
            await memory.close()


def _started(redis_url: str, client_id: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, "-m", "tests.integration.redis.prober", redis_url, client_id, HOST, str(CALLS)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


async def _told(probers: list[subprocess.Popen[str]]) -> list[str]:
    return [await asyncio.to_thread(prober.stdout.readline) for prober in probers if prober.stdout is not None]


def _tell(probers: list[subprocess.Popen[str]]) -> None:
    for prober in probers:
        assert prober.stdin is not None
        prober.stdin.write("go\n")
        prober.stdin.flush()
