"""What only RQ can show: how a job rests in Redis, when it leaves, and that a real worker runs it."""

import asyncio
import importlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job
from tests.integration.rq import recorder

from hip.adapters.rq_jobs import JOB_FUNCTION, QUEUES, SERIALIZER, RqJobQueue
from hip.application.storage import OutboxRow, Topic
from hip.domain.identifiers import HipId

RECORDER = "tests.integration.rq.recorder.run"
CANARY = "canary-patient-key"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client
        client.flushdb()


def row(number: int, *, attempt: int = 1, topic: Topic = Topic.TRANSFER) -> OutboxRow:
    return OutboxRow(
        id=number,
        hip_id=HipId("IN-CANARY"),
        topic=topic,
        key=CANARY,
        attempt=attempt,
        lease_until=datetime(2026, 3, 12, tzinfo=UTC),
    )


def enqueued(
    url: str,
    *batches: list[OutboxRow],
    begun_within: timedelta = timedelta(seconds=30),
    function: str = JOB_FUNCTION,
) -> None:
    async def enqueue() -> None:
        jobs = RqJobQueue(url, job_timeout=timedelta(seconds=90), begun_within=begun_within, function=function)
        try:
            for rows in batches:
                await jobs.enqueue(rows)
        finally:
            await jobs.close()

    asyncio.run(enqueue())


def only_job(redis: Redis, queue: str = "hip-urgent") -> Job:
    (job_id,) = Queue(queue, connection=redis, serializer=SERIALIZER).job_ids
    return Job.fetch(job_id, connection=redis, serializer=SERIALIZER)


def test_a_job_carries_what_the_worker_needs_and_is_bounded(redis: Redis, redis_url: str) -> None:
    enqueued(redis_url, [row(1), row(2, attempt=4)])
    job = only_job(redis)
    assert job.func_name == JOB_FUNCTION == "hip.entrypoints.worker.jobs.run"
    assert list(job.args) == ["transfer", [[1, 1], [2, 4]]]
    assert job.kwargs == {}
    assert (job.timeout, job.result_ttl, job.failure_ttl, job.ttl) == (90, 0, 86_400, 30)
    assert job.id.startswith("transfer-")


def test_redis_holds_no_key_of_ours_and_the_description_is_the_topic(redis: Redis, redis_url: str) -> None:
    """Rule 2 of the design: ids only in a queue, and nothing at all in a job's description."""
    enqueued(redis_url, [row(1)])
    job = only_job(redis)
    assert job.description == "transfer"
    everything = b"".join(
        redis.dump(key) + b"".join(redis.hgetall(key).values()) if redis.type(key) == b"hash" else redis.dump(key)
        for key in redis.scan_iter()
    )
    assert CANARY.encode() not in everything
    assert b"IN-CANARY" not in everything
    assert b"IN-CANARY" not in job.data
    assert CANARY.encode() not in job.data


def test_a_job_nobody_began_leaves_with_its_lease(redis: Redis, redis_url: str) -> None:
    enqueued(redis_url, [row(1)], begun_within=timedelta(milliseconds=2500))
    assert 0 < redis.pttl(only_job(redis).key) <= 3000


def test_a_flushed_redis_takes_the_same_batch_again(redis: Redis, redis_url: str) -> None:
    async def scenario() -> None:
        jobs = RqJobQueue(redis_url)
        try:
            await jobs.enqueue([row(1)])
            await asyncio.to_thread(redis.flushdb)
            await asyncio.to_thread(redis.script_flush)
            await jobs.enqueue([row(1)])
            await jobs.ping()
        finally:
            await jobs.close()

    asyncio.run(scenario())
    assert only_job(redis).args[1] == [[1, 1]]


def test_a_connection_that_broke_is_made_again(redis: Redis, redis_url: str) -> None:
    async def scenario() -> None:
        jobs = RqJobQueue(redis_url)
        try:
            await jobs.enqueue([row(1)])
            mine, database = redis.client_id(), redis.client_info()["db"]
            for client in redis.client_list():
                if int(client["id"]) != mine and client["db"] == database:
                    redis.client_kill_filter(_id=client["id"])
            await jobs.enqueue([row(2)])
        finally:
            await jobs.close()

    asyncio.run(scenario())
    assert Queue("hip-urgent", connection=redis, serializer=SERIALIZER).count == 2


def test_a_worker_runs_the_urgent_queue_first_and_leaves_nothing_behind(redis: Redis, redis_url: str) -> None:
    recorder.calls.clear()
    enqueued(
        redis_url,
        [row(1, topic=Topic.BUNDLE)],
        [row(2, topic=Topic.SMS)],
        [row(3, topic=Topic.CALLBACK)],
        function=RECORDER,
    )
    queues = [Queue(name, connection=redis, serializer=SERIALIZER) for name in QUEUES]
    SimpleWorker(queues, connection=redis, serializer=SERIALIZER).work(burst=True, logging_level="CRITICAL")
    assert recorder.calls == [("callback", [[3, 1]]), ("sms", [[2, 1]]), ("bundle", [[1, 1]])]
    assert not list(redis.scan_iter("rq:job:*"))


def test_a_job_that_expired_in_the_queue_is_passed_over(redis: Redis, redis_url: str) -> None:
    recorder.calls.clear()
    enqueued(redis_url, [row(1)], [row(2)], function=RECORDER)
    queue = Queue("hip-urgent", connection=redis, serializer=SERIALIZER)
    redis.delete(Job.key_for(queue.job_ids[0]))  # as Redis does when the time is over
    SimpleWorker([queue], connection=redis, serializer=SERIALIZER).work(burst=True, logging_level="CRITICAL")
    assert recorder.calls == [("transfer", [[2, 1]])]


def test_the_function_jobs_name_is_the_workers_own() -> None:
    name, _, function = JOB_FUNCTION.rpartition(".")
    assert callable(getattr(importlib.import_module(name), function))
