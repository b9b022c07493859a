"""``/health-information/{id}?token=``: what was too large to push, for the requester that was told of it."""

from typing import Annotated

from litestar import Response, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from hip.application.waiting_entries import PATH, FetchEntry
from hip.domain.errors import NotFound
from hip.entrypoints.http.description import refusals

Token = Annotated[str, QueryParameter(name="token", description="as it stands in the link")]


@get(
    f"{PATH}/{{information_id:str}}",
    summary="One entry of a page, sealed, served once",
    security=[],
    responses=refusals(400, 404, 503),
)
async def fetch_entry(
    information_id: FromPath[str], fetch: NamedDependency[FetchEntry], token: Token = ""
) -> Response[dict[str, str]]:
    """Open to whoever has the link: the entry is sealed for the requester that made the request."""
    if "\x00" in information_id:  # which is in no id, and PostgreSQL takes it in no text
        raise NotFound("health information", "asked for")
    content = await fetch(information_id, token)
    return Response({"content": content}, headers={"Cache-Control": "no-store"})


entries_router = Router(path="/", route_handlers=[fetch_entry], tags=["entries"])
