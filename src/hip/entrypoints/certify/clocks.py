"""Time that a run in memory can move: it goes on with the real clock, and jumps when a case says so."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

BEGIN = datetime(2026, 3, 14, 6, 30, tzinfo=UTC)
"""When every run in memory begins: the visits of the examples were in the days before."""


@dataclass
class MovableClock:
    """UTC; never goes back."""

    begin: datetime = BEGIN
    seconds: Callable[[], float] = monotonic

    def __post_init__(self) -> None:
        self._started = self.seconds()
        self._skipped = timedelta()

    def __call__(self) -> datetime:
        return self.begin + self._skipped + timedelta(seconds=self.seconds() - self._started)

    def advance(self, by: timedelta) -> None:
        """Jump forward."""
        self._skipped += by
