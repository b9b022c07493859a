"""Dates and times as other systems write them, read as aware UTC (contract §1.4)."""

import re
from datetime import UTC, datetime, timedelta, timezone

from hip.domain.errors import InvalidValue

_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"\s?([Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?\Z"
)
_DAY_FIRST = re.compile(
    r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})(?:[T ,]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?\Z"
)


def read_moment(text: str, *, field: str) -> datetime:
    """ISO 8601 with or without ``Z``, an offset, seconds or up to nine decimals, or a plain date (its first moment).

    A missing zone is UTC: the production gateway is known to drop the ``Z``. Decimals beyond microseconds are cut.
    Raises InvalidValue.
    """
    found = _iso(text.strip())
    if found is None:
        raise InvalidValue(field, "a date and time such as 2026-03-14T06:50:00.000Z")
    return found


def read_expiry(text: str) -> datetime | None:
    """The expiry of a requester's key: also day first (``15/03/2026``), as some write it. None for what is no date."""
    return _iso(text.strip()) or _day_first(text.strip())


def _iso(text: str) -> datetime | None:
    match = _ISO.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, decimals, zone = match.groups()
    microseconds = int((decimals or "0").ljust(6, "0")[:6])
    return _moment(year, month, day, hour, minute, second, microseconds=microseconds, zone=zone)


def _day_first(text: str) -> datetime | None:
    match = _DAY_FIRST.match(text)
    if match is None:
        return None
    day, month, year, hour, minute, second = match.groups()
    return _moment(year, month, day, hour, minute, second)


def _moment(
    year: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    *,
    microseconds: int = 0,
    zone: str | None = None,
) -> datetime | None:
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            microseconds,
            tzinfo=_zone(zone),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-offset if text[0] == "-" else offset)
