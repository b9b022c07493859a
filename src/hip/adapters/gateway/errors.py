"""How the gateway says no, read from all the shapes it was seen to use (contract §1.10)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from hip.domain.errors import DomainError, GatewayRefused, HipError, SessionRefused, Transient

CATCH_ALL = "ABDM-9999"
"""For a refusal that states no usable code of its own."""

LONGEST_WAIT = timedelta(hours=24)
"""The longest block the gateway is known to impose (ABDM-1027); a wish beyond it is cut."""

_THROTTLED = frozenset({"ABDM-1022", "ABDM-2429"})
_SESSION_CODES = frozenset({"900901", "900902"})

_CODE = re.compile(r"(?:ABDM-[0-9]{4}|[0-9]{3,6})\Z")
_LEADING_CODE = re.compile(r"ABDM-[0-9]{4}(?![0-9])")
# The gateway's prose may repeat what we sent: quoted values, addresses and long numbers are cut out of it.
_PERSONAL = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\S*@\S*|[+0-9][0-9\-]{4,}")
_LONGEST_TEXT = 200


class Unauthenticated(DomainError):
    """A callback whose sender could not be proven (CB-01): 401 at the edge.

    The code is ABDM-1066 (invalid JWT), or ABDM-2501 when there was no Authorization header at all.
    """

    code = "ABDM-1066"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a reply said: a code (the HTTP status as text when it named none) and prose without personal values."""

    code: str
    text: str


def clean_code(value: object) -> str | None:
    """``ABDM-1035`` from ``"ABDM-1035: "``, ``900901`` from a number; None for what is no code."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip().rstrip(":").strip()
    return text if _CODE.match(text) else None


def clean_text(value: object) -> str:
    """Prose of the gateway, at most 200 characters, with anything cut out that may be a person's."""
    if not isinstance(value, str):
        return ""
    return _PERSONAL.sub("…", value[: 10 * _LONGEST_TEXT]).strip()[:_LONGEST_TEXT]


def read_refusal(status: int, body: bytes) -> Refusal:
    """The first code in ``body``, whatever its shape: object, array, field-keyed, plain text, empty. Never raises."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        content = None
    if content is None:
        text = clean_text(body[: 10 * _LONGEST_TEXT].decode("utf-8", "replace"))
        named = _LEADING_CODE.match(text)
        return Refusal(named.group() if named else str(status), text)
    text = ""
    for candidate in _candidates(content):
        message = candidate.get("message") or candidate.get("description")
        text = text or clean_text(message)
        code = clean_code(candidate.get("code"))
        if code is None and isinstance(message, str) and (named := _LEADING_CODE.match(message)):
            code = named.group()
        if code is not None:
            return Refusal(code, clean_text(message))
    return Refusal(str(status), text or _fields(content))


def refused(
    *,
    call: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    with_session: bool,
    now: datetime,
    throttle_wait: timedelta = timedelta(seconds=60),
) -> HipError:
    """The error a non-2xx reply to ``call`` stands for (retry policy of contract §1.10).

    SessionRefused for a refused session token; Transient for 408, 429, 5xx and throttling, with ``retry_after``;
    GatewayRefused otherwise.
    """
    refusal = read_refusal(status, body)
    if with_session and (status == 401 or refusal.code in _SESSION_CODES):
        return SessionRefused(f"{call}: the gateway refused our session", code=refusal.code)
    throttled = status == 429 or refusal.code in _THROTTLED
    if throttled or status >= 500 or status == 408:
        wait = retry_after(headers.get("retry-after"), now=now)
        if throttled:
            wait = max(wait or throttle_wait, throttle_wait)
        return Transient(f"{call} was not taken: HTTP {status}", retry_after=wait, code=refusal.code)
    return GatewayRefused(call=call, code=refusal.code, status=status, text=refusal.text)


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """The wait a ``Retry-After`` header asks for, in seconds or as an HTTP date; from 0 to 24 hours, None if unread."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), LONGEST_WAIT.total_seconds()))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(moment - now, timedelta(0)), LONGEST_WAIT)


def _candidates(content: object) -> Iterator[dict[str, Any]]:
    for element in content if isinstance(content, list) else [content]:
        if isinstance(element, dict):
            # The inner error speaks first: an outer `code` beside it is the HTTP layer's.
            inner = element.get("error")
            if isinstance(inner, dict):
                yield inner
            elif isinstance(inner, list):
                yield from (one for one in inner if isinstance(one, dict))
            yield element


def _fields(content: object) -> str:
    """Spring's ``error`` word, or the names of the fields that bean validation complains of."""
    if not isinstance(content, dict):
        return ""
    if isinstance(content.get("error"), str):
        return clean_text(content["error"])
    names = [name for name in content if name not in ("timestamp", "path", "status", "requestId", "error", "message")]
    return clean_text("refused fields: " + ", ".join(names)) if names else ""
