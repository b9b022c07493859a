"""``JobQueue`` in this process, for one pump that takes batches and runs them."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from hip.adapters.job_batches import QUEUES, JobBatch
from hip.application.storage import OutboxRow
from hip.domain.errors import StorageFailed


class _Waiting(NamedTuple):
    id: str
    rows: tuple[OutboxRow, ...]


class MemoryJobQueue:
    """Batches wait by queue, then in the order they came. Set ``down`` to True and ``enqueue`` raises StorageFailed."""

    def __init__(self) -> None:
        self.down = False
        self._waiting: asyncio.PriorityQueue[tuple[int, int, _Waiting]] = asyncio.PriorityQueue()
        self._ids: set[str] = set()
        self._count = 0

    async def enqueue(self, rows: Sequence[OutboxRow]) -> None:
        """``JobQueue.enqueue``. No rows, no job. Raises ValueError for rows of several topics."""
        if self.down:
            raise StorageFailed("the memory job queue is told to be down")
        if not rows:
            return
        batch = JobBatch.of(rows)
        if batch.id not in self._ids:
            self._ids.add(batch.id)
            self._count += 1
            self._waiting.put_nowait((QUEUES.index(batch.queue), self._count, _Waiting(batch.id, tuple(rows))))

    async def take(self) -> Sequence[OutboxRow]:
        """The rows of the next batch; waits for one. From now on the same batch may be queued again."""
        _, _, batch = await self._waiting.get()
        self._ids.discard(batch.id)
        return batch.rows

    async def backlog(self) -> int:
        """``JobQueue.backlog``."""
        return self.waiting

    @property
    def waiting(self) -> int:
        """Batches nobody took yet."""
        return self._waiting.qsize()

    def flush(self) -> None:
        """Lose every waiting batch, as a flushed Redis does."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._ids.clear()
