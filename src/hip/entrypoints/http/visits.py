"""``/v1/visits``: the hospital's system hands over what happened, and asks what became of it."""

from collections.abc import AsyncIterator
from typing import Any

from litestar import MediaType, Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE

from hip.application.intake import ReceiveVisit
from hip.domain.errors import DomainError, InvalidValue
from hip.entrypoints.http.description import VisitOperation, answers, refusals
from hip.entrypoints.http.keys import Caller
from hip.entrypoints.views import Shown

MAX_VISIT = 32 * 1024 * 1024
"""A visit with scanned documents in base64."""

MAX_TOLD = 1000
"""How many refused lines of a stream are told one by one; the others are counted."""

_STREAMS = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})


@post(
    "/v1/visits",
    status_code=202,
    summary="Hand over a visit",
    operation_id="receiveVisit",
    operation_class=VisitOperation,
    responses={
        **answers(dict[str, Any], status=200, description="it was stored already"),
        **refusals(400, 401, 403, 413, 422, 503),
    },
    request_max_body_size=None,
)
async def receive_visit(
    request: Request[Any, Any, Any], receive_visit_record: NamedDependency[ReceiveVisit]
) -> Response[Shown]:
    """A visit record (JSON Schema: `hip visits schema`). Building, validating and linking follow by themselves.

    202 with the stored version; 200 when the same record was stored already; 400 names the field that is wrong; 413 for
    more than 32 MiB. With `Content-Type: application/x-ndjson` the body is any number of records, one a line: each is
    stored by itself, and the answer counts what was taken, unchanged and refused, and names each refused line and
    field. Sending the whole stream again is harmless.
    """
    caller: Caller = request.state.caller
    if request.content_type[0].lower() in _STREAMS:
        return await _receive_stream(request, receive_visit_record, caller)
    [content] = [line async for line in _parts(request.stream(), separator=None)]
    received = await receive_visit_record(content, actor=f"api-key {caller.name}", allowed=caller.hips)
    return Response(
        {
            "hipId": received.hip_id,
            "visitCode": received.visit_code,
            "version": received.version,
            "changed": received.changed,
            "hiTypes": list(received.hi_types),
        },
        status_code=202 if received.changed else 200,
        media_type=MediaType.JSON,
    )


async def _receive_stream(
    request: Request[Any, Any, Any], receive_visit_record: ReceiveVisit, caller: Caller
) -> Response[Shown]:
    taken = unchanged = refused = number = 0
    told: list[Shown] = []
    async for line in _parts(request.stream(), separator=b"\n"):
        number += 1
        if not line.strip():
            continue
        try:
            received = await receive_visit_record(line, actor=f"api-key {caller.name}", allowed=caller.hips)
        except DomainError as refusal:
            refused += 1
            if len(told) < MAX_TOLD:
                told.append(_told(number, refusal))
        else:
            taken, unchanged = taken + received.changed, unchanged + (not received.changed)
    return Response(
        {"taken": taken, "unchanged": unchanged, "refused": refused, "refusals": told},
        status_code=202 if taken else 400 if refused else 200,
        media_type=MediaType.JSON,
    )


def _told(number: int, refusal: DomainError) -> Shown:
    told: Shown = {"line": number, "code": refusal.code, "message": str(refusal)}
    if isinstance(refusal, InvalidValue):
        told |= {"field": refusal.field, "expected": refusal.expected}
    return told


async def _parts(chunks: AsyncIterator[bytes], *, separator: bytes | None) -> AsyncIterator[bytes]:
    """The body cut at ``separator``, or whole; no more of it is held than the part that is being read.

    Raises ClientException (413) for a part above MAX_VISIT.
    """
    held = bytearray()
    async for chunk in chunks:
        *ended, rest = chunk.split(separator) if separator is not None else [chunk]
        for piece in ended:
            _grow(held, piece)
            yield bytes(held)
            held.clear()
        _grow(held, rest)
    if held or separator is None:
        yield bytes(held)


def _grow(held: bytearray, piece: bytes) -> None:
    if len(held) + len(piece) > MAX_VISIT:
        raise ClientException(
            f"body: expected at most {MAX_VISIT} bytes a visit", status_code=HTTP_413_REQUEST_ENTITY_TOO_LARGE
        )
    held += piece


visits_router = Router(path="/", route_handlers=[receive_visit], tags=["visits"])
