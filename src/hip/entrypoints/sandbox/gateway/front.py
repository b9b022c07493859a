"""The front of the gateway: everything that is the same for all calls under ``/api/hiecm`` (contract §1.2, §1.10)."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.background_tasks import BackgroundTask

from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.gateway.callbacks import Callback, CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.journal import Journal
from hip.entrypoints.sandbox.gateway.refusals import (
    ROTATION,
    Refusal,
    Shape,
    access_denied,
    bad,
    rendered,
    unauthorised,
)
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.gateway.sessions import Sessions
from hip.entrypoints.sandbox.moments import Now, read_stamp, stamp
from hip.entrypoints.sandbox.parties import Client

PREFIX = "/api/hiecm"
STANDARD = ("request-id", "timestamp", "x-cm-id")
THROTTLED = 60.0  # seconds, scaled, but the header has whole seconds and so at least one
HANG = 60.0  # seconds, not scaled: longer than any client waits


@dataclass(slots=True)
class Front:
    """Checks the headers, finds the endpoint, turns refusals into replies and journals the call."""

    routes: Routes
    sessions: Sessions
    registry: Registry
    sender: CallbackSender
    scenarios: Scenarios
    journal: Journal
    background: Background
    now: Now
    cm_id: str
    skew: timedelta
    _seen: set[str] = field(default_factory=set)
    _turn: int = 0

    async def serve(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Answer one call."""
        path = request.scope["raw_path"].decode("ascii").partition("?")[0].removeprefix(PREFIX)
        headers = {name.lower(): value for name, value in request.headers.items()}
        raw = await request.body()
        client: Client | None = None
        code: str | None = None
        silent = False
        try:
            endpoint, tail = self._endpoint(request.method, path)
            client = self._admit(endpoint, path, headers)
            call = Call(
                method=request.method,
                path=path,
                headers=headers,
                raw=raw,
                request_id=headers.get("request-id", ""),
                client=client,
                hip_id=self._facility(endpoint, headers, client),
                tail=tail,
            )
            reply = await endpoint.handle(call)
            silent = self.scenarios.strikes("silent-calls", path)
            response = await self._accepted(path, reply, silent=silent)
        except Refusal as refusal:
            code = refusal.code or None
            response = self._refused(request.method, path, headers, refusal)
        self.journal.write(
            "in",
            method=request.method,
            path=path,
            status=response.status_code or 200,
            request_id=headers.get("request-id", ""),
            client_id=client.client_id if client else "",
            service_id=headers.get("x-hip-id") or headers.get("x-hiu-id") or "",
            code=code,
            note="never answered" if silent else "",
            body=_readable(raw) if self.journal.keep_bodies else None,
        )
        if silent:
            await asyncio.sleep(HANG)
        await self._dawdle(path)
        return response

    def _endpoint(self, method: str, path: str) -> tuple[Endpoint, str]:
        endpoint = self.routes.get((method, path))
        if endpoint is not None:
            return endpoint, ""
        stem, _, tail = path.rpartition("/")
        endpoint = self.routes.get((method, f"{stem}/*"))
        if endpoint is None or not tail:
            raise Refusal(404, "404", "Runtime Error", Shape.API_MANAGER)
        return endpoint, tail

    def _admit(self, endpoint: Endpoint, path: str, headers: Mapping[str, str]) -> Client | None:
        client = None
        complete = all(headers.get(name, "").strip() for name in STANDARD)
        if endpoint.session:
            if self.scenarios.strikes_first("once-401", path):
                raise unauthorised("900901", "Invalid Credentials")
            client = self.sessions.client_for(headers.get("authorization", ""))
        elif not complete:
            raise unauthorised("900902", "Missing Credentials")
        if not complete or headers["x-cm-id"] != self.cm_id:
            raise access_denied()
        self._check_fresh(headers)
        if self.scenarios.strikes_first("once-503", path):
            raise Refusal(503, "ABDM-1019", "Dependent service is unavailable")
        if self.scenarios.strikes_first("once-429", path):
            wait = max(1, round(THROTTLED * self.background.wait_scale))
            raise Refusal(429, "ABDM-1022", "Too many requests", retry_after=wait)
        return client

    def _check_fresh(self, headers: Mapping[str, str]) -> None:
        request_id = headers["request-id"]
        try:
            canonical = str(uuid.UUID(request_id)) == request_id
        except ValueError:
            canonical = False
        if not canonical:
            raise bad("ABDM-1030", "Invalid request id")
        if request_id in self._seen:
            raise bad("ABDM-1064", "Request id already exists")
        self._seen.add(request_id)
        try:
            at = read_stamp(headers["timestamp"])
        except ValueError:
            raise bad("ABDM-1016", "Invalid timestamp") from None
        if abs(self.now() - at) > self.skew:
            raise bad("ABDM-1016", "Invalid timestamp")

    def _facility(self, endpoint: Endpoint, headers: Mapping[str, str], client: Client | None) -> str:
        """X-HIP-ID: 403 when missing where required, or blank; ABDM-1035 when it is not the caller's."""
        hip_id = headers.get("x-hip-id")
        if hip_id is None and not endpoint.facility:
            return ""
        if not (hip_id or "").strip():
            raise access_denied()
        own = client.services if client else ()
        if endpoint.facility and all(service.id != hip_id or "HIP" not in service.types for service in own):
            raise bad("ABDM-1035", "Invalid HIP id")
        return hip_id or ""

    async def _accepted(self, path: str, reply: Reply, *, silent: bool) -> Response[bytes]:
        content = b"" if reply.body is None else msgspec.json.encode(reply.body)
        then = reply.then
        if then is not None and self.scenarios.strikes("callback-before-reply", path):
            await self.sender.deliver(then)
            then = None
        if silent and then is not None:
            self.sender.later(then)
            then = None
        # Started only after the reply went out, so that a callback overtakes it by scenario and not by chance.
        after = BackgroundTask(self._follow, then) if then is not None else None
        return Response(content, status_code=reply.status, media_type="application/json", background=after)

    async def _follow(self, then: Callback) -> None:
        """A coroutine, for litestar would run a plain function in a thread, where there is no loop."""
        self.sender.later(then)

    def _refused(self, method: str, path: str, headers: Mapping[str, str], refusal: Refusal) -> Response[bytes]:
        endpoint = self.routes.get((method, path))
        shape = refusal.shape or (endpoint.shape if endpoint else Shape.FLAT)
        if refusal.shape is None and self.scenarios.strikes("error-shapes", path):
            shape = ROTATION[self._turn % len(ROTATION)]
            self._turn += 1
        content, media_type = rendered(
            refusal, shape, path=path, at=stamp(self.now()), request_id=headers.get("request-id", "")
        )
        told = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        return Response(content, status_code=refusal.status, media_type=media_type, headers=told)

    async def _dawdle(self, path: str) -> None:
        if self.scenarios.strikes("slow", path):
            await self.background.pause(3)


def _readable(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw) if raw else None
    except msgspec.DecodeError:
        return None
