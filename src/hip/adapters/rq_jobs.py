"""``JobQueue`` on RQ. A job is a wake-up, never a record: the outbox row is, and losing every job costs one lease."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from math import ceil

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DuplicateJobError

from hip.adapters.job_batches import QUEUES, JobBatch
from hip.application.storage import OutboxRow
from hip.domain.errors import StorageFailed

__all__ = ["JOB_FUNCTION", "QUEUES", "SERIALIZER", "RqJobQueue"]

JOB_FUNCTION = "hip.entrypoints.worker.jobs.run"
"""Called as ``run(topic: str, rows: list[[row id, attempt]])``."""

SERIALIZER = "json"
"""For the worker as well: without it, a worker expects pickles and fails every job."""

_FAILURE_LIFE = timedelta(days=1)


class RqJobQueue:
    """One RQ job a batch. What Redis sees of it is the topic, row ids and attempts.

    A job nobody began within ``begun_within`` disappears: make it half a lease, for at the end of the lease the rows
    are leased again under a new attempt and the old job would only find them gone. A job that runs longer than
    ``job_timeout`` is stopped by RQ; let the work itself give up half a minute before.
    """

    def __init__(
        self,
        url: str,
        *,
        job_timeout: timedelta = timedelta(seconds=630),
        begun_within: timedelta = timedelta(seconds=15),
        answered_within: timedelta = timedelta(seconds=2),
        function: str = JOB_FUNCTION,
    ) -> None:
        """Connects at first use; any thread and event loop may use it, but no process forked after the first use."""
        self._client = Redis.from_url(
            url,
            socket_timeout=answered_within.total_seconds(),
            socket_connect_timeout=answered_within.total_seconds(),
            retry=Retry(NoBackoff(), 1),
        )
        self._queues = {
            name: Queue(
                name, connection=self._client, serializer=SERIALIZER, default_timeout=int(job_timeout.total_seconds())
            )
            for name in QUEUES
        }
        self._begun_within = begun_within
        self._function = function

    async def enqueue(self, rows: Sequence[OutboxRow]) -> None:
        """``JobQueue.enqueue``. No rows, no job. Raises ValueError for rows of several topics, StorageFailed."""
        if rows:
            await asyncio.to_thread(self._enqueue, JobBatch.of(rows))

    async def backlog(self) -> int:
        """``JobQueue.backlog``, over all queues; a job that disappeared counts until a worker passes over it."""
        return await asyncio.to_thread(self._backlog)

    async def ping(self) -> None:
        """Raises StorageFailed unless Redis answers."""
        with _translated():
            await asyncio.to_thread(self._client.ping)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.to_thread(self._client.close)

    def _backlog(self) -> int:
        with _translated():
            return sum(queue.count for queue in self._queues.values())
        raise StorageFailed("Redis did not say how many jobs wait")

    def _enqueue(self, batch: JobBatch) -> None:
        with _translated():
            self._queues[batch.queue].enqueue_call(
                self._function,
                args=(batch.topic.value, batch.rows),
                job_id=batch.id,
                unique=True,
                ttl=max(1, ceil(self._begun_within.total_seconds())),
                # By default RQ writes the arguments into the description and keeps failures for a year.
                description=batch.topic.value,
                result_ttl=0,
                failure_ttl=int(_FAILURE_LIFE.total_seconds()),
            )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DuplicateJobError:  # the batch is queued already, or was when a lost answer was asked for again
        return
    except (RedisError, OSError):
        raise StorageFailed("Redis did not take the job") from None
