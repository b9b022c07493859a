"""The gateway's callbacks: authenticate, check the envelope, store, 202. Nothing is thought about before that.

Every POST that is no other route's is taken for one: a path we do not know is kept, too (contract §1.8).
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar import MediaType, Request, Response, Router, get, post
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
from hip.entrypoints.http.envelopes import TooLarge, body_limit, read_body, require_envelope
from hip.entrypoints.http.errors import error_body
from hip.entrypoints.logs import log

UNKNOWN_HIP = HipId("unknown")
"""Tenant of rejected deliveries that name no facility of ours."""

_MAX_REQUESTER = 255


def _refusal(status: int, code: str, message: str) -> Response[dict[str, dict[str, str]]]:
    return Response(error_body(code, message), status_code=status, media_type=MediaType.JSON)


def _tenant(request: Request[Any, Any, Any], facilities: Facilities) -> HipId | None:
    for header in ("x-hip-id", "x-hiu-id"):
        found = facilities.find(request.headers.get(header, "").strip())
        if found is not None:
            return found.hip_id
    return None


def _requester(request: Request[Any, Any, Any], facilities: Facilities) -> str | None:
    """X-HIU-ID, unless it stands there in place of X-HIP-ID (contract §7.2, 5)."""
    named = request.headers.get("x-hiu-id", "").strip()[:_MAX_REQUESTER]
    return named if named and facilities.find(named) is None else None


def _timestamp(text: str) -> datetime | None:
    try:
        return read_moment(text, field="TIMESTAMP")
    except InvalidValue:
        return None


async def receive(
    request: Request[Any, Any, Any],
    receive_callback: NamedDependency[ReceiveCallback],
    find_facility: NamedDependency[FindFacility],
    callback_auth: NamedDependency[CallbackAuth],
    facilities: NamedDependency[Facilities],
    clock: NamedDependency[Clock],
    alarm: NamedDependency[Alarm],
) -> Response[Any]:
    """401 nothing stored · 400 and 413 a hash only · repeat 202 · other body 409 · storage down 503 · else 202."""
    try:
        verified = await callback_auth.check(request.headers.get("authorization"))
    except Unauthenticated as refusal:
        log.warning("callback-unauthenticated", code=refusal.code)
        return _refusal(401, refusal.code, str(refusal))
    limit = body_limit(request.url.path)
    hip_id = _tenant(request, facilities)
    received = ReceivedCallback(
        hip_id=hip_id or UNKNOWN_HIP,
        path=request.url.path,
        request_id=RequestId(request.headers.get("request-id", "")),
        body=await read_body(request, limit=limit),
        headers=header_lengths(list(request.headers.items())),
        verified=verified,
        late=is_late(_timestamp(request.headers.get("timestamp", "")), now=clock()),
        requester=_requester(request, facilities),
    )
    try:
        if len(received.body) > limit:
            raise TooLarge("body", f"at most {limit} bytes")
        content = require_envelope(received.request_id, received.body)
        hip_id = hip_id or await find_facility(read_subject(content))
        received = replace(received, hip_id=hip_id)
    except InvalidValue as fault:
        await receive_callback.reject(received, str(fault))
        status = 413 if isinstance(fault, TooLarge) else 400
        return _refusal(status, "413" if status == 413 else fault.code, str(fault))
    try:
        new = await receive_callback(received)
    except Conflict as conflict:
        alarm("callback-conflict", hip_id=hip_id, subject=received.request_id, detail=conflict.code)
        return _refusal(409, conflict.code, "REQUEST-ID: expected a new one for another body")
    if new and received.late:
        alarm("callback-late", hip_id=hip_id, subject=received.request_id, detail="CB-04")
    return Response({}, status_code=202, media_type=MediaType.JSON)


@get(["/api/v3/heartbeat", "/v0.5/heartbeat"], include_in_schema=False)
async def heartbeat(clock: NamedDependency[Clock]) -> dict[str, str | None]:
    """Contract §2.13: open, and without detail."""
    at = clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"timestamp": at, "status": "UP", "error": None}


callbacks_router = Router(
    path="/",
    route_handlers=[
        post(
            # Where other routes begin the same way, the wider ones would not be looked at.
            ["/api/v3/{rest:path}", "/api/{rest:path}", "/v0.5/{rest:path}", "/{rest:path}"],
            status_code=202,
            include_in_schema=False,
            name="callbacks",
        )(receive),
        heartbeat,
    ],
    request_max_body_size=None,  # read_body stops by itself, and the refusal is kept
)
