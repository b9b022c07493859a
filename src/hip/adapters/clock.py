"""Time and randomness of the running service; everywhere else they come in as arguments."""

from datetime import UTC, datetime
from uuid import uuid4


def system_clock() -> datetime:
    """Now, in UTC, aware. The only place that asks the operating system."""
    return datetime.now(UTC)


def uuid4_ids() -> str:
    """A fresh lower-case UUID v4, dashed (contract §1.2)."""
    return str(uuid4())
