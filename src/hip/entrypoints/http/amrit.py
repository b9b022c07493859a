"""The ``/careContext`` paths of AMRIT's registration desk: its fields and wrapper, under the HTTP status that is true.

Served with ``HIP_AMRIT_PATHS=on`` only; docs/amrit-desk.md tells integrators what differs from AMRIT.
"""

from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody, QueryParameter
from litestar.types import Guard

from hip.application.desk_links import AskTokenAtDesk, DeskLink, DeskState, DeskView, LinkFromDesk, LookFromDesk
from hip.application.gateway_calls import GenerateToken
from hip.application.ports import Clock
from hip.domain.errors import HipError, InvalidValue
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, RequestId, VisitCode
from hip.domain.patients import Gender
from hip.domain.refusals import explain
from hip.entrypoints.http.errors import EXCEPTION_HANDLERS
from hip.entrypoints.http.keys import ApiKeys, Caller

FAILED = 5000
"""``statusCode`` of everything that is not done, as AMRIT has it."""

_LINKED, _UNDER_WAY = "Care Context added successfully", "Care Context is being linked"


class TokenWanted(msgspec.Struct, rename="camel", kw_only=True):
    """Body of generateCareContextToken; other fields are ignored."""

    abha_address: str
    name: str
    gender: str
    year_of_birth: int | str
    abha_number: str | int | None = None
    abdm_facility_id: str | None = None


class LinkWanted(msgspec.Struct, rename="camel", kw_only=True):
    """Body of linkCareContext. What the documents say themselves (category, hiType, display) is not taken from here."""

    abha_address: str
    visit_code: str | int
    abha_number: str | int | None = None
    beneficiary: str | int | None = msgspec.field(default=None, name="beneficiaryID")
    abdm_facility_id: str | None = None


def _answer(data: dict[str, Any], *, status: int = 200) -> Response[dict[str, Any]]:
    body = {"data": data, "statusCode": 200, "errorMessage": "Success", "status": "Success"}
    return Response(body, status_code=status, media_type=MediaType.JSON)


def _failure(status: int, code: str, message: str, data: dict[str, Any] | None = None) -> Response[dict[str, Any]]:
    body = {"data": data or {}, "statusCode": FAILED, "errorMessage": message, "status": f"Failure {code}"}
    return Response(body, status_code=status, media_type=MediaType.JSON)


def _wrapped(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """Our own answer to an error, in AMRIT's wrapper."""
    kind = next(kind for kind in (HipError, HTTPException, Exception) if isinstance(error, kind))
    ours: Response[dict[str, dict[str, str]]] = EXCEPTION_HANDLERS[kind](request, error)
    told = ours.content["error"]
    answer = _failure(ours.status_code or 500, told["code"], told["message"])
    answer.headers.update(ours.headers)
    return answer


def _why(view: DeskView) -> str:
    why = explain(view.code or "", view.flow)
    return f"{view.code}: {why.cause}: {why.fix}"


def _facility(request: Request[Any, Any, Any], named: str | None) -> HipId:
    """The one that is named, else the only one the key acts for. Raises InvalidValue, PermissionDeniedException."""
    caller: Caller = request.state.caller
    if named:
        return caller.require(HipId(named))
    if len(caller.hips) != 1:
        raise InvalidValue("abdmFacilityId", "a facility of this service", code="ABDM-1035")
    return next(iter(caller.hips))


def _visit_code(value: str | int) -> VisitCode:
    text = str(value).strip()
    if not text or "\x00" in text:
        raise InvalidValue("visitCode", "the code of a visit")
    return VisitCode(text)


def _number(value: str | int | None) -> AbhaNumber | None:
    return None if value is None or str(value).strip() == "" else AbhaNumber.parse(value)


def _year(value: int | str) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and 1900 <= int(text) <= 2200):
        raise InvalidValue("yearOfBirth", "a year from 1900 to 2200")
    return int(text)


@post(["/careContext/generateCareContextToken", "/careContext/generateLinkToken"], status_code=200, tags=["desk"])
async def generate_token(
    request: Request[Any, Any, Any], data: JSONBody[TokenWanted], ask_token: NamedDependency[AskTokenAtDesk]
) -> Response[dict[str, Any]]:
    """``linkToken`` (a mark of ours) when there is one, else ``requestId``, to look again with; 422 when refused."""
    if not data.name.strip():
        raise InvalidValue("name", "a name")
    person = GenerateToken(
        abha_address=AbhaAddress.parse(data.abha_address),
        abha_number=_number(data.abha_number),
        name=data.name.strip(),
        gender=Gender.parse(data.gender),
        birth_year=_year(data.year_of_birth),
    )
    view = await ask_token(_facility(request, data.abdm_facility_id), person)
    if view.state is DeskState.LINK_FAILED:
        return _failure(422, view.code or "", _why(view), {"requestId": view.request_id, "error": _why(view)})
    if view.mark is not None:
        return _answer({"linkToken": view.mark, "state": view.state})
    return _answer({"requestId": view.request_id, "state": view.state}, status=202)


@post("/careContext/linkCareContext", status_code=200, tags=["desk"])
async def link_care_context(
    request: Request[Any, Any, Any],
    data: JSONBody[LinkWanted],
    link_from_desk: NamedDependency[LinkFromDesk],
    look_from_desk: NamedDependency[LookFromDesk],
) -> Response[dict[str, Any]]:
    """200 when it is linked, 202 while it is under way: never a success before the gateway's own word."""
    hip_id = _facility(request, data.abdm_facility_id)
    wanted = DeskLink(
        visit_code=_visit_code(data.visit_code),
        beneficiary=None if data.beneficiary in (None, "") else str(data.beneficiary),
        abha_address=AbhaAddress.parse(data.abha_address),
        abha_number=_number(data.abha_number),
    )
    await link_from_desk(hip_id, wanted, actor=f"key {request.state.caller.name}")
    view = await look_from_desk.at_visit(hip_id, wanted.visit_code)
    linked = view.state is DeskState.LINKED
    shown = {"message": _LINKED if linked else _UNDER_WAY, "state": view.state, "requestId": view.request_id}
    return _answer(shown, status=200 if linked else 202)


@get("/careContext/linkStatus", tags=["desk"])
async def link_status(
    request: Request[Any, Any, Any],
    look_from_desk: NamedDependency[LookFromDesk],
    clock: NamedDependency[Clock],
    visit_code: Annotated[str | None, QueryParameter(name="visitCode")] = None,
    request_id: Annotated[str | None, QueryParameter(name="requestId")] = None,
    facility: Annotated[str | None, QueryParameter(name="abdmFacilityId")] = None,
) -> Response[dict[str, Any]]:
    """The state of a visit's link, or of a token request; ask every five seconds or so."""
    hip_id = _facility(request, facility)
    if visit_code:
        view = await look_from_desk.at_visit(hip_id, _visit_code(visit_code))
    elif request_id and "\x00" not in request_id:
        view = await look_from_desk.at_token(hip_id, RequestId(request_id))
    else:
        raise InvalidValue("visitCode", "a visit's code, or requestId")
    failed = view.state is DeskState.LINK_FAILED
    shown = {
        "state": view.state,
        "requestId": view.request_id,
        "retryCount": max(0, view.tries - 1),
        "lastPolled": clock().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "message": _why(view) if failed else None,
    }
    return _answer(shown)


def _guard(keys: ApiKeys) -> Guard:
    """The API key in X-API-Key, or in Authorization as AMRIT's own proxies send theirs."""

    def require_key(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        headers = connection.headers
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        caller = keys.recognise(given)
        if caller is None:
            raise NotAuthorizedException("Authorization: expected a known key")
        connection.state.caller = caller

    return require_key


def desk_router(keys: ApiKeys) -> Router:
    """The three paths, for those who hold a key."""
    return Router(
        path="/",
        route_handlers=[generate_token, link_care_context, link_status],
        guards=[_guard(keys)],
        exception_handlers=dict.fromkeys(EXCEPTION_HANDLERS, _wrapped),
        include_in_schema=False,
    )
