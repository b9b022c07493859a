"""2,000 mixed conversations with everything on at random: each ends in a state both sides agree on, and it says why.

Memory mode runs as one process, server mode as web, relay and worker on real servers, each killed now and then.
"""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.e2e.conversations import play
from tests.e2e.ledger import all_settled
from tests.e2e.loopback import PATIENCE, memory_loopback
from tests.servers import quick_disk

from hip.entrypoints.demo.processes import ServiceProcess
from hip.entrypoints.demo.stages import Stage, server_stage
from hip.entrypoints.embedded.places import fresh_folder

SEED = int(os.environ.get("HIP_SOAK_SEED", "1"))
CHANCE = 0.05
SCALE = 0.01


class Killing:
    """SIGKILL to web, relay or worker at random, with all below it; it is started again at the same place."""

    def __init__(self, stage: Stage, seed: int, *, every: tuple[float, float]) -> None:
        assert stage.service is not None
        self.service, self.every = stage.service, every
        self.bind = httpx.URL(stage.addresses["hip"]).netloc.decode()
        self.chance = random.Random(seed)
        self.kills: Counter[str] = Counter()

    async def __call__(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(*self.every))
            await asyncio.to_thread(self._strike, self.chance.choice(["serve", "relay", "worker"]))

    def _strike(self, name: str) -> None:
        process = self.service.processes[name]
        process.kill_family()
        process.stop()
        environment = {**self.service.environment_of(name), "HIP_BIND": self.bind}
        again: ServiceProcess = self.service.start(
            name, name, module="hip.entrypoints.cli.main", environment=environment
        )
        if name == "serve":
            again.address()
        self.kills[name] += 1


async def _soak(stage: Stage, *, count: int, at_once: int, meanwhile: Awaitable[None] | None = None) -> None:
    stage = replace(stage, control=replace(stage.control, deadline=120.0))
    await stage.control.everything_at_random(seed=SEED, chance=CHANCE)
    beside = asyncio.ensure_future(meanwhile) if meanwhile is not None else None
    ends, wrong = await play(stage, count=count, seed=SEED, at_once=at_once)
    if beside is not None:
        beside.cancel()
        with suppress(asyncio.CancelledError):
            await beside
    assert not wrong, f"seed {SEED}, {len(wrong)} of {count}:\n" + "\n".join(each[:600] for each in wrong[:20])
    assert sum(ends.values()) == count
    await all_settled(stage.control)
    # Chance may spoil some; a service that spoils most has another reason.
    well = sum(times for (_, _, why), times in ends.items() if why in ("", "1 bundle sent"))
    assert well > count * 0.6, ends


async def _memory(count: int, at_once: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with memory_loopback(Path(folder), wait_scale=SCALE) as stage:
            await _soak(stage, count=count, at_once=at_once)


async def _server(folder: Path, *, count: int, at_once: int, every: tuple[float, float]) -> None:
    more = {"HIP_GATEWAY_TIMEOUT": PATIENCE, "HIP_PUSH_TIMEOUT": PATIENCE}
    async with server_stage(
        folder,
        wait_scale=SCALE,
        report=lambda _: None,
        settings=more,
        gateway_options=("--ack-patience", "20", "--keep-bodies"),
    ) as stage:
        await stage.register_bridge()
        killing = Killing(stage, SEED, every=every)
        await _soak(stage, count=count, at_once=at_once, meanwhile=killing())
        assert killing.kills, "nothing was killed"


@pytest.mark.timeout(200)
def test_sixty_mixed_conversations_end_in_explained_states():
    asyncio.run(_memory(60, at_once=60))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_eighteen_hundred_mixed_conversations_end_in_explained_states():
    asyncio.run(_memory(1850, at_once=64))


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_hundred_and_fifty_mixed_conversations_survive_kills_of_web_relay_and_worker():
    with fresh_folder(inside=quick_disk()) as folder:
        asyncio.run(_server(folder, count=150, at_once=24, every=(4, 12)))
