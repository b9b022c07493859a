"""The three simulators as processes of their own, over real loopback sockets."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from tests.unit.sandbox.conftest import CLIENT, MEERA
from tests.unit.sandbox.scripted_hip import BUNDLE, ScriptedHip, entry

from hip.entrypoints.sandbox.parties import Register
from hip.entrypoints.sandbox.processes import sandbox_processes
from hip.entrypoints.sandbox.routing import StartFailed

PROGRAM = [sys.executable, "-m", "hip.entrypoints.sandbox"]
LAUNCHER = """
import subprocess, sys
command = [sys.executable, "-m", "hip.entrypoints.sandbox", "gateway"]
child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


@asynccontextmanager
async def hip_on_loopback(gateway_url: str, http: httpx.AsyncClient) -> AsyncIterator[ScriptedHip]:
    """The scripted HIP behind a real socket of this process."""
    hip = ScriptedHip(http, gateway_url=gateway_url)
    server = uvicorn.Server(
        uvicorn.Config(hip, interface="asgi3", lifespan="off", port=0, log_level="warning", access_log=False)
    )
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started:
                await asyncio.sleep(0.01)
        hip.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield hip
    finally:
        server.should_exit = True
        await serving
        await hip.aclose()


@pytest.mark.anyio
async def test_a_consent_flows_over_loopback_between_processes() -> None:
    register = Register(clients=(CLIENT,), patients=(MEERA,))
    async with (
        sandbox_processes(register=register, wait_scale=0.01) as sandbox,
        httpx.AsyncClient(trust_env=False, timeout=20) as http,
        hip_on_loopback(sandbox.gateway_url, http) as hip,
    ):
        control = sandbox.control
        hip.behave()
        await hip.sign_in()
        await hip.linked(entry("visit-1"))
        case = await control.consented("meera.k01@sbx", ["Prescription"])
        done = await control.wait_for_pages(case.transfers[0])
        assert done.transaction_id is not None
        (record,) = await control.opened_records(done.transaction_id)
        assert record.content.decode() == BUNDLE
        assert record.problem is None
        notify = await control.wait_for_notify(done.transaction_id)
        assert notify.outcomes == {"visit-1": "DELIVERED"}
        assert await control.findings() == []
        assert all(alive(pid) for pid in sandbox.pids.values())
    assert not any(alive(pid) for pid in sandbox.pids.values())


@pytest.mark.anyio
async def test_a_simulator_that_cannot_start_is_named() -> None:
    with pytest.raises(StartFailed, match="gateway ended with status 2"):
        async with sandbox_processes(gateway_options=["--register=none"]):
            pass


def test_a_simulator_leaves_with_status_0_at_sigterm() -> None:
    child = subprocess.Popen([*PROGRAM, "gateway"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().startswith("listening http://127.0.0.1:")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    child.stdout.close()


def test_a_simulator_ends_with_the_process_that_started_it() -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout is not None
    assert launcher.stdin is not None
    child = int(launcher.stdout.readline())
    assert alive(child)
    launcher.kill()
    launcher.wait()
    launcher.stdout.close()
    launcher.stdin.close()
    until = time.monotonic() + 30
    while alive(child) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(child)


def test_a_requester_without_a_gateway_says_so_and_fails() -> None:
    done = subprocess.run(
        [*PROGRAM, "hiu", "--gateway", "http://127.0.0.1:9"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "listening" not in done.stdout
    assert "no gateway at http://127.0.0.1:9" in done.stderr


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and is not yet collected does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
