"""``/v1/visits``, ``exchanges``, ``links``, ``consents``, ``transfers``: lists, and one of each."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from hip.application.explanations import ExplainRelease
from hip.application.ports import Bundles
from hip.application.storage import Listing, Units
from hip.domain.errors import NotFound
from hip.domain.identifiers import HipId
from hip.entrypoints.http.description import refusals
from hip.entrypoints.http.keys import Caller
from hip.entrypoints.stored import Stored, counted, found, listed
from hip.entrypoints.stored_records import CONSENTS, EXCHANGES, LINKS, TRANSFERS
from hip.entrypoints.stored_visits import VISITS
from hip.entrypoints.views import Shown

Hip = Annotated[str | None, QueryParameter(name="hip", description="one HIP id; else all the key acts for")]
Since = Annotated[datetime | None, QueryParameter(name="since", description="only what is newer (RFC 3339)")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1000, description="at most so many, newest first")]


def hips_of(request: Request[Any, Any, Any], hip: str | None) -> list[HipId]:
    """The HIP that is asked for, else all the key acts for. Raises when the key may not."""
    caller: Caller = request.state.caller
    return [caller.require(HipId(hip))] if hip else sorted(caller.hips)


def _actor(request: Request[Any, Any, Any]) -> str:
    return f"key {request.state.caller.name}"


def _lister(path: str, stored: Stored) -> HTTPRouteHandler:
    @get(
        path,
        summary=f"{stored.name.capitalize()}s, newest first",
        operation_id=f"list{stored.name.capitalize()}s",
        responses=refusals(400, 401, 403, 503),
    )
    async def list_stored(
        request: Request[Any, Any, Any],
        units: NamedDependency[Units],
        bundles: NamedDependency[Bundles],
        explain_release: NamedDependency[ExplainRelease],
        hip: Hip = None,
        since: Since = None,
        limit: Limit = 100,
    ) -> list[Shown]:
        hips = hips_of(request, hip)
        listings = [Listing(hip_id=hip_id, since=since, limit=limit) for hip_id in hips]
        rows = await listed(stored, units, bundles, listings)
        whole = Listing(hip_id=None, since=since, limit=limit)
        await explain_release.listed(counted(rows, hips), stored.plural, whole, actor=_actor(request))
        return rows

    return list_stored


def _shower(path: str, stored: Stored) -> HTTPRouteHandler:
    @get(
        f"{path}/{{key:str}}",
        summary=f"One {stored.name}",
        operation_id=f"show{stored.name.capitalize()}",
        responses=refusals(400, 401, 403, 404, 503),
    )
    async def show_stored(
        request: Request[Any, Any, Any],
        key: FromPath[str],
        units: NamedDependency[Units],
        bundles: NamedDependency[Bundles],
        explain_release: NamedDependency[ExplainRelease],
        hip: Hip = None,
    ) -> Shown:
        hips = hips_of(request, hip)
        # A NUL is in no key, and PostgreSQL takes it in no text.
        held = None if "\x00" in key else await found(stored, units, bundles, hips, key)
        if held is None:
            raise NotFound(stored.name, key)
        await explain_release.viewed(held[0], stored.name, key, actor=_actor(request))
        return held[1]

    return show_stored


_PATHS = {
    "/v1/visits": VISITS,
    "/v1/exchanges": EXCHANGES,
    "/v1/links": LINKS,
    "/v1/consents": CONSENTS,
    "/v1/transfers": TRANSFERS,
}

records_router = Router(
    path="/",
    route_handlers=[make(path, stored) for path, stored in _PATHS.items() for make in (_lister, _shower)],
    tags=["records"],
)
