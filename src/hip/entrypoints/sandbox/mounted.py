"""The sandbox in this process: three apps on one transport, on which a HIP's app can be mounted beside them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.gateway.app import create_app as create_gateway
from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.hiu.app import create_app as create_hiu
from hip.entrypoints.sandbox.hiu.config import HiuConfig
from hip.entrypoints.sandbox.patient.app import create_app as create_patient_app
from hip.entrypoints.sandbox.patient.config import PatientAppConfig
from hip.entrypoints.sandbox.routing import RoutingTransport, started


@dataclass(frozen=True, slots=True)
class MountedSandbox:
    """``transport`` reaches the apps by host name; ``transport.mount("http://hip.sandbox", app)`` adds a HIP."""

    transport: RoutingTransport
    control: SandboxControl


@asynccontextmanager
async def mounted_sandbox(
    *,
    gateway: GatewayConfig | None = None,
    hiu: HiuConfig | None = None,
    patient: PatientAppConfig | None = None,
    deadline: float = 30.0,
) -> AsyncGenerator[MountedSandbox]:
    """Mount the three apps at the URLs of their configurations and run them. ``deadline``: seconds of each wait."""
    gateway, hiu, patient = gateway or GatewayConfig(), hiu or HiuConfig(), patient or PatientAppConfig()
    transport = RoutingTransport()
    apps = {
        gateway.public_url: create_gateway(gateway, transport.clients),
        hiu.public_url: create_hiu(hiu, transport.clients),
        patient.public_url: create_patient_app(patient, transport.clients),
    }
    for url, app in apps.items():
        transport.mount(url, app)
    async with started(*apps.values()), transport.clients() as http:
        control = SandboxControl(
            http=http,
            gateway_url=gateway.public_url,
            hiu_url=hiu.public_url,
            patient_url=patient.public_url,
            deadline=deadline,
        )
        yield MountedSandbox(transport, control)
