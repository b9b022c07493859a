"""The one table from our errors to HTTP statuses; bodies name the field and the code, never a value (API-03)."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, NotAuthorizedException, ValidationException

from hip.domain.errors import Conflict, DomainError, HipError, IllegalTransition, InvalidValue, NotFound, Transient
from hip.entrypoints.logs import log

_STATUS: tuple[tuple[type[HipError], int], ...] = (
    (InvalidValue, 400),
    (NotFound, 404),
    (Conflict, 409),
    (IllegalTransition, 409),
    (DomainError, 422),
    (Transient, 503),
)


def error_body(code: str, message: str, **more: str) -> dict[str, dict[str, str]]:
    """The asynchronous shape of the contract (§1.10), which our HMIS API uses too."""
    return {"error": {"code": code, "message": message, **more}}


def _expected(_request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, dict[str, str]]]:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    if isinstance(error, Transient):
        return Response(
            error_body("ABDM-1000", "storage is not available, try again"),
            status_code=status,
            headers={"Retry-After": "5"},
            media_type=MediaType.JSON,
        )
    code = getattr(error, "code", "ABDM-9999")
    more = {"field": error.field, "expected": error.expected} if isinstance(error, InvalidValue) else {}
    return Response(error_body(code, str(error), **more), status_code=status, media_type=MediaType.JSON)


def _framework(_request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, dict[str, str]]]:
    codes = {401: "900901", 404: "404", 405: "405", 413: "413", 429: "ABDM-1022"}
    code = codes.get(error.status_code, "ABDM-1006" if error.status_code < 500 else "ABDM-9999")
    message = _told(error) if error.status_code < 500 else "internal error"
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, NotAuthorizedException) else None
    return Response(
        error_body(code, message), status_code=error.status_code, headers=headers, media_type=MediaType.JSON
    )


def _told(error: HTTPException) -> str:
    """What was wrong, naming parameters; the framework's own text repeats the whole URL with its values (API-03)."""
    if isinstance(error, ValidationException):
        extra = error.extra if isinstance(error.extra, list) else []
        named = [f"{one['key']}: expected a valid value" for one in extra if isinstance(one, dict) and "key" in one]
        return "; ".join(named) or "the request is not as the API describes it"
    return error.detail


def _bug(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, dict[str, str]]]:
    correlation = str(uuid4())
    log.error("request-failed", kind=type(error).__name__, correlation=correlation, method=request.method)
    return Response(
        error_body("ABDM-9999", "internal error", correlation=correlation),
        status_code=500,
        media_type=MediaType.JSON,
    )


EXCEPTION_HANDLERS: Mapping[int | type[Exception], Any] = {
    HipError: _expected,
    HTTPException: _framework,
    Exception: _bug,
}
