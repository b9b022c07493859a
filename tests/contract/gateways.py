"""Two gateways to call: one that follows a script, and the sandbox's with our adapters as its HIP."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from tests.unit.gateway import calls

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.adapters.gateway.client import HttpGateway
from hip.adapters.gateway.settings import GatewaySettings
from hip.adapters.gateway.verification import CallbackAuth, JwksVerifier
from hip.application.gateway_calls import GatewayCall
from hip.application.gateway_events import GatewayEvent
from hip.domain.identifiers import RequestId
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

E = TypeVar("E")
SETTINGS = GatewaySettings(
    base_url="http://gateway.sandbox/api/hiecm", cm_id="sbx", client_id="SBXID_000123", client_secret="of-the-clinic"
)


def now() -> datetime:
    return datetime.now(UTC)


def fresh_id() -> str:
    return str(uuid.uuid4())


@dataclass
class ListeningHip:
    """Our end of the bridge: proves and reads each callback with the adapters under test."""

    auth: CallbackAuth
    events: list[tuple[RequestId, GatewayEvent]] = field(default_factory=list)
    problems: list[Exception] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        try:
            assert await self.auth.check(headers.get("authorization"))
            event = V3CallbackReader().read(scope["path"], body)
            self.events.append((RequestId(headers["request-id"]), event))
        except Exception as problem:  # noqa: BLE001 - shown by the test that waits
            self.problems.append(problem)
        async with self.arrived:
            self.arrived.notify_all()
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def next(self, kind: type[E], wanted: Callable[[E], bool] = lambda _event: True) -> tuple[RequestId, E]:
        """Wait for an event of this kind and take it out. Fails at the first callback that could not be read."""
        async with asyncio.timeout(10), self.arrived:
            while True:
                assert self.problems == []
                for index, (request_id, event) in enumerate(self.events):
                    if isinstance(event, kind) and wanted(event):
                        del self.events[index]
                        return request_id, event
                await self.arrived.wait()


@dataclass
class Line:
    """A gateway to call and ways to make it misbehave."""

    gateway: HttpGateway
    end_sessions: Callable[[], Any]
    next_status: Callable[[int], Any]

    async def say(self, call: GatewayCall, request_id: str | None = None) -> int:
        return await self.gateway.send(
            call, hip_id=calls.HIP, request_id=RequestId(request_id or fresh_id()), now=now()
        )


@dataclass
class ScriptedGateway:
    """Enough of the contract to be told apart from a wall: sessions, ids, one link token, one bad day."""

    sessions: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    bridge: str | None = None
    misbehave: int | None = None

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        body = (await receive()).get("body", b"")
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        path = scope["path"].removeprefix("/api/hiecm")
        status, content = self.reply(scope["method"], path, headers, json.loads(body) if body else None)
        payload = b"" if content is None else json.dumps(content).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": payload})

    def reply(self, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == "/gateway/v3/sessions":
            token = f"session-{len(self.ids)}"
            self.sessions.add(token)
            self.ids.add(headers["request-id"])
            return 200, {"accessToken": token, "expiresIn": 1200}
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.sessions:
            return 401, {"code": "900901", "message": "Invalid Credentials", "description": "x"}
        if headers["request-id"] in self.ids:
            return 400, {"error": {"code": "ABDM-1064", "message": "Request id already exists"}}
        self.ids.add(headers["request-id"])
        if self.misbehave is not None:
            status, self.misbehave = self.misbehave, None
            return status, None
        match method, path:
            case "GET", "/gateway/v3/certs":
                return 200, {"keys": [{"kid": "one"}, {"kid": "two"}]}
            case "PATCH", "/gateway/v3/bridge/url":
                self.bridge = body["url"]
                return 202, None
            case "GET", "/gateway/v3/bridge-services":
                return 200, {"bridge": {"url": self.bridge}, "services": [{"id": calls.HIP}]}
            case "GET", str(asked) if asked == f"/gateway/v3/bridge-service/serviceId/{calls.HIP}":
                return 200, {"serviceId": calls.HIP, "isHip": True, "active": True}
            case "GET", str(asked) if asked.startswith("/gateway/v3/bridge-service/serviceId/"):
                return 404, {"code": "ABDM-1025", "message": "Invalid service id"}
            case "POST", "/hip/v3/link/carecontext":
                return 400, [{"error": {"code": "ABDM-1026: ", "message": "Invalid link token"}}]
        return 202, None


@dataclass
class Network:
    """The whole sandbox in one process, with our adapters as its HIP."""

    line: Line
    control: SandboxControl
    hip: ListeningHip
    transport: RoutingTransport


@asynccontextmanager
async def sandbox(keys: GatewayKeys) -> AsyncIterator[Network]:
    transport = RoutingTransport()
    register = Register(
        clients=(
            Client(
                client_id=SETTINGS.client_id,
                client_secret=SETTINGS.client_secret,
                services=(Service(id=calls.HIP, name="Demo Clinic"),),
            ),
        ),
        patients=(
            Patient(
                abha_address=str(calls.MEERA),
                abha_number=calls.NUMBER.dashed,
                name="Meera Kulkarni",
                gender="F",
                year_of_birth=1984,
                mobile="9876543210",
            ),
        ),
    )
    apps = {
        "http://gateway.sandbox": create_gateway(
            GatewayConfig(register=register, wait_scale=0.001, keys=keys, now=now), transport.clients
        ),
        "http://hiu.sandbox": create_hiu(HiuConfig(now=now, wait_scale=0.001), transport.clients),
        "http://phr.sandbox": create_patient_app(PatientAppConfig(now=now), transport.clients),
    }
    for url, app in apps.items():
        transport.mount(url, app)
    async with started(*apps.values()), transport.clients() as http:
        gateway = HttpGateway(http, SETTINGS, clock=now, ids=fresh_id)
        control = SandboxControl(http=http, deadline=10)
        hip = ListeningHip(CallbackAuth(verifier=JwksVerifier(gateway.jwks, now)))
        transport.mount("http://hip.sandbox", hip)
        await gateway.set_bridge_url("http://hip.sandbox")

        async def misbehave(status: int) -> None:
            await control.scenario(f"once-{status}")

        yield Network(Line(gateway, control.end_sessions, misbehave), control, hip, transport)
