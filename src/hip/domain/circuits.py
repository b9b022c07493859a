"""The circuit breaker of one host: after consecutive failures nothing is sent for a while, then one call tries it.

    closed ──(so many failures in a row)──▶ open ──(the pause is over)──▶ half-open ──(one call goes well)──▶ closed
                                             ▲                                │
                                             └──────(that call fails)─────────┘

A failure is a host that cannot be reached, does not reply in time, or answers 5xx; any other answer shows it alive.
Times come from the clocks of several machines, which are taken to agree as far as a pause is long.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

FORGOTTEN_AFTER = timedelta(hours=1)
"""What is held against a host that nobody called for so long, beyond its pause, is held no more."""


class CircuitState(StrEnum):
    """``closed`` lets every call through, ``open`` none, ``half-open`` one at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRules:
    """``failures`` in a row open a circuit (0: never) for ``pause``; a probe that says nothing is lost after ``probe``.

    Keep ``failures`` below the tries of a job: then an outage opens the circuit before any job has used its tries up.
    """

    failures: int = 3
    pause: timedelta = timedelta(seconds=30)
    probe: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """May the call go? ``wait`` says how long not; ``probe``: it is the one that tries a half-open circuit."""

    wait: timedelta | None = None
    probe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Times are UTC. ``failures`` counts those in a row; ``open_until`` is None while the circuit is closed."""

    failures: int = 0
    open_until: datetime | None = None
    probe_until: datetime | None = None

    def state(self, now: datetime) -> CircuitState:
        """As a person is shown it."""
        if self.open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.open_until else CircuitState.HALF_OPEN

    def admit(self, rules: CircuitRules, *, now: datetime) -> tuple[Self, Admission]:
        """The circuit after somebody asked to call, and the answer to them."""
        if self.open_until is None:
            return self, Admission()
        if now < self.open_until:
            return self, Admission(wait=self.open_until - now)
        if self.probe_until is not None and now < self.probe_until:
            return self, Admission(wait=min(self.probe_until - now, rules.pause))
        return replace(self, probe_until=now + rules.probe), Admission(probe=True)

    def kept_until(self, now: datetime) -> datetime:
        """When this may be forgotten, if nobody says anything more about the host."""
        return max(now, self.open_until or now, self.probe_until or now) + FORGOTTEN_AFTER

    def succeeded(self) -> Self:
        """The host answered, whatever it said: closed, and nothing is held against it any more."""
        return replace(self, failures=0, open_until=None, probe_until=None)

    def failed(self, rules: CircuitRules, *, now: datetime, probe: bool = False) -> Self:
        """One failure more. A probe opens it anew; a call from before it opened does not lengthen the pause."""
        counted = replace(self, failures=self.failures + 1)
        if self.open_until is not None and not probe:
            return counted
        if rules.failures and counted.failures >= rules.failures:
            return replace(counted, open_until=now + rules.pause, probe_until=None)
        return counted

    def abandoned(self, probe_until: datetime | None) -> Self:
        """The probe that had until ``probe_until`` was broken off before it said anything: the next call may try.

        One that took so long that another took its place changes nothing.
        """
        return replace(self, probe_until=None) if self.probe_until == probe_until else self
