"""How outbox rows become a batch: which queue, which arguments, which id. RQ and the memory queue agree on it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from hip.application.storage import OutboxRow, Topic

URGENT, NORMAL, BATCH, BACKFILL = "hip-urgent", "hip-normal", "hip-batch", "hip-backfill"
QUEUES = (URGENT, NORMAL, BATCH, BACKFILL)
"""In the order a worker looks into them: it takes from a later one only when the earlier ones are empty."""

QUEUE_OF = {
    Topic.CALLBACK: URGENT,
    Topic.TRANSFER: URGENT,
    Topic.LINK: NORMAL,
    Topic.SMS: NORMAL,
    Topic.NOTIFY: NORMAL,
    Topic.BUNDLE: BATCH,
    Topic.PROJECTION: BATCH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBatch:
    """Rows of one topic, by id. ``rows`` are (row id, attempt): nothing else of a row leaves for a queue."""

    topic: Topic
    rows: tuple[tuple[int, int], ...]
    backfill: bool = False

    @classmethod
    def of(cls, rows: Sequence[OutboxRow]) -> Self:
        """Raises ValueError for no rows or several topics: a mistake of the caller."""
        topics = {row.topic for row in rows}
        if len(topics) != 1:
            raise ValueError("a batch has rows of one topic")
        return cls(
            topic=topics.pop(),
            rows=tuple(sorted((row.id, row.attempt) for row in rows)),
            backfill=all(row.backfill for row in rows),
        )

    @property
    def queue(self) -> str:
        """One of ``QUEUES``."""
        return BACKFILL if self.backfill else QUEUE_OF[self.topic]

    @property
    def id(self) -> str:
        """The same for the same rows and attempts in any order; letters, digits and dashes, as RQ asks."""
        return f"{self.topic}-{hashlib.sha256(json.dumps(self.rows).encode()).hexdigest()[:40]}"
