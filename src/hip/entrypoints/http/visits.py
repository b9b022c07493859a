"""``/v1/visits``: the hospital's system hands over what happened, and asks what became of it."""

from contextlib import aclosing
from typing import Any

from litestar import MediaType, Request, Response, Router, post
from litestar.di import NamedDependency

from hip.application.intake import ReceivedVisit, ReceiveVisit, ReceiveVisits
from hip.domain.errors import DomainError, InvalidValue
from hip.entrypoints.http.description import VisitOperation, answers, refusals
from hip.entrypoints.http.keys import Caller
from hip.entrypoints.http.visit_streams import gathered_lines, whole
from hip.entrypoints.views import Shown

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
    request: Request[Any, Any, Any],
    receive_visit_record: NamedDependency[ReceiveVisit],
    receive_visit_records: NamedDependency[ReceiveVisits],
) -> Response[Shown]:
    """A visit record (JSON Schema: `hip visits schema`). Building, validating and linking follow by themselves.

    202 with the stored version; 200 when the same record was stored already; 400 names the field that is wrong; 413 for
    more than 32 MiB. With `Content-Type: application/x-ndjson` the body is any number of records, one a line, stored
    up to 200 at a time while they come: a refused line spoils no other. The answer counts what was taken, unchanged and
    refused, and names each refused line and field. Sending the whole stream again is harmless, also after a 503.
    """
    caller: Caller = request.state.caller
    if request.content_type[0].lower() in _STREAMS:
        return await _receive_stream(request, receive_visit_records, caller)
    content = await whole(request.stream())
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
    request: Request[Any, Any, Any], receive_visit_records: ReceiveVisits, caller: Caller
) -> Response[Shown]:
    taken = unchanged = refused = 0
    told: list[Shown] = []
    async with aclosing(gathered_lines(request.stream())) as batches:
        async for lines in batches:
            actor = f"api-key {caller.name}"
            answers = await receive_visit_records(lines.records, actor=actor, allowed=caller.hips)
            for number, answer in zip(lines.places, answers, strict=False):
                if isinstance(answer, ReceivedVisit):
                    taken, unchanged = taken + answer.changed, unchanged + (not answer.changed)
                elif isinstance(answer, DomainError):
                    refused += 1
                    if len(told) < MAX_TOLD:
                        told.append(_told(number, answer))
                else:
                    raise answer
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


visits_router = Router(path="/", route_handlers=[receive_visit], tags=["visits"])
