"""Work that nobody will do: something waits for an outbox row that is not there.

Every row is committed together with the change that needs it, so this happens behind our back only: rows deleted by
hand, a partition that was lost, a table restored from an older backup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hip.application.outbox_storage import Topic
from hip.domain.identifiers import HipId


class Waiting(StrEnum):
    """What waits for a worker. ``visit``: its documents are all valid, and nobody has begun to link it."""

    CALLBACK = "callback"
    TRANSFER = "transfer"
    LINK = "link"
    DOCUMENT = "document"
    VISIT = "visit"


Place = tuple[object, ...]
"""Where a thing stands in the order in which its kind is looked through; what it is made of is the store's affair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The outbox row that is missing, and the state of what waits for it."""

    hip_id: HipId
    topic: Topic
    key: str
    state: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """``last`` is where the next look goes on, None at the end."""

    lost: Sequence[Lost]
    last: Place | None


class LostWork(Protocol):
    """Looks at a bounded number of things that wait, however many there are or ever were.

    A callback and a link are left alone while a row of theirs is dead or was cancelled: that is an operator's matter.
    A transfer and a document say so themselves, so that only a row that is ready or leased stands for them.
    """

    async def look(
        self, waiting: Waiting, *, behind: Place | None, before: datetime, since: datetime, limit: int
    ) -> Look:
        """Look at ``limit`` things of every HIP: those whose state has not changed since ``before`` (UTC).

        Of visits only those that were complete at ``since`` (UTC) or later: of older ones nobody can tell any more
        whether they were meant to be left alone.
        """

    async def take(self, waiting: Waiting, lost: Sequence[Lost], *, before: datetime, now: datetime) -> Sequence[Lost]:
        """Lock what waits and look again: those that still miss their row.

        Their state counts as changed ``now``, so that what nobody can help is not asked for at every look.
        """
