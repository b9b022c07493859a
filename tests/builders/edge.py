"""Our web application in memory with a sandbox gateway behind it, and a gateway's hand that signs callbacks."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
from dependency_injector.providers import Object

from hip.application.ports import Alarm, Composer
from hip.application.storage import Listing
from hip.domain.callbacks import Callback
from hip.entrypoints.container import AnyAdapters, adapters_for, use_cases
from hip.entrypoints.demo.stages import CLIENT_ID, CLIENT_SECRET, HIP_ID, HIP_NAME, settings_of
from hip.entrypoints.http.app import create_app
from hip.entrypoints.sandbox.gateway.app import create_app as create_gateway
from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.parties import Client, Patient, Register, Service
from hip.entrypoints.sandbox.routing import RoutingTransport, started
from hip.entrypoints.use_cases import UseCases

KEYS = GatewayKeys.generate()
OTHER_KEYS = GatewayKeys.generate()
ISSUER = "http://gateway.sandbox"
CONSENT_PATH = "/api/v3/consent/request/hip/notify"
REVOKED = {"notification": {"status": "REVOKED", "consentId": "7a1d0c3e-6f2b-4f08-8f5e-1b9d2c7a4e60"}}


def settings_in_memory(**changes: str) -> dict[str, str]:
    """The environment of a service in memory whose gateway is the sandbox's; then ``changes``."""
    return {
        "HIP_ENV": "sandbox",
        "HIP_STORAGE": "memory",
        "HIP_GATEWAY_URL": f"{ISSUER}/api/hiecm",
        "HIP_CLIENT_ID": CLIENT_ID,
        "HIP_CLIENT_SECRET": CLIENT_SECRET,
        "HIP_FACILITIES": json.dumps([{"id": HIP_ID, "name": HIP_NAME}, {"id": "IN0410000999", "name": "Other"}]),
        "HIP_WAIT_SCALE": "0.01",
        **changes,
    }


@dataclass
class Edge:
    """``http`` reaches our application; ``adapters`` are what it runs on, ``uses`` flows beside its own."""

    http: httpx.AsyncClient
    adapters: AnyAdapters
    uses: UseCases
    headers: dict[str, str] = field(default_factory=dict)

    def token(self, keys: GatewayKeys = KEYS, *, at: datetime | None = None) -> str:
        return keys.callback_token(CLIENT_ID, issuer=ISSUER, at=at or datetime.now(UTC))

    async def call_back(
        self, path: str = CONSENT_PATH, body: Any = None, *, raw: bytes | None = None, **headers: str | None
    ) -> httpx.Response:
        """A callback as the gateway sends it; a header set to None is left out (``_`` stands for ``-``)."""
        sent: dict[str, str | None] = {
            "request-id": str(uuid4()),
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "x-hip-id": HIP_ID,
            "authorization": f"Bearer {self.token()}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        content = raw if raw is not None else json.dumps(REVOKED if body is None else body).encode()
        kept = {name.encode(): value.encode("latin-1") for name, value in sent.items() if value is not None}
        return await self.http.post(path, content=content, headers=kept)

    async def callbacks(self) -> list[Callback]:
        async with self.adapters.units()() as uow:
            return list(await uow.callbacks.list(Listing()))

    async def idle(self) -> None:
        """Until the outbox is empty."""
        import asyncio

        async with asyncio.timeout(20):
            while True:
                async with self.adapters.units()() as uow:
                    if not await uow.outbox.waiting():
                        return
                await asyncio.sleep(0.01)


@asynccontextmanager
async def edge(
    *, composer: Composer | None = None, alarm: Alarm | None = None, patients: tuple[Patient, ...] = (), **changes: str
) -> AsyncGenerator[Edge]:
    """Everything up, for one test; ``composer`` and ``alarm`` in place of ours."""
    routes = RoutingTransport()
    settings = settings_of(settings_in_memory(**changes))
    adapters = adapters_for(settings, transport=routes)
    if composer is not None:
        adapters.composer.override(Object(composer))
    if alarm is not None:
        adapters.alarm.override(Object(alarm))
    ours = create_app(settings, adapters=adapters)
    services = (Service(id=HIP_ID, name=HIP_NAME), Service(id="IN0410000999", name="Other"))
    # A gateway that knows patients answers, too.
    url = "http://hip.sandbox" if patients else None
    client = Client(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, url=url, services=services)
    gateway = create_gateway(
        GatewayConfig(register=Register(clients=(client,), patients=patients), keys=KEYS, wait_scale=0.01),
        routes.clients,
    )
    routes.mount(ISSUER, gateway)
    routes.mount("http://hip.sandbox", ours)
    async with started(gateway, ours), httpx.AsyncClient(transport=routes, base_url="http://hip.sandbox") as http:
        yield Edge(http=http, adapters=adapters, uses=use_cases(adapters, settings))


AN_HOUR = timedelta(hours=1)
