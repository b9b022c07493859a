"""The outbox's two sides: leases, batches, poison, and what an outage may cost."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House

from hip.adapters.memory.jobs import MemoryJobQueue
from hip.application.exchange_retries import RetryExchange
from hip.application.jobs import RetryJob
from hip.application.relay import BATCH, ENOUGH_WAITING, FEW_WAITING, FRESH, LARGE_BATCH, MOST_WAITING, RelayOutbox
from hip.application.storage import JobState, Listing, OutboxRow, Topic, Work
from hip.application.tries import TRIES
from hip.domain.errors import DomainError, StorageFailed, Transient, Waiting
from hip.domain.exchanges import Flow
from hip.domain.identifiers import HipId


async def _add(house: House, topic: Topic, *keys: str) -> None:
    async with house.units() as uow:
        for key in keys:
            await uow.outbox.add(HIP, topic, key, run_at=house.clock())
        await uow.commit()


async def _waiting(house: House) -> int:
    async with house.units() as uow:
        return await uow.outbox.waiting()


class Recorder:
    """A handler that notes its keys and fails for those it is told to."""

    def __init__(self, **failures: Exception) -> None:
        self.ran: list[str] = []
        self.failures = failures

    async def __call__(self, hip_id: HipId, key: str) -> None:
        self.ran.append(key)
        if key in self.failures:
            raise self.failures[key]


def test_one_poisoned_row_does_not_fail_its_batch():
    async def story() -> None:
        house = House()
        recorder = Recorder(bug=ValueError("a canary value"), refused=DomainError("no"), later=Transient("later"))
        house.handlers[Topic.SMS] = recorder
        await _add(house, Topic.SMS, "good", "bug", "refused", "later", "fine")
        rows = await house.lease()
        await house.run_rows([(row.id, row.attempt) for row in rows])
        assert recorder.ran == ["good", "bug", "refused", "later", "fine"]
        assert await _waiting(house) == 2, "the bug and the transient one come back; the refusal is dead"
        assert "canary" not in str(house.reports)

    asyncio.run(story())


def test_a_row_that_ends_its_workers_does_not_keep_those_behind_it_from_being_run():
    async def story() -> None:
        house = House()
        done: list[str] = []

        class Crash(BaseException):
            """The work-horse is gone."""

        async def crash(hip_id: HipId, key: str) -> None:
            if key == "0":
                raise Crash
            done.append(key)

        house.handlers[Topic.SMS] = crash
        await _add(house, Topic.SMS, *(str(n) for n in range(12)))
        for _ in range(40):
            with suppress(Crash):
                await house.work()
            house.clock.advance(house.waits.lease + timedelta(seconds=1))
        assert sorted(done, key=int) == [str(n) for n in range(1, 12)]

    asyncio.run(story())


def test_a_row_that_never_works_is_dead_after_its_attempts():
    async def story() -> None:
        house = House()
        recorder = Recorder(never=Transient("later"))
        house.handlers[Topic.SMS] = recorder
        await _add(house, Topic.SMS, "never")
        for _ in range(TRIES[Topic.SMS] + 5):
            await house.work()
            house.clock.advance(timedelta(hours=1))
        assert len(recorder.ran) == TRIES[Topic.SMS] == 5
        assert await _waiting(house) == 0

    asyncio.run(story())


def test_a_lease_that_ran_out_is_given_out_again_and_the_first_holder_can_no_longer_end_it():
    async def story() -> None:
        house = House()
        recorder = Recorder()
        house.handlers[Topic.SMS] = recorder
        await _add(house, Topic.SMS, "row")
        [first] = await house.lease()
        house.clock.advance(house.waits.lease + timedelta(seconds=1))
        [second] = await house.lease()
        assert (second.id, second.attempt) == (first.id, first.attempt + 1)
        await house.run_rows([(first.id, first.attempt)])
        assert recorder.ran == [], "the stale claim runs nothing"
        await house.run_rows([(second.id, second.attempt)])
        assert recorder.ran == ["row"]

    asyncio.run(story())


def test_a_worker_that_is_slow_keeps_its_lease_by_heartbeat():
    async def story() -> None:
        house = House()

        async def slow(hip_id: HipId, key: str) -> None:
            for _ in range(4):
                house.clock.advance(house.waits.lease / 2)
                await asyncio.sleep(house.waits.heartbeat.total_seconds() * 1.5)

        house.handlers[Topic.SMS] = slow
        await _add(house, Topic.SMS, "row")
        [row] = await house.lease()
        await house.run_rows([(row.id, row.attempt)])
        assert await _waiting(house) == 0

    asyncio.run(story())


def test_the_relay_enqueues_one_job_for_each_topic_and_callbacks_first():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        await _add(house, Topic.BUNDLE, *(f"v{n}|Prescription" for n in range(3)))
        await _add(house, Topic.CALLBACK, "c1", "c2")
        assert await relay() == 5
        assert await relay() == 0
        taken: list[Sequence[OutboxRow]] = [await jobs.take() for _ in range(jobs.waiting)]
        assert [(rows[0].topic, len(rows)) for rows in taken] == [(Topic.CALLBACK, 2), (Topic.BUNDLE, 3)]

    asyncio.run(story())


def test_documents_are_left_to_gather_and_what_somebody_waits_for_is_not():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        await _add(house, Topic.BUNDLE, "v1|Prescription")
        await _add(house, Topic.PROJECTION, "callback|1")
        await _add(house, Topic.LINK, "v0")
        assert await relay(gathered=False) == 1
        assert [row.topic for row in await jobs.take()] == [Topic.LINK]
        await _add(house, Topic.BUNDLE, "v2|Prescription")
        assert await relay() == 3
        assert [len(await jobs.take()) for _ in range(jobs.waiting)] == [2, 1]

    asyncio.run(story())


def test_a_queue_that_is_down_or_flushed_costs_one_lease_and_loses_nothing():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        await _add(house, Topic.CALLBACK, *(f"c{n}" for n in range(BATCH)))
        jobs.down = True
        with suppress(StorageFailed):
            await relay()
        jobs.down = False
        house.clock.advance(house.waits.lease + timedelta(seconds=1))
        assert await relay() == BATCH
        jobs.flush()
        house.clock.advance(house.waits.lease + timedelta(seconds=1))
        assert await relay() == BATCH
        assert len(await jobs.take()) == BATCH

    asyncio.run(story())


def test_the_relay_holds_back_while_enough_batches_wait_so_that_none_grows_stale():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        await _add(house, Topic.CALLBACK, *(f"c{n}" for n in range(BATCH * (MOST_WAITING + 14))))
        for _ in range(MOST_WAITING + 14):
            await relay()
        waiting = await jobs.backlog()
        assert MOST_WAITING <= waiting < MOST_WAITING + LARGE_BATCH // BATCH
        while await jobs.backlog() >= MOST_WAITING:
            assert await relay() == 0
            await jobs.take()
        assert await relay() > 0

    asyncio.run(story())


def test_documents_are_handed_over_in_large_batches_and_not_while_enough_is_waiting():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        await _add(house, Topic.BUNDLE, *(f"v{n}|Prescription" for n in range(LARGE_BATCH * (ENOUGH_WAITING + 4))))
        for _ in range(ENOUGH_WAITING + 4):
            await relay()
        assert await jobs.backlog() == ENOUGH_WAITING
        await _add(house, Topic.CALLBACK, "c1")
        assert await relay() == 1, "what the gateway waits for is handed over all the same"
        assert [row.key for row in await jobs.take()] == ["c1"]
        assert {len(await jobs.take()) for _ in range(ENOUGH_WAITING)} == {LARGE_BATCH}

    asyncio.run(story())


def test_a_relay_that_was_down_for_days_takes_the_oldest_first_and_some_of_today():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        await _add(house, Topic.BUNDLE, *(f"old-{n:04}|Prescription" for n in range(4 * LARGE_BATCH)))
        house.clock.advance(timedelta(days=9))
        await _add(house, Topic.BUNDLE, "today|Prescription")
        assert await relay() == LARGE_BATCH
        keys = [row.key.partition("|")[0] for row in await jobs.take()]
        assert "today" in keys
        oldest = [f"old-{n:04}" for n in range(LARGE_BATCH - FRESH)]
        assert keys[: len(oldest)] == oldest

    asyncio.run(story())


def test_a_back_fill_of_any_size_leaves_places_for_what_comes_in_meanwhile():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        async with house.units() as uow:
            keys = [f"old-{n}|Prescription" for n in range(LARGE_BATCH * ENOUGH_WAITING)]
            await uow.outbox.add_all(
                [Work(hip_id=HIP, topic=Topic.BUNDLE, key=key, run_at=house.clock(), backfill=True) for key in keys]
            )
            await uow.commit()
        for _ in range(ENOUGH_WAITING):
            await relay()
        assert await jobs.backlog() == FEW_WAITING
        await _add(house, Topic.BUNDLE, "today|Prescription")
        assert await relay() == 1
        assert [row.key for row in await jobs.take()] == ["today|Prescription"], "before all that waits already"
        await jobs.take()
        assert await relay() > 0, "and then it goes on"

    asyncio.run(story())


def test_of_callbacks_the_oldest_go_first_however_many_there_are():
    async def story() -> None:
        house = House()
        jobs = MemoryJobQueue()
        relay = RelayOutbox(house.units, jobs, house.clock, house.waits)
        await _add(house, Topic.CALLBACK, *(f"c{n:04}" for n in range(2 * LARGE_BATCH)))
        await _add(house, Topic.BUNDLE, "today|Prescription")
        moved = await relay()
        taken: list[str] = []
        while await jobs.backlog():
            taken += [row.key for row in await jobs.take()]
        assert taken == [f"c{n:04}" for n in range(moved)]

    asyncio.run(story())


def test_a_batch_that_waited_for_most_of_its_lease_is_renewed_before_it_is_run():
    async def story() -> None:
        house = House()
        recorder = Recorder()
        house.handlers[Topic.SMS] = recorder
        await _add(house, Topic.SMS, "row")
        [row] = await house.lease()
        house.clock.advance(house.waits.lease * 0.9)

        async def slow(hip_id: HipId, key: str) -> None:
            house.clock.advance(house.waits.lease * 0.5)
            assert await house.lease() == []
            await recorder(hip_id, key)

        house.handlers[Topic.SMS] = slow
        await house.run_rows([(row.id, row.attempt)])
        assert recorder.ran == ["row"]

    asyncio.run(story())


async def _tried(failure: Exception, topic: Topic, times: int, tries: dict[Topic, int] | None = None) -> int:
    house = House()
    if tries is not None:
        house.run_rows = replace(house.run_rows, tries=tries)
    recorder = Recorder(row=failure)
    house.handlers[topic] = recorder
    await _add(house, topic, "row")
    for _ in range(times):
        await house.work()
        house.clock.advance(timedelta(hours=1))
    return len(recorder.ran)


def _unsent() -> Transient:
    failure = Transient("no connection", code="not-sent")
    failure.counted = False
    return failure


@pytest.mark.parametrize(
    ("failure", "topic", "tries", "tried"),
    [
        (Transient("503", code="503"), Topic.LINK, None, 5),
        (Transient("503", code="503"), Topic.NOTIFY, None, 5),
        (Transient("503", code="503"), Topic.LINK, {Topic.LINK: 2}, 2),
        (Transient("503", code="503"), Topic.SMS, {Topic.LINK: 2}, 5),
        (Transient("503", code="503"), Topic.LINK, {Topic.LINK: 0}, 30),
        (Transient("503", code="503"), Topic.CALLBACK, None, 30),
        (Transient("later"), Topic.BUNDLE, None, 20),
        (StorageFailed("away"), Topic.LINK, None, 30),
        (StorageFailed("away"), Topic.PROJECTION, None, 20),
        (_unsent(), Topic.LINK, None, 30),
        (Waiting("not yet"), Topic.LINK, None, 30),
    ],
)
def test_each_kind_of_work_has_its_tries_and_only_what_may_have_arrived_uses_one_up(failure, topic, tries, tried):
    assert asyncio.run(_tried(failure, topic, 30, tries)) == tried


def test_a_call_that_was_given_up_is_listed_as_dead_and_an_operator_brings_it_back():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.LINK_CARE_CONTEXT] = [Transient("503", code="503") for _ in range(5)]
        await house.take_in()
        await house.work()
        await house.answer_token()
        for _ in range(10):
            await house.work()
            house.clock.advance(timedelta(hours=1))
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 5
        async with house.units() as uow:
            [dead] = [job for job in await uow.outbox.list(Listing()) if job.state is JobState.DEAD]
            [exchange] = [e for e in await uow.exchanges.list(Listing()) if e.flow is Flow.LINK_CARE_CONTEXT]
        assert (dead.topic, dead.error) == (Topic.LINK, "Transient 503")
        await RetryExchange(house.units, house.clock)(HIP, exchange.id, actor="test")
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 6
        await RetryJob(house.units, house.clock)(HIP, dead.id, actor="test")
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 6, "the call was taken: it is not made twice"

    asyncio.run(story())
