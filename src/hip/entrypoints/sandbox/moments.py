"""The times of the sandbox: how the network prints them, and how it reads them (contract §1.2, §1.4).

All times are timezone-aware and UTC. ``stamp`` prints exactly three decimals and a ``Z``; ``read_stamp`` takes nothing
else, as the gateway does with the TIMESTAMP header; ``read_moment`` accepts what appears in bodies.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

Now = Callable[[], datetime]

STRICT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def utc_now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime, *, zone: bool = True) -> str:
    """``2026-03-14T06:20:00.000Z``; without the letter when ``zone`` is false, as production was seen to send."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text if zone else text.removesuffix("Z")


def read_stamp(text: str) -> datetime:
    """Read the one form the gateway takes in TIMESTAMP. Raises ValueError for any other."""
    if not STRICT.fullmatch(text):
        raise ValueError("not YYYY-MM-DDThh:mm:ss.SSSZ")
    return datetime.fromisoformat(text)


def read_moment(text: str) -> datetime:
    """Read an ISO date or time; a missing zone means UTC. Raises ValueError when it is neither."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
