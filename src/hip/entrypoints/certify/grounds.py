"""The places a run can be played on: this process, or real servers."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from hip.adapters.clock import system_clock
from hip.entrypoints.certify.clocks import MovableClock
from hip.entrypoints.certify.running import Ground
from hip.entrypoints.container import AnyAdapters
from hip.entrypoints.demo.stages import Report, memory_stage, server_stage
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys

MEMORY_SCALE, SERVER_SCALE = 0.02, 0.2
"""Of every wait: the order of things is real, the pauses between them are not.

On servers an answer may take two minutes: on a busy machine it does.
"""

ON_SERVERS = 3
"""Cases under way at a time: each forks work-horses, and two cores are soon full."""

PATIENCE_OF_SERVERS = 180.0
"""Seconds, for each wait."""

Arrange = Callable[[AnyAdapters, MovableClock], None]


@cache
def _keys() -> GatewayKeys:
    return GatewayKeys.generate()


@asynccontextmanager
async def memory_ground(*, arrange: Arrange | None = None, deadline: float = 30.0) -> AsyncGenerator[Ground]:
    """Everything in this process on a clock that can be moved.

    ``arrange`` puts other adapters in place; ``deadline`` is in seconds, for each wait.
    """
    clock = MovableClock()
    async with memory_stage(
        wait_scale=MEMORY_SCALE,
        clock=clock,
        keys=_keys(),
        keep_bodies=True,
        arrange=None if arrange is None else lambda adapters: arrange(adapters, clock),
    ) as stage:
        await stage.register_bridge()
        yield Ground(
            stage=replace(stage, control=replace(stage.control, deadline=deadline)),
            clock=clock,
            apart=lambda: memory_ground(arrange=arrange, deadline=deadline),
        )


@asynccontextmanager
async def server_ground(folder: Path, report: Report) -> AsyncGenerator[Ground]:
    """Real processes on embedded real servers, over loopback."""
    async with server_stage(
        folder, wait_scale=SERVER_SCALE, report=report, gateway_options=("--keep-bodies",)
    ) as stage:
        await stage.register_bridge()
        patient = replace(stage, control=replace(stage.control, deadline=PATIENCE_OF_SERVERS))
        yield Ground(stage=patient, clock=system_clock, side_by_side=ON_SERVERS)
