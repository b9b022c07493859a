"""How the HIU and the patient's app reach the gateway: registration, session, headers (contract §1.2, §1.5)."""

import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from hip.entrypoints.sandbox.moments import Now, stamp
from hip.entrypoints.sandbox.parties import Client
from hip.entrypoints.sandbox.routing import HttpClients
from hip.entrypoints.sandbox.views import Problem

API = "/api/hiecm"
UNAUTHORISED = 401


class GatewayAbsent(RuntimeError):
    """The gateway does not answer or refused to open a session."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The gateway's reply: ``problem`` is null for any 2xx."""

    status: int
    body: Any
    problem: Problem | None


@dataclass(slots=True)
class GatewayLine:
    """One client's line. ``gateway_url`` is without ``/api/hiecm``; ``http`` is set while the app runs."""

    gateway_url: str
    cm_id: str
    client: Client
    now: Now
    http: httpx.AsyncClient | None = None
    _token: str | None = field(default=None, repr=False)

    @asynccontextmanager
    async def open(self, clients: HttpClients) -> AsyncGenerator[None]:
        """While the app runs: connected, and made known to the gateway. Raises GatewayAbsent."""
        async with clients() as http:
            self.http = http
            await self.announce()
            try:
                yield
            finally:
                self.http = None

    async def announce(self) -> None:
        """Register the client and its services, then set the bridge URL as any bridge does. Raises GatewayAbsent."""
        try:
            await self._client().post(f"{self.gateway_url}/sandbox/clients", content=msgspec.json.encode(self.client))
            answer = await self.send("PATCH", "/gateway/v3/bridge/url", {"url": self.client.url})
        except httpx.HTTPError as problem:
            raise GatewayAbsent(f"no gateway at {self.gateway_url}: {type(problem).__name__}") from None
        if answer.problem is not None:
            raise GatewayAbsent(f"the gateway refused the bridge URL: {answer.problem.code} {answer.problem.message}")

    async def send(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        expect: Callable[[str], None] | None = None,
    ) -> Answer:
        """Call the gateway. ``expect`` is told each attempt's REQUEST-ID first; a 401 renews the session once."""
        answer = await self._attempt(method, path, body, headers or {}, expect)
        if answer.status == UNAUTHORISED:
            self._token = None
            answer = await self._attempt(method, path, body, headers or {}, expect)
        return answer

    async def sandbox(self, method: str, path: str, body: Any = None, **params: str) -> httpx.Response:
        """Call the gateway's control API; the reply is returned whatever its status."""
        content = msgspec.json.encode(body) if body is not None else None
        return await self._client().request(
            method, f"{self.gateway_url}/sandbox{path}", content=content, params=params or None
        )

    async def _attempt(
        self,
        method: str,
        path: str,
        body: Any,
        headers: Mapping[str, str],
        expect: Callable[[str], None] | None,
    ) -> Answer:
        if self._token is None:
            self._token = await self._session()
        request_id = str(uuid.uuid4())
        if expect is not None:
            expect(request_id)
        standard = {"authorization": f"Bearer {self._token}", **self._standard(request_id), **headers}
        response = await self._client().request(
            method, f"{self.gateway_url}{API}{path}", content=msgspec.json.encode(body), headers=standard
        )
        return _answer(response)

    async def _session(self) -> str:
        body = {
            "clientId": self.client.client_id,
            "clientSecret": self.client.client_secret,
            "grantType": "client_credentials",
        }
        response = await self._client().post(
            f"{self.gateway_url}{API}/gateway/v3/sessions", json=body, headers=self._standard(str(uuid.uuid4()))
        )
        if not response.is_success:
            raise GatewayAbsent(f"the gateway opened no session: {response.status_code}")
        return str(response.json()["accessToken"])

    def _standard(self, request_id: str) -> dict[str, str]:
        return {
            "REQUEST-ID": request_id,
            "TIMESTAMP": stamp(self.now()),
            "X-CM-ID": self.cm_id,
            "Content-Type": "application/json",
        }

    def _client(self) -> httpx.AsyncClient:
        if self.http is None:
            raise RuntimeError("the app's lifespan has not been started")
        return self.http


def problem_of(error: Any) -> Problem | None:
    """An ``error`` object of a callback; null means success."""
    if not isinstance(error, dict):
        return None
    return Problem(code=str(error.get("code", "")).rstrip(": "), message=str(error.get("message", "")))


def _answer(response: httpx.Response) -> Answer:
    try:
        body = response.json() if response.content else None
    except ValueError:
        body = None
    if response.is_success:
        return Answer(response.status_code, body, None)
    part = body[0] if isinstance(body, list) and body else body
    if isinstance(part, dict) and isinstance(part.get("error"), dict):
        part = part["error"]
    if not isinstance(part, dict):
        part = {"message": response.text}
    found = Problem(code=str(part.get("code", response.status_code)), message=str(part.get("message", "")))
    return Answer(response.status_code, body, found)
