"""The gateway's calls to the parties behind the bridges (contract §1.3, §1.8)."""

import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec

from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.gateway.journal import Journal
from hip.entrypoints.sandbox.gateway.keys import CALLBACK_LIFE, GatewayKeys
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.moments import Now, stamp

DELAY = 0.3  # seconds, scaled: the sandbox's own round trips were about 340 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One message to a service. ``as_hiu`` names it in ``x-hiu-id`` instead of ``x-hip-id``.

    ``expect`` is told the REQUEST-ID before anything is sent, so that an answer which overtakes the reply is known.
    ``failed`` runs when the last attempt failed or a scenario withheld the callback, ``delivered`` after a success.
    """

    service_id: str
    path: str
    body: dict[str, Any] = field(repr=False)
    as_hiu: bool = False
    expect: Callable[[str], None] | None = None
    failed: Callable[[], Coroutine[Any, Any, None]] | None = None
    delivered: Callable[[], Coroutine[Any, Any, None]] | None = None


@dataclass(slots=True)
class CallbackSender:
    """Delivers callbacks with the exact headers of the real gateway, insists after failures, journals each attempt."""

    registry: Registry
    keys: Callable[[], GatewayKeys]
    journal: Journal
    scenarios: Scenarios
    background: Background
    now: Now
    issuer: str
    http: Callable[[], httpx.AsyncClient]
    retry_waits: tuple[float, ...]
    _tokens: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict, repr=False)

    def later(self, callback: Callback) -> None:
        """Deliver in the background, a moment from now."""
        self.background.start(self._after_a_moment(callback), name=f"callback {callback.path}")

    async def deliver(self, callback: Callback) -> None:
        """Deliver now. Never raises for a party that is down or refuses: that is journaled."""
        if self.scenarios.strikes("silent", callback.path):
            self.journal.write("out", method="POST", path=callback.path, status=0, note="withheld")
            await _run(callback.failed)
            return
        # Drawn once: what is repeated under one REQUEST-ID has one body, or a receiver must take it for an attack.
        callback = replace(callback, body=self._dressed(callback))
        request_id = self._expected(callback)
        taken = await self._insist(callback, request_id)
        if taken and self.scenarios.strikes("duplicate-callbacks", callback.path):
            await self._attempt(callback, request_id, attempt=1, note="duplicate")
        if taken and self.scenarios.strikes("repeated-business", callback.path):
            await self._attempt(callback, self._expected(callback), attempt=1, note="repeated with a new id")
        await _run(callback.delivered if taken else callback.failed)

    def _expected(self, callback: Callback) -> str:
        request_id = str(uuid.uuid4())
        if callback.expect is not None:
            callback.expect(request_id)
        return request_id

    def _dressed(self, callback: Callback) -> dict[str, Any]:
        if self.scenarios.strikes("null-request-ids", callback.path):
            return {"requestId": None, "timestamp": None, **callback.body}
        if self.scenarios.strikes("empty-request-ids", callback.path):
            return {**callback.body, "requestId": "", "timestamp": ""}
        return callback.body

    async def _after_a_moment(self, callback: Callback) -> None:
        await self.background.pause(DELAY)
        if self.scenarios.strikes("slow-callbacks", callback.path):
            await self.background.pause(5)
        await self.deliver(callback)

    async def _insist(self, callback: Callback, request_id: str) -> bool:
        for attempt, wait in enumerate((*self.retry_waits, 0.0), start=1):
            if await self._attempt(callback, request_id, attempt=attempt):
                return True
            await self.background.pause(wait)
        return False

    async def _attempt(self, callback: Callback, request_id: str, *, attempt: int, note: str = "") -> bool:
        client = self.registry.client_of(callback.service_id)
        status, problem = 0, "no bridge URL is registered"
        if client is not None and client.url is not None:
            status, problem = await self._post(f"{client.url.rstrip('/')}{callback.path}", callback, request_id)
        self.journal.write(
            "out",
            method="POST",
            path=callback.path,
            status=status,
            request_id=request_id,
            client_id=client.client_id if client else "",
            service_id=callback.service_id,
            attempt=attempt,
            note=note or problem,
            body=callback.body,
        )
        return 200 <= status < 300

    async def _post(self, url: str, callback: Callback, request_id: str) -> tuple[int, str]:
        try:
            response = await self.http().post(
                url, content=msgspec.json.encode(callback.body), headers=self._headers(callback, request_id)
            )
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            return 0, type(problem).__name__
        return response.status_code, ""

    def _headers(self, callback: Callback, request_id: str) -> dict[str, str]:
        at = self.now()
        if self.scenarios.strikes("skewed-clock", callback.path):
            at -= timedelta(minutes=15)
        as_hiu = callback.as_hiu
        if callback.path.endswith("/confirm") and self.scenarios.strikes("hiu-header-on-confirm", callback.path):
            as_hiu = True
        return {
            "request-id": request_id,
            "timestamp": stamp(at, zone=not self.scenarios.strikes("zoneless-timestamps", callback.path)),
            "x-hiu-id" if as_hiu else "x-hip-id": callback.service_id,
            "authorization": f"Bearer {self._token(callback.service_id)}",
            "content-type": "application/json",
            "user-agent": "ReactorNetty/1.0.24",
            "x-request-id": str(uuid.uuid4()),
        }

    def _token(self, service_id: str) -> str:
        client = self.registry.client_of(service_id)
        client_id = client.client_id if client else ""
        keys, now = self.keys(), self.now()
        name = (client_id, str(keys.signing.kid))
        token, until = self._tokens.get(name, ("", now))
        if until <= now:
            # One token serves many callbacks, as a receiver that caches what it verified expects.
            token = keys.callback_token(client_id, issuer=self.issuer, at=now)
            self._tokens[name] = token, now + CALLBACK_LIFE / 2
        return token


async def _run(after: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
    if after is not None:
        await after()
