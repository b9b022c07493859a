"""``JobQueue`` in memory and on RQ: ids and attempts only, by priority, and the same batch twice is one job."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from redis import Redis
from rq import Queue

from hip.adapters.memory.jobs import MemoryJobQueue
from hip.adapters.rq_jobs import QUEUES, SERIALIZER, RqJobQueue
from hip.application.ports import JobQueue
from hip.application.storage import OutboxRow, Topic
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import HipId

pytestmark = pytest.mark.anyio
Claims = tuple[str, list[tuple[int, int]]]


class Desk(Protocol):
    """A queue, and the worker's eyes on it."""

    jobs: JobQueue

    async def taken(self) -> list[Claims]:
        """Everything that waits, in the order a worker gets it, taken away."""


class MemoryDesk:
    def __init__(self) -> None:
        self.queue = MemoryJobQueue()
        self.jobs: JobQueue = self.queue

    async def taken(self) -> list[Claims]:
        batches = [await self.queue.take() for _ in range(self.queue.waiting)]
        return [(rows[0].topic.value, sorted((row.id, row.attempt) for row in rows)) for rows in batches]


class RqDesk:
    def __init__(self, jobs: RqJobQueue, redis: Redis) -> None:
        self.jobs: JobQueue = jobs
        self.redis = redis

    async def taken(self) -> list[Claims]:
        queues = [Queue(name, connection=self.redis, serializer=SERIALIZER) for name in QUEUES]
        claims = []
        while found := Queue.dequeue_any(queues, None, connection=self.redis, serializer=SERIALIZER):
            job, _ = found
            topic, rows = job.args
            claims.append((topic, [(row_id, attempt) for row_id, attempt in rows]))
            job.delete()
        return claims


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture(params=["memory", "rq"])
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    if request.param == "memory":
        yield MemoryDesk()
        return
    redis = request.getfixturevalue("redis")
    jobs = RqJobQueue(request.getfixturevalue("redis_url"))
    yield RqDesk(jobs, redis)
    await jobs.close()


def rows(topic: Topic, *claims: tuple[int, int]) -> Sequence[OutboxRow]:
    return [
        OutboxRow(
            id=row_id,
            hip_id=HipId("IN0410000123"),
            topic=topic,
            key="canary-key",
            attempt=attempt,
            lease_until=datetime(2026, 3, 12, tzinfo=UTC),
        )
        for row_id, attempt in claims
    ]


async def test_a_worker_gets_topic_ids_and_attempts(desk: Desk) -> None:
    await desk.jobs.enqueue(rows(Topic.CALLBACK, (7, 1), (5, 3)))
    assert await desk.taken() == [("callback", [(5, 3), (7, 1)])]


@pytest.mark.parametrize("topic", list(Topic))
async def test_every_topic_has_a_queue_that_workers_listen_to(desk: Desk, topic: Topic) -> None:
    await desk.jobs.enqueue(rows(topic, (1, 1)))
    assert await desk.taken() == [(topic.value, [(1, 1)])]


async def test_the_same_batch_twice_is_one_job_in_any_order(desk: Desk) -> None:
    await desk.jobs.enqueue(rows(Topic.LINK, (1, 1), (2, 1)))
    await desk.jobs.enqueue(rows(Topic.LINK, (2, 1), (1, 1)))
    assert await desk.taken() == [("link", [(1, 1), (2, 1)])]


async def test_other_rows_attempts_or_topics_are_other_jobs(desk: Desk) -> None:
    await desk.jobs.enqueue(rows(Topic.LINK, (1, 1)))
    await desk.jobs.enqueue(rows(Topic.LINK, (1, 2)))
    await desk.jobs.enqueue(rows(Topic.LINK, (2, 1)))
    await desk.jobs.enqueue(rows(Topic.LINK, (1, 1), (2, 1)))
    await desk.jobs.enqueue(rows(Topic.SMS, (1, 1)))
    assert len(await desk.taken()) == 5


async def test_a_batch_may_come_again_once_it_was_taken(desk: Desk) -> None:
    for _ in range(2):
        await desk.jobs.enqueue(rows(Topic.BUNDLE, (1, 1)))
        assert await desk.taken() == [("bundle", [(1, 1)])]


async def test_urgent_work_goes_first_and_equals_in_their_order(desk: Desk) -> None:
    for topic in (Topic.PROJECTION, Topic.BUNDLE, Topic.SMS, Topic.LINK, Topic.TRANSFER, Topic.CALLBACK):
        await desk.jobs.enqueue(rows(topic, (1, 1)))
    topics = [topic for topic, _ in await desk.taken()]
    assert topics == ["transfer", "callback", "sms", "link", "projection", "bundle"]


async def test_back_fill_is_begun_when_nothing_else_waits(desk: Desk) -> None:
    later = [replace(row, backfill=True) for row in rows(Topic.BUNDLE, (1, 1))]
    await desk.jobs.enqueue(later)
    await desk.jobs.enqueue(rows(Topic.PROJECTION, (2, 1)))
    assert await desk.taken() == [("projection", [(2, 1)]), ("bundle", [(1, 1)])]


async def test_no_rows_are_no_job(desk: Desk) -> None:
    await desk.jobs.enqueue([])
    assert await desk.taken() == []


async def test_rows_of_two_topics_are_a_mistake_of_the_caller(desk: Desk) -> None:
    with pytest.raises(ValueError, match="one topic"):
        await desk.jobs.enqueue([*rows(Topic.LINK, (1, 1)), *rows(Topic.SMS, (2, 1))])
    assert await desk.taken() == []


async def test_batches_enqueued_at_the_same_moment_are_all_there(desk: Desk) -> None:
    await asyncio.gather(*(desk.jobs.enqueue(rows(Topic.BUNDLE, (number % 10, 1))) for number in range(20)))
    assert sorted(await desk.taken()) == [("bundle", [(number, 1)]) for number in range(10)]


async def test_a_queue_that_is_away_is_transient() -> None:
    memory = MemoryJobQueue()
    memory.down = True
    rq = RqJobQueue("redis://127.0.0.1:9/0", answered_within=timedelta(milliseconds=200))
    try:
        for jobs in (memory, rq):
            with pytest.raises(StorageFailed):
                await jobs.enqueue(rows(Topic.LINK, (1, 1)))
        with pytest.raises(StorageFailed):
            await rq.ping()
    finally:
        await rq.close()


async def test_a_pump_waits_for_the_next_batch() -> None:
    queue = MemoryJobQueue()
    pump = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not pump.done()
    wanted = rows(Topic.TRANSFER, (1, 1), (2, 1))
    await queue.enqueue(wanted)
    assert list(await pump) == wanted


async def test_flushed_memory_jobs_are_gone_and_may_come_again() -> None:
    queue = MemoryJobQueue()
    await queue.enqueue(rows(Topic.LINK, (1, 1)))
    queue.flush()
    assert queue.waiting == 0
    await queue.enqueue(rows(Topic.LINK, (1, 1)))
    assert queue.waiting == 1
