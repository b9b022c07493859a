"""Where the story is played: everything in this process, or real processes on embedded real servers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from dependency_injector.providers import Object

from hip.adapters.clock import system_clock
from hip.application.ports import Clock
from hip.entrypoints.container import AnyAdapters, adapters_for, opened
from hip.entrypoints.demo.processes import Service, service
from hip.entrypoints.http.app import create_app
from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.gateway.app import create_app as create_gateway
from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.hiu.app import create_app as create_hiu
from hip.entrypoints.sandbox.hiu.config import HiuConfig
from hip.entrypoints.sandbox.parties import Client, Register
from hip.entrypoints.sandbox.parties import Service as GatewayService
from hip.entrypoints.sandbox.patient.app import create_app as create_patient_app
from hip.entrypoints.sandbox.patient.config import PatientAppConfig
from hip.entrypoints.sandbox.routing import RoutingTransport, started
from hip.entrypoints.settings import SANDBOX_KEY, Settings

if TYPE_CHECKING:
    from hip.entrypoints.embedded.servers import EmbeddedServers

HIP_ID, HIP_NAME = "IN0410000123", "Demo Clinic"
CLIENT_ID, CLIENT_SECRET = "SBXID_HIP", "hip-secret-of-the-sandbox"
_CLIENT = Client(
    client_id=CLIENT_ID,
    client_secret=CLIENT_SECRET,
    name="Demo Bridge",
    services=(GatewayService(id=HIP_ID, name=HIP_NAME),),
)
_MODULE, _SANDBOX = "hip.entrypoints.cli.main", "hip.entrypoints.sandbox"
KEPT_SHORT = httpx.Limits(keepalive_expiry=2)
"""Uvicorn closes what idles for 5 seconds: a client that kept it as long would now and then write into the closing."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Our service as its hospital sees it, and the far side as a director does.

    ``hmis`` carries the API key; ``service`` and ``servers`` hold the processes of server mode, None in memory mode.
    """

    mode: str
    hmis: httpx.AsyncClient
    control: SandboxControl
    register_bridge: Callable[[], Any]
    addresses: dict[str, str]
    settings: Settings
    service: Service | None = None
    servers: "EmbeddedServers | None" = None

    def require_running(self) -> None:
        """Raises ProcessFailed when a process of ours has ended."""
        if self.service is not None:
            self.service.require_running()


def _settings(gateway_url: str, wait_scale: float) -> dict[str, str]:
    return {
        "HIP_ENV": "sandbox",
        "HIP_GATEWAY_URL": f"{gateway_url}/api/hiecm",
        "HIP_CLIENT_ID": CLIENT_ID,
        "HIP_CLIENT_SECRET": CLIENT_SECRET,
        "HIP_FACILITIES": json.dumps([{"id": HIP_ID, "name": HIP_NAME}]),
        "HIP_WAIT_SCALE": str(wait_scale),
    }


def settings_of(environment: dict[str, str]) -> Settings:
    """The settings a process with this environment would read."""
    values = {name.removeprefix("HIP_").lower(): value for name, value in environment.items()}
    # No setting of the shell we run in may change the story: a prefix that nobody uses reads none.
    return Settings.read(_env_file=None, _env_prefix="HIP_OF_NOBODY_", **values)


async def _set_bridge(
    settings: Settings, url: str, transport: httpx.AsyncBaseTransport | None, clock: Clock = system_clock
) -> None:
    """Tell the gateway where callbacks go, as ``hip bridge set`` does."""
    adapters = adapters_for(settings, transport=transport)
    adapters.clock.override(Object(clock))
    async with opened(adapters):
        await adapters.gateway().set_bridge_url(url)


@asynccontextmanager
async def memory_stage(
    *,
    wait_scale: float,
    clock: Clock = system_clock,
    keys: GatewayKeys | None = None,
    keep_bodies: bool = False,
    arrange: Callable[[AnyAdapters], None] | None = None,
) -> AsyncGenerator[Stage]:
    """Our application and the three simulators in this process, joined by an ASGI transport.

    ``clock`` is everybody's; ``keys`` saves making the gateway's; ``keep_bodies`` keeps them in its journal;
    ``arrange`` may override providers before anything is built.
    """
    routes = RoutingTransport()
    settings = settings_of(
        {
            **_settings("http://gateway.sandbox", wait_scale),
            "HIP_STORAGE": "memory",
            "HIP_OTP_URL": "http://phr.sandbox/sandbox/sms",
        }
    )
    adapters = adapters_for(settings, transport=routes)
    adapters.clock.override(Object(clock))
    if arrange is not None:
        arrange(adapters)
    ours = create_app(settings, adapters=adapters)
    gateway = create_gateway(
        GatewayConfig(
            register=Register(clients=(_CLIENT,)),
            wait_scale=wait_scale,
            now=clock,
            keys=keys,
            keep_bodies=keep_bodies,
        ),
        routes.clients,
    )
    hiu = create_hiu(HiuConfig(wait_scale=wait_scale, now=clock), routes.clients)
    patient_app = create_patient_app(PatientAppConfig(now=clock), routes.clients)
    addresses = {
        "gateway": "http://gateway.sandbox",
        "hiu": "http://hiu.sandbox",
        "patient app": "http://phr.sandbox",
        "hip": "http://hip.sandbox",
    }
    for url, app in zip(addresses.values(), (gateway, hiu, patient_app, ours), strict=True):
        routes.mount(url, app)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(started(gateway, hiu, patient_app, ours))
        control = SandboxControl(http=await stack.enter_async_context(routes.clients()))
        hmis = await stack.enter_async_context(
            httpx.AsyncClient(transport=routes, base_url=addresses["hip"], headers={"X-API-Key": SANDBOX_KEY})
        )
        yield Stage(
            mode="memory",
            hmis=hmis,
            control=control,
            register_bridge=lambda: _set_bridge(settings, addresses["hip"], routes, clock),
            addresses=addresses,
            settings=settings,
        )


@contextmanager
def _processes(
    folder: Path, wait_scale: float, report: Report, more: Mapping[str, str], gateway_options: Sequence[str]
) -> Iterator[tuple["EmbeddedServers", Service, dict[str, str], Settings]]:
    """Embedded servers, the simulators, and our serve, relay and worker, each a process of its own."""
    from hip.entrypoints.embedded.servers import embedded_servers

    scale = str(wait_scale)
    with embedded_servers(folder, report=report) as servers, service(servers.folder / "run") as group:
        report("the databases are up")
        clients = json.dumps(
            {
                "clients": [
                    {
                        "clientId": CLIENT_ID,
                        "clientSecret": CLIENT_SECRET,
                        "services": [{"id": HIP_ID, "name": HIP_NAME}],
                    }
                ]
            }
        )
        gateway = group.start(
            "gateway",
            "gateway",
            "--wait-scale",
            scale,
            "--register",
            clients,
            *gateway_options,
            module=_SANDBOX,
            environment={},
        )
        environment = {
            **_settings("http://127.0.0.1", wait_scale),
            "HIP_DATABASE_URL": servers.urls.database_url,
            "HIP_MONGO_URL": servers.urls.mongo_url,
            "HIP_REDIS_URL": servers.urls.redis_url,
            "HIP_KEY_FILE": str(servers.folder / "hip.keys"),
            "HIP_BIND": "127.0.0.1:0",
            **more,
        }
        upgrade = group.start("upgrade", "db", "upgrade", module=_MODULE, environment=environment)
        addresses = {"gateway": gateway.address()}
        environment["HIP_GATEWAY_URL"] = f"{addresses['gateway']}/api/hiecm"
        upgrade.finish()
        del group.processes["upgrade"]
        report("the schema is up to date")
        far = ("--gateway", addresses["gateway"])
        hiu = group.start("hiu", "hiu", "--wait-scale", scale, *far, module=_SANDBOX, environment={})
        patient_app = group.start("patient-app", "patient-app", *far, module=_SANDBOX, environment={})
        addresses["patient app"] = patient_app.address()
        environment["HIP_OTP_URL"] = f"{addresses['patient app']}/sandbox/sms"
        serve = group.start("serve", "serve", module=_MODULE, environment=environment)
        for name in ("relay", "worker"):
            group.start(name, name, module=_MODULE, environment=environment)
        addresses |= {"hiu": hiu.address(), "hip": serve.address()}
        report("the gateway, the requester, the patient's app and our own processes are up")
        yield servers, group, addresses, settings_of(environment)


@asynccontextmanager
async def server_stage(
    folder: Path,
    *,
    wait_scale: float,
    report: Report,
    settings: Mapping[str, str] | None = None,
    gateway_options: Sequence[str] = (),
) -> AsyncGenerator[Stage]:
    """Real processes that speak real HTTP on loopback, over real servers in ``folder``.

    ``settings`` (HIP_...) replace those of the demonstration; ``gateway_options`` are more arguments of the sandbox's.
    """
    async with AsyncExitStack() as stack:
        processes = _processes(folder, wait_scale, report, settings or {}, gateway_options)
        servers, group, addresses, read = await asyncio.to_thread(processes.__enter__)
        stack.push_async_callback(asyncio.to_thread, processes.__exit__, None, None, None)
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30, limits=KEPT_SHORT))
        hmis = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=addresses["hip"],
                headers={"X-API-Key": SANDBOX_KEY},
                trust_env=False,
                timeout=30,
                limits=KEPT_SHORT,
            )
        )
        control = SandboxControl(
            http=http,
            gateway_url=addresses["gateway"],
            hiu_url=addresses["hiu"],
            patient_url=addresses["patient app"],
            deadline=60.0,
        )
        yield Stage(
            mode="server",
            hmis=hmis,
            control=control,
            register_bridge=lambda: _set_bridge(read, addresses["hip"], None),
            addresses=addresses,
            settings=read,
            service=group,
            servers=servers,
        )
