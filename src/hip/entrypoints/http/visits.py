"""``/v1/visits``: the hospital's system hands over what happened, and asks what became of it."""

from typing import Annotated, Any

from litestar import MediaType, Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from hip.application.intake import ReceiveVisit
from hip.application.storage import Units
from hip.domain.errors import NotFound
from hip.domain.identifiers import CareContextReference, HipId, VisitCode
from hip.entrypoints.http.keys import Caller
from hip.entrypoints.views import Shown, visit_view

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


@get("/v1/visits/{visit_code:str}", summary="What became of a visit")
async def show_visit(
    request: Request[Any, Any, Any],
    visit_code: FromPath[str],
    units: NamedDependency[Units],
    hip: Annotated[str | None, QueryParameter(name="hip", description="HIP id, when the key acts for several")] = None,
) -> Shown:
    """Its bundles with their validity, and whether it is linked."""
    caller: Caller = request.state.caller
    hips = [caller.require(HipId(hip))] if hip else sorted(caller.hips)
    for hip_id in hips:
        async with units() as uow:
            visit = await uow.visits.get(hip_id, VisitCode(visit_code))
            if visit is not None:
                bundles = list(await uow.bundles.of_visit(hip_id, visit.record.visit_code))
                context = await uow.care_contexts.get(hip_id, CareContextReference(visit_code))
                return visit_view(visit, bundles, context)
    raise NotFound("visit", visit_code)


visits_router = Router(path="/", route_handlers=[receive_visit, show_visit], tags=["visits"])
