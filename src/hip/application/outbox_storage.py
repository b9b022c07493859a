"""What a transaction can reach of the outbox: the work that is to be done, and what became of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hip.application.listings import Listing
from hip.domain.identifiers import HipId


class Topic(StrEnum):
    """What an outbox row asks a worker to do; the key names the thing it is done to."""

    CALLBACK = "callback"
    TRANSFER = "transfer"
    LINK = "link"
    SMS = "sms"
    NOTIFY = "notify"
    BUNDLE = "bundle"
    PROJECTION = "projection"

    @property
    def priority(self) -> int:
        """Smaller goes first: callbacks and transfers before links, links before bundles."""
        return list(Topic).index(self)


BACKFILL = len(Topic)
"""The priority of work that waits behind everything else, whatever its topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a row is to be made of: it may be leased from ``run_at`` (UTC) on.

    ``backfill`` is work that nobody waits for, in any amount: what comes in meanwhile goes before it.
    """

    hip_id: HipId
    topic: Topic
    key: str
    run_at: datetime
    backfill: bool = False

    @property
    def priority(self) -> int:
        """Smaller goes first."""
        return BACKFILL if self.backfill else self.topic.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A leased piece of work. ``attempt`` counts leases, from 1; a row whose lease ran out comes back with the next.

    ``failures`` counts the tries that failed: fewer, for a lease may also end in waiting, or with its worker.
    """

    id: int
    hip_id: HipId
    topic: Topic
    key: str
    attempt: int
    lease_until: datetime
    failures: int = 0
    backfill: bool = False


Claim = tuple[int, int]
"""Row id and attempt: what a worker is told of a leased row."""


class JobState(StrEnum):
    """``dead`` rows failed too often or were refused; ``cancelled`` ones an operator took out."""

    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An outbox row as it is shown: ``run_at`` (UTC) is when it may next be leased, or when its lease runs out."""

    id: int
    hip_id: HipId
    topic: Topic
    key: str
    state: JobState
    attempt: int
    run_at: datetime
    error: str | None = None


class Outbox(Protocol):
    """Work that commits with the change that causes it. State: ready → leased → done | dead."""

    async def add(self, hip_id: HipId, topic: Topic, key: str, *, run_at: datetime) -> None:
        """A new ready row; it may be leased from ``run_at`` (UTC) on."""

    async def add_all(self, work: Sequence[Work]) -> None:
        """As ``add``, for each; their numbers are in this order."""

    async def lease(
        self,
        *,
        now: datetime,
        until: datetime,
        limit: int,
        topics: Collection[Topic] = tuple(Topic),
        newest: bool = False,
        backfill: bool = True,
    ) -> Sequence[OutboxRow]:
        """Take due rows of every HIP (ready, or leased with a lease that ran out), by priority, then oldest first.

        Only of these ``topics``, and back-fill only if they are all asked for and ``backfill``. ``newest`` takes the
        newest of each priority instead of the oldest.

        Two relays never get the same row (SKIP LOCKED).
        """

    async def current(self, row_id: int, attempt: int) -> OutboxRow | None:
        """The row, if this attempt still holds its lease; None once it is done, dead or leased again."""

    async def held(self, claims: Sequence[Claim]) -> Sequence[OutboxRow]:
        """The rows whose leases these attempts still hold, in the order of ``claims``."""

    async def renew(self, row_ids: Sequence[int], *, until: datetime) -> None:
        """A heartbeat: the leases of these rows, as far as still held, last until then."""

    async def done(self, row_id: int, attempt: int) -> bool:
        """False when this attempt no longer holds the lease; nothing changes then."""

    async def done_all(self, claims: Sequence[Claim]) -> Sequence[int]:
        """``done`` for each: the ids of those that held their lease."""

    async def give_back(self, claims: Sequence[Claim], *, run_at: datetime) -> None:
        """Whoever held these leases did nothing about them: ready again from ``run_at`` on."""

    async def defer(
        self, row_id: int, attempt: int, *, run_at: datetime, error: str | None = None, counted: bool = False
    ) -> bool:
        """Give the row back, to be leased again from ``run_at`` on. False as for ``done``.

        ``error`` is the kind of failure and its code, never a value; None keeps the last one. ``counted`` adds to the
        row's failures.
        """

    async def bury(self, row_id: int, attempt: int, *, error: str | None = None) -> bool:
        """The dead letter. False, and ``error``, as for ``defer``."""

    async def hurry(self, hip_id: HipId, topic: Topic, key: str, *, run_at: datetime) -> int:
        """Ready rows of this key that would run later may be leased from ``run_at`` on; how many. Leased ones stay."""

    async def waiting(self) -> int:
        """Rows of every HIP that are ready or leased."""

    async def get(self, hip_id: HipId, row_id: int) -> Job | None: ...
    async def undecided(self, hip_id: HipId, topic: Topic, key: str) -> bool:
        """True while a row of this key is ready or leased."""

    async def list(
        self, listing: Listing, *, state: JobState | None = None, topic: Topic | None = None
    ) -> Sequence[Job]:
        """Rows that are not done, newest first; ``since`` is compared with ``run_at``.

        Only of this state and this topic, where they are given.
        """

    async def cancel(self, hip_id: HipId, row_id: int) -> bool:
        """A ready or dead row will not be run. False when it is leased, done or cancelled already, or unknown."""
