"""What is known of the making of one document: one job for each HIP, visit and HI type, whatever its versions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hip.domain.bundles import BundleKey


class BundleJobState(StrEnum):
    """``failed`` jobs are tried again at ``next_run_at``; ``dead`` ones wait for an operator."""

    PENDING = "pending"
    BUILDING = "building"
    VALID = "valid"
    INVALID = "invalid"
    FAILED = "failed"
    DEAD = "dead"

    @property
    def built(self) -> bool:
        """A document of the job's version is stored, whatever the validator said of it."""
        return self in (BundleJobState.VALID, BundleJobState.INVALID)


WORKER_LOST = "WorkerLost"
"""The error of a job whose worker began it and never said what became of it."""

CALM = 3
"""After so many beginnings without a word a document may be what ends its workers: it is built alone from then on."""

BEGINNINGS = 20
"""After so many it is dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleJob:
    """``version`` is the visit's version that was asked for last, or built last; times are UTC.

    ``attempts`` counts how often a worker began this version. ``next_run_at`` is None once nothing is left to be done
    by itself. ``error`` is the kind of the last failure and its code, never a value.
    """

    key: BundleKey
    version: int
    state: BundleJobState
    attempts: int
    next_run_at: datetime | None
    updated_at: datetime
    error: str | None = None

    @property
    def suspect(self) -> bool:
        """Its workers ended each time, without a failure that anybody could note."""
        return self.error == WORKER_LOST and self.attempts > CALM

    @property
    def hopeless(self) -> bool:
        """So often that it is not begun again by itself."""
        return self.error == WORKER_LOST and self.attempts > BEGINNINGS
