"""The outside of a callback, checked before it is stored: its size, that it is JSON, and how large that JSON is."""

from typing import Any

import msgspec
from litestar import Request

from hip.domain import identifiers
from hip.domain.errors import InvalidValue

MAX_BODY = 1024 * 1024
MAX_CONSENT_BODY = 4 * 1024 * 1024
"""Bytes (CB-07); a consent may name thousands of care contexts."""

DEEPEST = 64
"""Levels of nesting; no callback has more than eight (CB-07)."""

LONGEST_ARRAY = 50_000
"""Elements; about as many care contexts as 4 MB can name (CB-07)."""

LONGEST_PATH = 1024
"""Bytes; the contract's have up to 60. It is a part of what a delivery is known by, and an index takes so much only."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def body_limit(path: str) -> int:
    """How many bytes a body on ``path`` may have."""
    return MAX_CONSENT_BODY if "/consent/" in path else MAX_BODY


def storable(path: str) -> str:
    """The path itself, or of one that cannot be stored as much as can."""
    if len(path) <= LONGEST_PATH // 4 and "\0" not in path:
        return path
    return path.replace("\0", "").encode()[:LONGEST_PATH].decode(errors="ignore")


async def read_body(request: Request[Any, Any, Any], *, limit: int) -> bytes:
    """The body; of one that is longer than ``limit`` the first bytes only, more than ``limit`` of them.

    So nobody can make us hold what we are going to refuse.
    """
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > limit:
            break
    return bytes(read)


def require_storable(path: str, body: bytes, *, limit: int) -> None:
    """Raises InvalidValue (answer 400) naming the path, and TooLarge (answer 413) for a body of more bytes."""
    if storable(path) != path:
        raise InvalidValue("path", f"at most {LONGEST_PATH} bytes, none of them NUL")
    if len(body) > limit:
        raise TooLarge("body", f"at most {limit} bytes")


def require_envelope(request_id: str, body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises InvalidValue (answer 400) naming REQUEST-ID or the body, and TooLarge (answer 413) for its size.
    """
    identifiers.opaque(request_id, field="REQUEST-ID")
    try:
        content = msgspec.json.decode(body.removeprefix(_BYTE_ORDER_MARK))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidValue("body", "JSON") from None
    if not isinstance(content, dict):
        raise InvalidValue("body", "a JSON object")
    _require_small(content)
    return content


class TooLarge(InvalidValue):
    """Bytes, nesting or an array over the limit."""


def _require_small(content: dict[str, Any]) -> None:
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            if isinstance(value, list) and len(value) > LONGEST_ARRAY:
                raise TooLarge("body", f"arrays of at most {LONGEST_ARRAY} elements")
            children = value.values() if isinstance(value, dict) else value
            below += [child for child in children if isinstance(child, dict | list)]
        if not below:
            return
        level = below
    raise TooLarge("body", f"JSON nested at most {DEEPEST} deep")
