"""The gateway's callbacks: authenticate, check the envelope, store, 202. Nothing is thought about before that."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.di import NamedDependency

from hip.adapters.gateway.errors import Unauthenticated
from hip.adapters.gateway.moments import read_moment
from hip.adapters.gateway.verification import CallbackAuth
from hip.application.callbacks import ReceiveCallback, ReceivedCallback, header_lengths, is_late
from hip.application.ports import Clock, Facilities
from hip.domain import identifiers
from hip.domain.errors import Conflict, InvalidValue
from hip.domain.identifiers import HipId, RequestId
from hip.entrypoints.http.errors import error_body
from hip.entrypoints.logs import log

MAX_BODY = 1024 * 1024
MAX_CONSENT_BODY = 4 * 1024 * 1024
"""CB-07; a consent may name thousands of care contexts."""

UNKNOWN_HIP = HipId("unknown")
"""Tenant of rejected deliveries that name no facility of ours."""

_MAX_REQUESTER = 255

CLOCK_SKEW = timedelta(minutes=10)


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


def _envelope_fault(request: Request[Any, Any, Any], body: bytes) -> str | None:
    """What is wrong with the envelope, naming the header or the body; None when nothing is."""
    try:
        identifiers.opaque(request.headers.get("request-id", ""), field="REQUEST-ID")
    except InvalidValue as fault:
        return str(fault)
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "body: expected JSON"
    return None if isinstance(decoded, dict) else "body: expected a JSON object"


async def receive(
    request: Request[Any, Any, Any],
    receive_callback: NamedDependency[ReceiveCallback],
    callback_auth: NamedDependency[CallbackAuth],
    facilities: NamedDependency[Facilities],
    clock: NamedDependency[Clock],
) -> Response[Any]:
    """401 nothing stored · 400 and 413 a hash only · repeat 202 · other body 409 · storage down 503 · else 202."""
    try:
        verified = await callback_auth.check(request.headers.get("authorization"))
    except Unauthenticated as refusal:
        log.warning("callback-unauthenticated", code=refusal.code)
        return _refusal(401, refusal.code, str(refusal))
    body = await request.body()
    hip_id = _tenant(request, facilities)
    now = clock()
    received = ReceivedCallback(
        hip_id=hip_id or UNKNOWN_HIP,
        path=request.url.path,
        request_id=RequestId(request.headers.get("request-id", "")),
        body=body,
        headers=header_lengths(list(request.headers.items())),
        verified=verified,
        late=is_late(_timestamp(request.headers.get("timestamp", "")), now=now),
        requester=_requester(request, facilities),
    )
    limit = MAX_CONSENT_BODY if "/consent/" in received.path else MAX_BODY
    if len(body) > limit:
        await receive_callback.reject(received, "body: larger than the limit")
        return _refusal(413, "413", f"body: expected at most {limit} bytes")
    fault = _envelope_fault(request, body)
    if fault is not None:
        await receive_callback.reject(received, fault)
        return _refusal(400, "ABDM-1006", fault)
    if hip_id is None:
        await receive_callback.reject(received, "X-HIP-ID: not a facility of this service")
        return _refusal(400, "ABDM-1035", "X-HIP-ID: expected a facility of this service")
    if received.late:
        log.warning("callback-late", hip_id=hip_id)
    try:
        await receive_callback(received)
    except Conflict as conflict:
        log.error("callback-conflict", hip_id=hip_id, code=conflict.code)
        return _refusal(409, conflict.code, "REQUEST-ID: expected a new one for another body")
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
            ["/api/v3/{rest:path}", "/v3/{rest:path}", "/v0.5/{rest:path}"],
            status_code=202,
            include_in_schema=False,
            name="callbacks",
        )(receive),
        heartbeat,
    ],
    request_max_body_size=MAX_CONSENT_BODY + 1,
)
