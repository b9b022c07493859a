"""The ABDM v3 gateway over HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from hip.adapters.gateway import wire
from hip.adapters.gateway.connection import GatewayConnection, Reply
from hip.adapters.gateway.session import GatewaySession
from hip.adapters.gateway.settings import GatewaySettings
from hip.application.circuits import Circuits
from hip.application.gateway_calls import GatewayCall, LinkCareContexts, SmsNotify
from hip.application.ports import Clock, Ids, SessionCache
from hip.domain.errors import SessionRefused, Transient
from hip.domain.identifiers import HipId, RequestId


class HttpGateway:
    """The ``Gateway`` port, and the few calls an operator and the callback verification need.

    ``http`` stays the caller's to close. ``ids`` numbers the calls that no exchange stands behind (sessions, bridge,
    certs); ``clock`` dates them. ``circuits`` spare a gateway that keeps failing (without: it is always tried);
    ``sessions`` shares the session token with the other processes of the deployment.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        settings: GatewaySettings,
        *,
        clock: Clock,
        ids: Ids,
        circuits: Circuits | None = None,
        sessions: SessionCache | None = None,
    ) -> None:
        self._connection = GatewayConnection(http, settings, circuits)
        self._session = GatewaySession(self._connection, ids, sessions)
        self._settings = settings
        self._clock = clock
        self._ids = ids

    async def send(self, call: GatewayCall, *, hip_id: HipId, request_id: RequestId, now: datetime) -> int:
        """One HTTP call under ``request_id``; see the port. Raises InvalidValue before sending what §2 forbids."""
        if isinstance(call, SmsNotify):
            call = replace(call, phone=self._settings.phone_prefix + call.phone)
        content = wire.body(call, hip_id=hip_id)
        reply = await self._with_session(
            lambda token: self._connection.request(
                call.flow.value,
                "POST",
                self._settings.path(call.flow),
                request_id=request_id,
                now=now,
                token=token,
                hip_id=hip_id,
                link_token=call.link_token if isinstance(call, LinkCareContexts) else None,
                body=content,
            ),
            now=now,
        )
        return reply.status

    async def token(self) -> str:
        """The session token, for a requester that the operator lets have it (contract §2.11). Raises Transient."""
        return await self._session.token(now=self._clock())

    async def drop(self, token: str) -> None:
        """Somebody refused the session token ``token``; the next is asked for anew."""
        await self._session.drop(token, now=self._clock())

    async def jwks(self) -> Mapping[str, Any]:
        """The gateway's signing keys, a JWK set (contract §1.6)."""
        reply = await self._ask("certs", "GET")
        return _object(reply, "certs")

    async def bridge_services(self) -> Mapping[str, Any]:
        """Our bridge and its facilities as the gateway sees them (contract §1.7); empty when nothing is registered."""
        reply = await self._ask("bridge-services", "GET")
        return {} if reply.status == 204 else _object(reply, "bridge-services")

    async def bridge_service(self, service_id: str) -> Mapping[str, Any]:
        """One service as the gateway has it, also of another's bridge (contract §1.7); empty when there is none.

        Raises GatewayRefused, with ABDM-1025 for an id the gateway does not know.
        """
        reply = await self._ask("bridge-service", "GET", tail=f"/{quote(service_id, safe='')}")
        return {} if reply.status == 204 else _object(reply, "bridge-service")

    async def set_bridge_url(self, url: str) -> None:
        """Where the gateway shall send every callback of this client id; the last writer wins (contract §1.7)."""
        await self._ask("bridge-url", "PATCH", body=msgspec.json.encode({"url": url}))

    async def _ask(self, call: str, method: str, *, tail: str = "", body: bytes | None = None) -> Reply:
        """A call that may be made twice without harm: a refused session costs one more try (contract §1.5)."""

        async def attempt(token: str) -> Reply:
            return await self._connection.request(
                call,
                method,
                self._settings.path(call) + tail,
                request_id=self._ids(),
                now=self._clock(),
                token=token,
                body=body,
            )

        try:
            return await self._with_session(attempt, now=self._clock())
        except SessionRefused:
            return await self._with_session(attempt, now=self._clock())

    async def _with_session(self, attempt: Callable[[str], Awaitable[Reply]], *, now: datetime) -> Reply:
        token = await self._session.token(now=now)
        try:
            return await attempt(token)
        except SessionRefused:
            await self._session.drop(token, now=now)
            raise


def _object(reply: Reply, call: str) -> Mapping[str, Any]:
    content = reply.json()
    if not isinstance(content, dict):
        raise Transient(f"{call}: the gateway's reply is not an object", code="not-json")
    return content
