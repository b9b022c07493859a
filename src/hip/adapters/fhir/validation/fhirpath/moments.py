"""Compare dates and times written with different precision or in different zones, as FHIRPath asks."""

import re
from datetime import UTC, datetime, timedelta

_MOMENT = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?", re.ASCII)

Moment = tuple[tuple[int, ...], bool]


def is_moment(value: object) -> bool:
    """True for the text of a date, dateTime or instant."""
    return isinstance(value, str) and _MOMENT.fullmatch(value) is not None


def compare(left: str, right: str) -> int | None:
    """-1, 0 or 1; None when the shorter one leaves the order open (2024 against 2024-05). ValueError for no moments."""
    first, first_timed = _parts(left)
    second, second_timed = _parts(right)
    if first_timed != second_timed:
        # A date has no zone, so only the day as written can be compared.
        first, second = _parts(left[:10])[0], _parts(right[:10])[0]
        return _order(first, second) or None
    length = min(len(first), len(second))
    order = _order(first[:length], second[:length])
    return None if order == 0 and len(first) != len(second) else order


def _order(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    return (first > second) - (first < second)


def _parts(text: str) -> Moment:
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("no date")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if hour is None:
        return tuple(int(part) for part in (year, month, day) if part is not None), False
    # A leap second compares as the one before it; datetime cannot hold it.
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
    ) - _offset(zone)
    micros = int(float(f"0{fraction or '.0'}") * 1_000_000)
    return (moment.toordinal(), moment.hour, moment.minute, moment.second, micros), True


def _offset(zone: str) -> timedelta:
    if zone == "Z":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
