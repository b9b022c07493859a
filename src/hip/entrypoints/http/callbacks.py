"""The gateway's callbacks: authenticate, check the envelope, store, 202. Nothing is thought about before that.

Every POST that is no other route's is taken for one: a path we do not know is kept, too (contract §1.8).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from litestar import MediaType, Request, Response, Router, get, post
from litestar.datastructures import Headers
from litestar.di import NamedDependency

from hip.adapters.gateway.errors import Unauthenticated
from hip.adapters.gateway.moments import read_moment
from hip.adapters.gateway.subjects import read_subject
from hip.adapters.gateway.verification import CallbackAuth
from hip.application.callbacks import ReceiveCallback, ReceivedCallback, header_lengths, is_late
from hip.application.ports import Alarm, Clock, Facilities
from hip.application.tenants import FindFacility
from hip.domain.errors import Conflict, InvalidValue
from hip.domain.identifiers import HipId, RequestId
from hip.entrypoints.http.envelopes import TooLarge, body_limit, read_body, require_envelope, require_storable, storable
from hip.entrypoints.http.errors import error_body
from hip.entrypoints.logs import log

UNKNOWN_HIP = HipId("unknown")
"""Tenant of rejected deliveries that name no facility of ours."""

_MAX_REQUESTER = 255


def _refusal(status: int, code: str, message: str) -> Response[dict[str, dict[str, str]]]:
    return Response(error_body(code, message), status_code=status, media_type=MediaType.JSON)


def _tenant(headers: Headers, facilities: Facilities) -> HipId | None:
    for header in ("x-hip-id", "x-hiu-id"):
        found = facilities.find(headers.get(header, "").strip())
        if found is not None:
            return found.hip_id
    return None


def _requester(headers: Headers, facilities: Facilities) -> str | None:
    """X-HIU-ID, unless it stands there in place of X-HIP-ID (contract §7.2, 5)."""
    named = headers.get("x-hiu-id", "").strip()[:_MAX_REQUESTER]
    return named if named and facilities.find(named) is None else None


def _authorization(headers: Headers) -> str | None:
    """The only one: of two, what stands before us may have looked at the other (CB-01)."""
    sent = headers.getall("authorization", [])
    if len(sent) > 1:
        raise Unauthenticated("more than one Authorization header")
    return sent[0] if sent else None


def _timestamp(text: str) -> datetime | None:
    try:
        return read_moment(text, field="TIMESTAMP")
    except InvalidValue:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackDoor:
    """What answers a callback. It is made once: the gateway delivers in bursts, so nothing is built for each."""

    receive_callback: ReceiveCallback
    find_facility: FindFacility
    auth: CallbackAuth
    facilities: Facilities
    clock: Clock
    alarm: Alarm

    async def __call__(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """401 nothing stored · 400 and 413 a hash only · repeat 202 · other body 409 · storage down 503 · else 202."""
        headers = request.headers
        try:
            verified = await self.auth.check(_authorization(headers))
        except Unauthenticated as refusal:
            log.warning("callback-unauthenticated", code=refusal.code)
            return _refusal(401, refusal.code, str(refusal))
        asked = request.scope["path"]
        path = storable(asked)
        limit = body_limit(path)
        hip_id = _tenant(headers, self.facilities)
        received = ReceivedCallback(
            hip_id=hip_id or UNKNOWN_HIP,
            path=path,
            request_id=RequestId(headers.get("request-id", "")),
            body=await read_body(request, limit=limit),
            headers=header_lengths(headers.items()),
            verified=verified,
            late=is_late(_timestamp(headers.get("timestamp", "")), now=self.clock()),
            requester=_requester(headers, self.facilities),
        )
        try:
            require_storable(asked, received.body, limit=limit)
            content = require_envelope(received.request_id, received.body)
            if hip_id is None:
                received = replace(received, hip_id=await self.find_facility(read_subject(content)))
        except InvalidValue as fault:
            await self.receive_callback.reject(received, str(fault))
            status = 413 if isinstance(fault, TooLarge) else 400
            return _refusal(status, "413" if status == 413 else fault.code, str(fault))
        try:
            new = await self.receive_callback(received)
        except Conflict as conflict:
            self.alarm("callback-conflict", hip_id=received.hip_id, subject=received.request_id, detail=conflict.code)
            return _refusal(409, conflict.code, "REQUEST-ID: expected a new one for another body")
        if new and received.late:
            self.alarm("callback-late", hip_id=received.hip_id, subject=received.request_id, detail="CB-04")
        return Response({}, status_code=202, media_type=MediaType.JSON)


@get(["/api/v3/heartbeat", "/v3/heartbeat", "/v0.5/heartbeat"], include_in_schema=False)
async def heartbeat(clock: NamedDependency[Clock]) -> dict[str, str | None]:
    """Contract §2.13: open, and without detail."""
    at = clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"timestamp": at, "status": "UP", "error": None}


def callbacks_router(door: CallbackDoor) -> Router:
    """Every POST that is no other route's goes through ``door``; and the heartbeat."""

    async def receive(request: Request[Any, Any, Any]) -> Response[Any]:
        return await door(request)

    return Router(
        path="/",
        route_handlers=[
            post(
                # Where other routes begin the same way, the wider ones would not be looked at; a rest may not be empty.
                [f"{stem}{rest}" for stem in ("/api/v3", "/api", "/v0.5", "/") for rest in ("", "/{rest:path}")],
                status_code=202,
                include_in_schema=False,
                name="callbacks",
            )(receive),
            heartbeat,
        ],
        request_max_body_size=None,  # read_body stops by itself, and the refusal is kept
    )
