"""Session tokens, signing keys and bridge calls: everything under ``/gateway/v3`` (contract §1.5 - §1.7)."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.gateway.refusals import Refusal, Shape, bad, unauthorised
from hip.entrypoints.sandbox.gateway.registry import Registry, endpoints
from hip.entrypoints.sandbox.moments import Now
from hip.entrypoints.sandbox.parties import Client

REFRESH_LIFE = timedelta(seconds=1800)
MOUNTED = ".sandbox"  # the names under which memory mode mounts apps


class SessionBody(msgspec.Struct, rename="camel"):
    """``grantType`` must be ``client_credentials``."""

    client_id: str
    client_secret: str
    grant_type: str


class BridgeUrlBody(msgspec.Struct):
    """The callback base."""

    url: str


@dataclass(slots=True)
class Sessions:
    """Gives out tokens and knows whose they are. ``life`` is what ``expiresIn`` says."""

    registry: Registry
    keys: Callable[[], GatewayKeys]
    now: Now
    issuer: str
    life: timedelta
    _tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict, repr=False)

    def routes(self) -> Routes:
        """The endpoints."""
        front = "/gateway/v3"
        return {
            ("POST", f"{front}/sessions"): Endpoint(handle=self.open, session=False, shape=Shape.WRAPPED),
            ("GET", f"{front}/certs"): Endpoint(handle=self.certs),
            ("GET", f"{front}/.well-known/openid-configuration"): Endpoint(handle=self.discovery_document),
            ("PATCH", f"{front}/bridge/url"): Endpoint(handle=self.set_url, shape=Shape.FLAT),
            ("GET", f"{front}/bridge-services"): Endpoint(handle=self.services, shape=Shape.FLAT),
            ("GET", f"{front}/bridge-service/serviceId/*"): Endpoint(handle=self.service, shape=Shape.FLAT),
        }

    def client_for(self, authorization: str) -> Client:
        """Whose session this is. Raises Refusal 900902 without a token, 900901 for an unknown or expired one."""
        scheme, _, token = authorization.partition(" ")
        if scheme.casefold() != "bearer" or not token:
            raise unauthorised("900902", "Missing Credentials")
        client_id, until = self._tokens.get(token, ("", self.now()))
        client = self.registry.client(client_id)
        if client is None or until <= self.now():
            raise unauthorised("900901", "Invalid Credentials")
        return client

    def end_all(self) -> None:
        """Forget every token: their bearers meet 401 until they ask again."""
        self._tokens.clear()

    async def open(self, call: Call) -> Reply:
        """A new session, 200. 401 for a wrong id or secret."""
        body = call.body(SessionBody)
        if body.grant_type != "client_credentials":
            raise bad("ABDM-1006", "grantType must be client_credentials")
        client = self.registry.client(body.client_id)
        if client is None or not hmac.compare_digest(client.client_secret.encode(), body.client_secret.encode()):
            raise unauthorised("900901", "Invalid client id or secret")
        at = self.now()
        token = self.keys().session_token(client.client_id, issuer=self.issuer, at=at, life=self.life)
        refresh = self.keys().session_token(client.client_id, issuer=self.issuer, at=at, life=REFRESH_LIFE)
        self._tokens[token] = client.client_id, at + self.life
        return Reply(
            200,
            {
                "accessToken": token,
                "expiresIn": int(self.life.total_seconds()),
                "refreshExpiresIn": int(REFRESH_LIFE.total_seconds()),
                "refreshToken": refresh,
                "tokenType": "bearer",
            },
        )

    async def certs(self, _call: Call) -> Reply:
        """The JWKS: the key in use stands second."""
        return Reply(200, self.keys().jwks())

    async def discovery_document(self, _call: Call) -> Reply:
        """Where the JWKS is."""
        return Reply(200, {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/api/hiecm/gateway/v3/certs"})

    async def set_url(self, call: Call) -> Reply:
        """The callback base, 202: https on a plain host name, or, here only, loopback and mounted hosts."""
        body = call.body(BridgeUrlBody)
        if not self._acceptable(body.url):
            raise bad("ABDM-1006", "url must be https with a host name and no port")
        self.registry.set_url(call.caller.client_id, body.url)
        return Reply(202)

    async def services(self, call: Call) -> Reply:
        """The bridge and its services; 204 when there are none."""
        client = call.caller
        if not client.services:
            return Reply(204)
        bridge = {
            "id": client.client_id,
            "name": client.name,
            "url": client.url,
            "active": True,
            "blocklisted": False,
        }
        shown: list[dict[str, Any]] = [
            {
                "id": service.id,
                "name": service.name,
                "types": list(service.types),
                "active": True,
                "endpoints": endpoints(service, client),
            }
            for service in client.services
        ]
        return Reply(200, {"bridge": bridge, "services": shown})

    async def service(self, call: Call) -> Reply:
        """One service of the network. ABDM-1025 for an unknown id."""
        service, client = self.registry.service(call.tail), self.registry.client_of(call.tail)
        if service is None or client is None:
            raise Refusal(404, "ABDM-1025", "Invalid service id")
        return Reply(200, self.registry.described(service, client))

    def _acceptable(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment or not host:
            return False
        if host.endswith(MOUNTED) or _loopback(host):
            return True
        return parts.scheme == "https" and port is None and not _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)
