"""Routing, lifespans, background work, time stamps, and waits that end."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
from litestar import Litestar, get
from tests.unit.sandbox.conftest import CLIENT, MEERA, Network
from tests.unit.sandbox.scripted_hip import ScriptedHip, entry

from hip.entrypoints.sandbox.__main__ import main
from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.control_line import NeverHappened
from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.gateway_line import GatewayAbsent
from hip.entrypoints.sandbox.hiu.app import create_app as create_hiu
from hip.entrypoints.sandbox.hiu.config import HiuConfig
from hip.entrypoints.sandbox.moments import read_moment, read_stamp, stamp
from hip.entrypoints.sandbox.mounted import mounted_sandbox
from hip.entrypoints.sandbox.parties import Register
from hip.entrypoints.sandbox.routing import RoutingTransport, StartFailed, started

pytestmark = pytest.mark.anyio


def named(name: str, events: list[str] | None = None) -> Litestar:
    @get("/")
    async def root() -> str:
        return name

    @get("/hang")
    async def hang() -> str:
        await asyncio.sleep(60)
        return name

    @get("/fail")
    async def fail() -> str:
        raise RuntimeError(name)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        if events is not None:
            events.append(f"start {name}")
        yield
        if events is not None:
            events.append(f"stop {name}")

    return Litestar([root, hang, fail], lifespan=[lifespan], openapi_config=None, logging_config=None)


async def test_requests_are_routed_by_scheme_host_and_port() -> None:
    transport = RoutingTransport({"http://a.sandbox": named("a"), "http://b.sandbox:81": named("b")})
    async with transport.clients() as http:
        assert (await http.get("http://a.sandbox/")).text == "a"
        assert (await http.get("http://b.sandbox:81/")).text == "b"
        for url in ("http://b.sandbox/", "https://a.sandbox/", "http://c.sandbox/"):
            with pytest.raises(httpx.ConnectError):
                await http.get(url)
        transport.unmount("http://a.sandbox")
        with pytest.raises(httpx.ConnectError):
            await http.get("http://a.sandbox/")
        transport.mount("http://a.sandbox", named("c"))
        assert (await http.get("http://a.sandbox/")).text == "c"


async def test_a_route_honours_the_time_out_of_its_client() -> None:
    async with httpx.AsyncClient(transport=RoutingTransport({"http://a.sandbox": named("a")}), timeout=0.05) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get("http://a.sandbox/hang")


async def test_an_app_that_fails_answers_500() -> None:
    async with RoutingTransport({"http://a.sandbox": named("a")}).clients() as http:
        assert (await http.get("http://a.sandbox/fail")).status_code == 500


async def test_lifespans_start_in_order_and_stop_in_reverse() -> None:
    events: list[str] = []
    async with started(named("a", events), named("b", events)):
        events.append("run")
    assert events == ["start a", "start b", "run", "stop b", "stop a"]


async def test_an_app_that_cannot_start_says_so() -> None:
    transport = RoutingTransport()
    events: list[str] = []
    with pytest.raises(StartFailed, match="no gateway at"):
        async with started(named("a", events), create_hiu(HiuConfig(), transport.clients)):
            events.append("run")
    assert events == ["start a", "stop a"]
    assert issubclass(GatewayAbsent, RuntimeError)


async def test_the_mounted_sandbox_takes_a_hip_beside_it() -> None:
    gateway = GatewayConfig(register=Register(clients=(CLIENT,), patients=(MEERA,)), wait_scale=0.001)
    async with mounted_sandbox(gateway=gateway, deadline=5) as sandbox:
        hip = ScriptedHip(sandbox.control.http)
        sandbox.transport.mount("http://hip.sandbox", hip)
        await hip.sign_in()
        await hip.linked(entry("visit-1"))
        assert len(await sandbox.control.wait_for_links(MEERA.abha_address, ["visit-1"])) == 1


async def test_background_work_is_scaled_settled_and_cancelled() -> None:
    done: list[str] = []

    async def work(name: str, seconds: float) -> None:
        await background.pause(seconds)
        done.append(name)

    background = Background(wait_scale=0.001)
    background.start(work("short", 1), name="short")
    await background.settle()
    background.start(work("long", 3_600_000), name="long")
    await background.aclose()
    assert done == ["short"]


async def test_a_failure_in_the_background_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ValueError("Meera Kulkarni")

    background = Background()
    with caplog.at_level(logging.ERROR):
        background.start(work(), name="callback")
        await background.settle()
        await asyncio.sleep(0)
    assert "background work callback failed: ValueError" in caplog.text
    assert "Meera" not in caplog.text


def test_a_stamp_has_three_decimals_and_a_z() -> None:
    moment = datetime(2026, 3, 14, 6, 20, tzinfo=UTC)
    assert stamp(moment) == "2026-03-14T06:20:00.000Z"
    assert stamp(moment, zone=False) == "2026-03-14T06:20:00.000"
    assert read_stamp(stamp(moment)) == moment
    assert read_moment("2026-03-14") == datetime(2026, 3, 14, tzinfo=UTC)
    assert read_moment("2026-03-14T11:50:00+05:30") == moment


async def test_a_wait_that_ends_in_vain_says_what_it_waited_for(network: Network) -> None:
    impatient = SandboxControl(http=network.http, deadline=0.05)
    with pytest.raises(NeverHappened, match=r"the link of \['v-1'\] did not happen within 0.05 s; last seen: \[\]"):
        await impatient.wait_for_links("meera.k01@sbx", ["v-1"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["earth"], "invalid choice"),
        (["gateway", "--register", "{"], "--register"),
        (["gateway", "--register", "@/none"], "none"),
    ],
)
def test_bad_usage_is_status_2_and_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


async def test_no_secret_shows_in_what_is_logged_or_printed(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = await network.hip.link_token()
    shown = caplog.text + repr(CLIENT) + repr(MEERA) + repr(HiuConfig())
    for secret in (token, network.hip.token, CLIENT.client_secret, MEERA.name, "hiu-secret-of-the-sandbox"):
        assert secret not in shown
