"""What a transaction can reach of visits and of the documents made from them.

Methods on several things take those of one HIP, and cost a few statements however many they are: a batch of documents
is stored by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hip.application.listings import Listing
from hip.domain.bundle_jobs import BundleJob
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.triggers import Trigger
from hip.domain.visits import VisitRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A visit as stored. ``source`` is the record's canonical JSON, ``digest`` its SHA-256 in hex.

    ``version`` grows by one whenever the source changes.
    """

    record: VisitRecord
    source: bytes
    digest: str
    version: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVisit:
    """What tells whether a record that comes in is the one that is stored."""

    version: int
    digest: str


Place = tuple[datetime, VisitCode]
"""When a visit was received, and its code: the order in which visits are gone through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSpan:
    """Visits received from ``since`` on and before ``until``, in UTC; ``behind`` a place, if one is given."""

    since: datetime
    until: datetime
    behind: Place | None = None


class Visits(Protocol):
    async def save(self, visit: Visit) -> None:
        """Insert or replace by (hip_id, visit_code). The source is sealed at rest."""

    async def save_all(self, visits: Sequence[Visit]) -> None:
        """``save`` for each; no visit twice."""

    async def add_missing(self, visits: Sequence[Visit]) -> frozenset[VisitCode]:
        """Insert those, of one HIP and no visit twice, that are not stored yet; which ones.

        Inserted in one order, so that two batches never wait for each other. A visit that another unit is inserting is
        waited for, and is not among them.
        """

    async def known(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, KnownVisit]:
        """Those that are stored, without their sources."""

    async def lock_known(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, KnownVisit]:
        """The same; locked in one order, so that two batches never wait for each other."""

    async def lock(self, hip_id: HipId, visit_code: VisitCode) -> Visit | None: ...
    async def get(self, hip_id: HipId, visit_code: VisitCode) -> Visit | None: ...
    async def several(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[Visit]:
        """Those that are known, in any order."""

    async def lock_versions(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        """The versions of those that are known; locked in one order, so that two batches never wait for each other."""

    async def sizes(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        """Bytes of the source of each that is known, about: what reading it will take."""

    async def received(self, hip_id: HipId, span: ReceivedSpan, *, limit: int) -> Sequence[Place]:
        """The first of them, oldest first; nothing of their records is read."""

    async def count_received(self, hip_id: HipId, span: ReceivedSpan) -> int: ...
    async def raise_versions(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        """One more for each that is known, locked as by ``lock_versions``; what it is now."""

    async def list(self, listing: Listing) -> Sequence[Visit]: ...


class Triggers(Protocol):
    """Table ``ndhm_trigger_visit_data``."""

    async def save(self, trigger: Trigger) -> None: ...
    async def save_all(self, triggers: Sequence[Trigger]) -> None:
        """``save`` for each; no visit twice."""

    async def get(self, hip_id: HipId, visit_code: VisitCode) -> Trigger | None: ...
    async def process(self, hip_id: HipId, visit_codes: Sequence[VisitCode], *, now: datetime) -> Sequence[VisitCode]:
        """Set the flag of those whose documents are all stored and valid; the ones where it was not set before."""

    async def processed(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> frozenset[VisitCode]:
        """Those whose flag is set, in one query."""


class BundleRecords(Protocol):
    async def add(self, record: BundleRecord) -> None:
        """Insert, or replace the same version."""

    async def add_all(self, records: Sequence[BundleRecord]) -> None:
        """``add`` for each."""

    async def of_visit(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[BundleRecord]:
        """The newest version of each HI type, valid or not."""

    async def of_visits(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[BundleRecord]:
        """The same for each of these visits, in any order."""

    async def servable(self, key: BundleKey) -> BundleRecord | None:
        """The newest valid version: the last good one stays servable when a rebuild is invalid."""

    async def servable_types(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[HiType]: ...
    async def servable_of(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[BundleRecord]:
        """The newest valid version of each HI type of each of these visits, in any order."""

    async def list(self, listing: Listing) -> Sequence[BundleRecord]: ...


class BundleJobs(Protocol):
    """Table ``bundle_jobs``: one row for each HIP, visit and HI type. The outbox wakes workers; this says what became
    of the document."""

    async def ask(
        self, hip_id: HipId, visit_code: VisitCode, hi_types: Sequence[HiType], *, version: int, now: datetime
    ) -> None:
        """These documents are wanted in this version: pending, with no attempts and no error."""

    async def ask_all(self, versions: Mapping[BundleKey, int], *, now: datetime) -> None:
        """``ask`` for each document, in the version that stands beside it."""

    async def begin(self, keys: Sequence[BundleKey], *, now: datetime) -> Sequence[BundleJob]:
        """Those of ``keys`` that are not built become ``building``, with one attempt more; every one that is known.

        One that was ``building`` already has the error WORKER_LOST: whoever began it never came back.
        """

    async def finish(self, records: Sequence[BundleRecord], *, now: datetime) -> None:
        """Valid or invalid, as recorded; a job that was asked for in a newer version meanwhile stays as it is.

        One that was asked for in an older version is built too: the visit changed, and no longer needs the document.
        """

    async def fail(self, key: BundleKey, *, error: str | None, next_run_at: datetime | None, now: datetime) -> None:
        """A job that is not built has failed, to be tried again at ``next_run_at``; without one it is dead.

        An ``error`` of None keeps the last one.
        """

    async def get(self, key: BundleKey) -> BundleJob | None: ...
    async def of_visit(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[BundleJob]:
        """In the order of HI types."""

    async def list(self, listing: Listing) -> Sequence[BundleJob]:
        """Newest first by ``updated_at``."""
