"""The sandbox as three processes on loopback, which end with this one."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.parties import Register
from hip.entrypoints.sandbox.routing import StartFailed, loopback_clients

START = 60.0  # seconds; importing the stack takes one, on a busy machine many
STOP = 10.0


@dataclass(frozen=True, slots=True)
class SandboxProcesses:
    """Where the three apps listen, without a final slash, and their process ids by name."""

    gateway_url: str
    hiu_url: str
    patient_url: str
    pids: dict[str, int]
    control: SandboxControl


@asynccontextmanager
async def sandbox_processes(
    *,
    register: Register | None = None,
    wait_scale: float = 1.0,
    gateway_options: Sequence[str] = (),
    hiu_options: Sequence[str] = (),
    deadline: float = 60.0,
) -> AsyncGenerator[SandboxProcesses]:
    """Start the three, wait until they answer, stop them at the end. Raises StartFailed.

    The options are those of ``python -m hip.entrypoints.sandbox``. A free port is taken for each unless one is given.
    """
    scale = f"--wait-scale={wait_scale}"
    async with AsyncExitStack() as stack:
        gateway, gateway_url = await _started(stack, "gateway", scale, *gateway_options)
        line = f"--gateway={gateway_url}"
        (hiu, hiu_url), (phone, patient_url) = await _both(
            _started(stack, "hiu", line, scale, *hiu_options), _started(stack, "patient-app", line)
        )
        http = await stack.enter_async_context(loopback_clients())
        control = SandboxControl(
            http=http, gateway_url=gateway_url, hiu_url=hiu_url, patient_url=patient_url, deadline=deadline
        )
        for client in register.clients if register else ():
            await control.register_client(client)
        for patient in register.patients if register else ():
            await control.register_patient(patient)
        pids = {"gateway": gateway.pid, "hiu": hiu.pid, "patient-app": phone.pid}
        yield SandboxProcesses(gateway_url, hiu_url, patient_url, pids, control)


async def _both(*starts: Coroutine[Any, Any, tuple[Process, str]]) -> list[tuple[Process, str]]:
    """Wait for every start, also when one fails: what has started is on the stack then, and is stopped."""
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


async def _started(stack: AsyncExitStack, app: str, *options: str) -> tuple[Process, str]:
    program = (sys.executable, "-m", "hip.entrypoints.sandbox", app, *options)
    process = await asyncio.create_subprocess_exec(*program, stdout=PIPE)
    stack.push_async_callback(_stop, process)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START):
            line = (await process.stdout.readline()).decode()
    except TimeoutError:
        raise StartFailed(f"the sandbox's {app} did not answer within {START:g} s") from None
    if not line.startswith("listening "):
        raise StartFailed(f"the sandbox's {app} ended with status {await process.wait()}")
    return process, line.split()[1]


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(STOP):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
