"""The whole sandbox in one process: three apps and a scripted HIP, reached by host name."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.unit.sandbox.scripted_hip import CLIENT_ID, HIP_ID, SECRET, ScriptedHip

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.gateway.app import create_app as create_gateway
from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.hiu.app import create_app as create_hiu
from hip.entrypoints.sandbox.hiu.config import HiuConfig
from hip.entrypoints.sandbox.parties import Client, Patient, Register, Service
from hip.entrypoints.sandbox.patient.app import create_app as create_patient_app
from hip.entrypoints.sandbox.patient.config import PatientAppConfig
from hip.entrypoints.sandbox.routing import RoutingTransport, started

MEERA = Patient(
    abha_address="meera.k01@sbx",
    abha_number="91-1234-5678-9012",
    name="Meera Kulkarni",
    gender="F",
    year_of_birth=1984,
    mobile="+91-9876543210",
)
OTHER_HIP = "IN0410000456"
CLIENT = Client(
    client_id=CLIENT_ID,
    client_secret=SECRET,
    name="Demo Bridge",
    services=(Service(id=HIP_ID, name="Demo Clinic"), Service(id=OTHER_HIP, name="Second Clinic")),
)


@dataclass
class Clock:
    """Real time, moved on by hand."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Network:
    transport: RoutingTransport
    http: httpx.AsyncClient
    control: SandboxControl
    hip: ScriptedHip
    clock: Clock


@pytest.fixture(scope="session")
def keys() -> GatewayKeys:
    return GatewayKeys.generate()


NetworkFactory = Callable[..., AbstractAsyncContextManager[Network]]


@pytest.fixture
def networks(keys: GatewayKeys) -> NetworkFactory:
    """Starts a network, the gateway alone when ``parties`` is false; ``gateway`` and ``hiu`` change their settings."""

    @asynccontextmanager
    async def build(
        *, parties: bool = True, gateway: dict[str, Any] | None = None, hiu: dict[str, Any] | None = None
    ) -> AsyncIterator[Network]:
        transport, clock = RoutingTransport(), Clock()
        register = Register(clients=(CLIENT,), patients=(MEERA,))
        settings = {"register": register, "wait_scale": 0.001, "keys": keys, "now": clock, **(gateway or {})}
        apps = {"http://gateway.sandbox": create_gateway(GatewayConfig(**settings), transport.clients)}
        if parties:
            requester = HiuConfig(now=clock, wait_scale=0.001, **(hiu or {}))
            apps["http://hiu.sandbox"] = create_hiu(requester, transport.clients)
            apps["http://phr.sandbox"] = create_patient_app(PatientAppConfig(now=clock), transport.clients)
        for url, app in apps.items():
            transport.mount(url, app)
        async with started(*apps.values()), transport.clients() as http:
            hip = ScriptedHip(http, now=clock)
            transport.mount("http://hip.sandbox", hip)
            await hip.sign_in()
            yield Network(transport, http, SandboxControl(http=http, deadline=10), hip, clock)
            await hip.aclose()

    return build


@pytest.fixture
async def network(networks: NetworkFactory) -> AsyncIterator[Network]:
    async with networks() as running:
        yield running


@pytest.fixture
def hip(network: Network) -> ScriptedHip:
    return network.hip


@pytest.fixture
def control(network: Network) -> SandboxControl:
    return network.control
