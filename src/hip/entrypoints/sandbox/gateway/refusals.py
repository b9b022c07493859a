"""How the gateway says no: an ABDM code in one of the shapes it was seen to use (contract §1.10)."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec


class Shape(Enum):
    """The form of a refusal's body."""

    WRAPPED = "{'error': {code, message}}"
    LISTED_WRAPPED = "[{'error': {code, message}}]"
    LISTED = "[{code, message}]"
    FLAT = "{code, message, timestamp, path}"
    SPRING = "{timestamp, path, status, error, requestId}"
    FIELD = "{field: problem, timestamp}"
    API_MANAGER = "{code, message, description}"
    PLAIN = "text/plain"
    EMPTY = "no body"


# The shapes a body refusal takes in turn while the scenario `error-shapes` is on.
ROTATION = (Shape.WRAPPED, Shape.LISTED_WRAPPED, Shape.LISTED, Shape.FLAT, Shape.SPRING)


@dataclass(slots=True, eq=False)
class Refusal(Exception):
    """A non-2xx reply. ``shape`` is the endpoint's own unless given; ``field`` is the culprit of ``Shape.FIELD``.

    ``retry_after``: whole seconds of the header Retry-After, none when null.
    """

    status: int
    code: str
    message: str = ""
    shape: Shape | None = None
    field: str = ""
    retry_after: int | None = None


def bad(code: str, message: str) -> Refusal:
    """A 400 in the shape of the endpoint."""
    return Refusal(400, code, message)


def empty() -> Refusal:
    """A 400 without a body: what a dashed ABHA number or an array ``hiType`` gets at link."""
    return Refusal(400, "", "", Shape.EMPTY)


def access_denied() -> Refusal:
    """403 ``text/plain``: a required header is missing or blank, or X-CM-ID is of another environment."""
    return Refusal(403, "", "Access Denied", Shape.PLAIN)


def unauthorised(code: str, message: str) -> Refusal:
    """401 of the API manager: 900901 for an invalid token, 900902 for none."""
    return Refusal(401, code, message, Shape.API_MANAGER)


def rendered(refusal: Refusal, shape: Shape, *, path: str, at: str, request_id: str) -> tuple[bytes, str]:
    """The body and its media type."""
    pair = {"code": refusal.code, "message": refusal.message}
    body: Any
    match shape:
        case Shape.PLAIN:
            return refusal.message.encode(), "text/plain"
        case Shape.EMPTY:
            return b"", "application/json"
        case Shape.WRAPPED:
            body = {"error": pair}
        case Shape.LISTED_WRAPPED:
            body = [{"error": pair}]
        case Shape.LISTED:
            body = [pair]
        case Shape.FLAT:
            body = {**pair, "timestamp": at, "path": path}
        case Shape.SPRING:
            # The one shape without a code: the text is all a caller gets.
            body = {
                "timestamp": at,
                "path": path,
                "status": refusal.status,
                "error": refusal.message,
                "requestId": request_id,
            }
        case Shape.FIELD:
            body = {refusal.field or "request": refusal.message, "timestamp": at}
        case Shape.API_MANAGER:
            body = {**pair, "description": "Make sure you have provided the correct security credentials"}
    return msgspec.json.encode(body), "application/json"
