"""``/v1/visits``: the hospital's system hands over what happened, and asks what became of it."""

from typing import Any

from litestar import MediaType, Request, Response, Router, post
from litestar.di import NamedDependency

from hip.application.intake import ReceiveVisit
from hip.entrypoints.http.keys import Caller
from hip.entrypoints.views import Shown

MAX_VISIT = 32 * 1024 * 1024
"""A visit with scanned documents in base64."""


@post("/v1/visits", status_code=202, summary="Hand over a visit", request_max_body_size=MAX_VISIT)
async def receive_visit(
    request: Request[Any, Any, Any], receive_visit_record: NamedDependency[ReceiveVisit]
) -> Response[Shown]:
    """A visit record (JSON Schema: `hip visits schema`). Building, validating and linking follow by themselves.

    202 with the stored version; 200 when the same record was stored already; 400 names the field that is wrong.
    """
    caller: Caller = request.state.caller
    received = await receive_visit_record(await request.body(), actor=f"api-key {caller.name}", allowed=caller.hips)
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


visits_router = Router(path="/", route_handlers=[receive_visit], tags=["visits"])
