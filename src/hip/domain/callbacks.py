"""A callback as it was received: stored before anything reads it (CB-04, CB-06)."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType, Self

from hip.domain.errors import IllegalTransition
from hip.domain.identifiers import HipId, RequestId

CallbackId = NewType("CallbackId", str)


class CallbackState(StrEnum):
    """``rejected`` rows hold a hash only; ``unknown`` ones came on a path we have no flow for."""

    RECEIVED = "received"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Receipt(StrEnum):
    """What became of one delivery (CB-04): a ``repeat`` has the body that is stored, a ``conflict`` another."""

    STORED = "stored"
    REPEAT = "repeat"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One delivery, unique by (hip_id, path, request_id).

    ``body_hash`` is the SHA-256 of the raw body in hex; ``sealed_body`` that body sealed by the key vault, or None
    when only the hash may be kept. ``headers`` are names and value lengths, never values. ``late`` marks a TIMESTAMP
    that was unreadable or more than ten minutes off. ``requester`` is the X-HIU-ID that came with it, kept for REL-17;
    it is no authentication. Times are UTC.
    """

    id: CallbackId
    hip_id: HipId
    path: str
    request_id: RequestId
    received_at: datetime
    body_hash: str
    sealed_body: bytes | None = field(repr=False)
    headers: tuple[tuple[str, int], ...]
    verified: bool
    state: CallbackState = CallbackState.RECEIVED
    late: bool = False
    runs: int = 0
    finished_at: datetime | None = None
    error: str | None = None
    requester: str | None = None

    def done(self, *, now: datetime) -> Self:
        """Its flow ran to the end."""
        return self._ran(CallbackState.DONE, now=now)

    def failed(self, error: str, *, now: datetime) -> Self:
        """Its flow refused it; ``error`` names the field or rule, never a value. It may be replayed."""
        return self._ran(CallbackState.FAILED, now=now, error=error)

    def unknown(self, *, now: datetime) -> Self:
        """No flow listens on its path; kept so that undocumented callbacks can be studied."""
        return self._ran(CallbackState.UNKNOWN, now=now)

    def _ran(self, state: CallbackState, *, now: datetime, error: str | None = None) -> Self:
        """The last run speaks. Raises IllegalTransition for a rejected callback: it may never run."""
        if self.state is CallbackState.REJECTED:
            raise IllegalTransition("callback", self.state, "a run")
        return replace(self, state=state, finished_at=now, error=error, runs=self.runs + 1)
