"""The outbox: leased once at a time, given back, done once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import MINUTE, NOW, SECOND

from hip.application.storage import JobState, Listing, OutboxRow, Topic, Units, Work

pytestmark = pytest.mark.anyio
LEASE = 30 * SECOND


async def add(units: Units, *keys: str, topic: Topic = Topic.LINK, run_at: datetime = NOW) -> None:
    async with units() as uow:
        for key in keys:
            await uow.outbox.add(HIP, topic, key, run_at=run_at)
        await uow.commit()


async def lease(units: Units, *, now: datetime = NOW, limit: int = 50) -> Sequence[OutboxRow]:
    async with units() as uow:
        rows = await uow.outbox.lease(now=now, until=now + LEASE, limit=limit)
        await uow.commit()
        return rows


async def waiting(units: Units) -> int:
    async with units() as uow:
        return await uow.outbox.waiting()


async def test_a_leased_row_says_what_to_do_and_until_when(units: Units) -> None:
    async with units() as uow:
        await uow.outbox.add(OTHER_HIP, Topic.TRANSFER, "transfer-1", run_at=NOW)
        await uow.commit()
    (row,) = await lease(units)
    assert (row.hip_id, row.topic, row.key) == (OTHER_HIP, Topic.TRANSFER, "transfer-1")
    assert (row.attempt, row.lease_until) == (1, NOW + LEASE)


async def test_a_row_is_not_leased_before_its_time(units: Units) -> None:
    await add(units, "later", run_at=NOW + MINUTE)
    assert await lease(units, now=NOW + MINUTE - SECOND) == []
    assert [row.key for row in await lease(units, now=NOW + MINUTE)] == ["later"]


async def test_topics_go_by_priority_and_within_a_topic_the_oldest_goes_first(units: Units) -> None:
    await add(units, "projection", topic=Topic.PROJECTION, run_at=NOW - MINUTE)
    await add(units, "bundle", topic=Topic.BUNDLE, run_at=NOW - MINUTE)
    await add(units, "second link", run_at=NOW - SECOND)
    await add(units, "third link", run_at=NOW - SECOND)
    await add(units, "first link", run_at=NOW - MINUTE)
    await add(units, "transfer", topic=Topic.TRANSFER)
    await add(units, "callback", topic=Topic.CALLBACK)
    await add(units, "sms", topic=Topic.SMS)
    links = ["first link", "second link", "third link"]
    expected = ["callback", "transfer", *links, "sms", "bundle", "projection"]
    assert [row.key for row in await lease(units)] == expected


async def test_a_limit_takes_the_first_of_that_order(units: Units) -> None:
    await add(units, "b1", "b2", topic=Topic.BUNDLE)
    await add(units, "l1", "l2")
    assert [row.key for row in await lease(units, limit=3)] == ["l1", "l2", "b1"]
    assert [row.key for row in await lease(units, limit=3)] == ["b2"]


async def test_two_relays_never_get_the_same_row(units: Units) -> None:
    await add(units, *(f"row {number}" for number in range(20)))
    both_hold = asyncio.Barrier(2)

    async def relay() -> set[int]:
        async with units() as uow:
            rows = await uow.outbox.lease(now=NOW, until=NOW + LEASE, limit=10)
            await uow.commit()
        await both_hold.wait()
        return {row.id for row in rows}

    one, two = await asyncio.gather(relay(), relay())
    assert len(one) == len(two) == 10
    assert not one & two


async def test_an_undone_lease_was_never_given(units: Units) -> None:
    await add(units, "row")
    async with units() as uow:
        assert len(await uow.outbox.lease(now=NOW, until=NOW + LEASE, limit=1)) == 1
    (row,) = await lease(units)
    assert row.attempt == 1


async def test_a_lease_that_ran_out_is_given_again_under_the_next_attempt(units: Units) -> None:
    await add(units, "row")
    (first,) = await lease(units)
    assert await lease(units, now=NOW + LEASE - SECOND) == []
    (second,) = await lease(units, now=NOW + LEASE)
    assert (second.id, second.attempt) == (first.id, 2)


async def test_only_the_latest_attempt_holds_the_lease(units: Units) -> None:
    await add(units, "row")
    (stale,) = await lease(units)
    (held,) = await lease(units, now=NOW + LEASE)
    async with units() as uow:
        assert await uow.outbox.current(stale.id, stale.attempt) is None
        assert await uow.outbox.current(held.id, held.attempt) == held
        assert await uow.outbox.current(held.id, held.attempt + 1) is None


async def test_a_stale_attempt_can_neither_end_nor_defer_nor_bury(units: Units) -> None:
    await add(units, "row")
    (stale,) = await lease(units)
    (held,) = await lease(units, now=NOW + LEASE)
    async with units() as uow:
        assert not await uow.outbox.done(stale.id, stale.attempt)
        assert not await uow.outbox.defer(stale.id, stale.attempt, run_at=NOW)
        assert not await uow.outbox.bury(stale.id, stale.attempt)
        await uow.commit()
    async with units() as uow:
        assert await uow.outbox.current(held.id, held.attempt) == held


async def test_a_row_that_is_done_or_buried_never_comes_back(units: Units) -> None:
    await add(units, "done", "buried")
    done, buried = await lease(units)
    assert await waiting(units) == 2
    async with units() as uow:
        assert await uow.outbox.done(done.id, done.attempt)
        assert await uow.outbox.bury(buried.id, buried.attempt)
        assert not await uow.outbox.done(done.id, done.attempt)
        assert not await uow.outbox.bury(buried.id, buried.attempt)
        assert await uow.outbox.current(done.id, done.attempt) is None
        assert await uow.outbox.current(buried.id, buried.attempt) is None
        await uow.commit()
    assert await waiting(units) == 0
    assert await lease(units, now=NOW + 1000 * MINUTE) == []


async def test_a_deferred_row_waits_for_its_new_time_and_keeps_its_count(units: Units) -> None:
    await add(units, "row")
    (row,) = await lease(units)
    async with units() as uow:
        assert await uow.outbox.defer(row.id, row.attempt, run_at=NOW + MINUTE)
        assert await uow.outbox.current(row.id, row.attempt) is None
        await uow.commit()
    assert await waiting(units) == 1
    assert await lease(units, now=NOW + LEASE) == []
    (again,) = await lease(units, now=NOW + MINUTE)
    assert (again.id, again.attempt) == (row.id, 2)


async def test_a_heartbeat_keeps_the_lease(units: Units) -> None:
    await add(units, "kept", "lost")
    kept, lost = await lease(units)
    async with units() as uow:
        await uow.outbox.renew([kept.id], until=NOW + 2 * LEASE)
        await uow.commit()
    assert [row.id for row in await lease(units, now=NOW + LEASE)] == [lost.id]
    async with units() as uow:
        current = await uow.outbox.current(kept.id, kept.attempt)
    assert current is not None
    assert current.lease_until == NOW + 2 * LEASE


async def test_a_heartbeat_never_shortens_a_lease_nor_takes_one(units: Units) -> None:
    await add(units, "leased", "done", "deferred")
    leased, done, deferred = await lease(units)
    async with units() as uow:
        await uow.outbox.done(done.id, done.attempt)
        await uow.outbox.defer(deferred.id, deferred.attempt, run_at=NOW)
        await uow.outbox.renew([leased.id, done.id, deferred.id, 10**9], until=NOW + 20 * SECOND)
        await uow.commit()
    assert [row.id for row in await lease(units, now=NOW + 10 * SECOND)] == [deferred.id]
    assert await lease(units, now=NOW + 25 * SECOND) == []


async def test_a_heartbeat_of_nothing_is_nothing(units: Units) -> None:
    async with units() as uow:
        await uow.outbox.renew([], until=NOW)
        assert await uow.outbox.waiting() == 0


async def test_the_outbox_commits_with_what_causes_it(units: Units) -> None:
    async with units() as uow:
        await uow.outbox.add(HIP, Topic.LINK, "never", run_at=NOW)
    assert await lease(units) == []


async def test_a_job_is_shown_with_its_state_its_attempts_and_its_last_error(units: Units) -> None:
    await add(units, "waits", "fails", "ends", "is refused")
    _, fails, ends, refused = await lease(units)
    async with units() as uow:
        assert await uow.outbox.defer(fails.id, fails.attempt, run_at=NOW + MINUTE, error="GatewayUnavailable 503")
        assert await uow.outbox.done(ends.id, ends.attempt)
        assert await uow.outbox.bury(refused.id, refused.attempt, error="InvalidValue ABDM-1006")
        await uow.commit()
    async with units() as uow:
        jobs = {job.key: job for job in await uow.outbox.list(Listing(hip_id=HIP))}
        assert await uow.outbox.get(OTHER_HIP, fails.id) is None
        assert await uow.outbox.list(Listing(hip_id=OTHER_HIP)) == []
        assert await uow.outbox.get(HIP, ends.id) is not None
    assert {key: (job.state, job.attempt, job.error) for key, job in jobs.items()} == {
        "waits": (JobState.LEASED, 1, None),
        "fails": (JobState.READY, 1, "GatewayUnavailable 503"),
        "is refused": (JobState.DEAD, 1, "InvalidValue ABDM-1006"),
    }
    assert jobs["fails"].run_at == NOW + MINUTE
    (again,) = [row for row in await lease(units, now=NOW + MINUTE) if row.key == "fails"]
    async with units() as uow:
        assert await uow.outbox.defer(again.id, again.attempt, run_at=NOW + 2 * MINUTE)
        kept = await uow.outbox.get(HIP, fails.id)
    assert kept is not None
    assert kept.error == "GatewayUnavailable 503"  # waiting for its turn is no new error


async def test_a_cancelled_row_is_never_leased_and_a_running_one_cannot_be_cancelled(units: Units) -> None:
    await add(units, "runs")
    (runs,) = await lease(units)
    await add(units, "waits", run_at=NOW + SECOND)
    async with units() as uow:
        waits = next(job for job in await uow.outbox.list(Listing()) if job.key == "waits")
        assert not await uow.outbox.cancel(HIP, runs.id)
        assert not await uow.outbox.cancel(OTHER_HIP, waits.id)
        assert await uow.outbox.cancel(HIP, waits.id)
        assert not await uow.outbox.cancel(HIP, waits.id)
        await uow.commit()
    assert await lease(units, now=NOW + SECOND) == []
    assert await waiting(units) == 1


async def test_a_row_knows_how_often_it_failed_apart_from_how_often_it_was_leased(units: Units) -> None:
    await add(units, "88120")
    for counted in (True, False, True):
        (row,) = await lease(units)
        async with units() as uow:
            assert await uow.outbox.defer(row.id, row.attempt, run_at=NOW, error="Transient", counted=counted)
            await uow.commit()
    (row,) = await lease(units)
    assert (row.attempt, row.failures) == (4, 2)


async def test_back_fill_waits_behind_everything_else_and_may_be_left_out(units: Units) -> None:
    work = [("later", True, NOW - MINUTE), ("now", False, NOW), ("first", False, NOW - SECOND)]
    async with units() as uow:
        await uow.outbox.add_all(
            [Work(hip_id=HIP, topic=Topic.BUNDLE, key=key, run_at=at, backfill=backfill) for key, backfill, at in work]
        )
        await uow.outbox.add(HIP, Topic.PROJECTION, "last", run_at=NOW)
        await uow.commit()
    async with units() as uow:
        without = await uow.outbox.lease(now=NOW, until=NOW + LEASE, limit=9, backfill=False)
        assert [(row.key, row.backfill) for row in without] == [("first", False), ("now", False), ("last", False)]
    async with units() as uow:
        some = await uow.outbox.lease(now=NOW, until=NOW + LEASE, limit=9, topics=[Topic.BUNDLE])
        assert [row.key for row in some] == ["first", "now"], "one topic alone has no back-fill"
    rows = await lease(units)
    assert [(row.key, row.backfill) for row in rows] == [
        ("first", False), ("now", False), ("last", False), ("later", True)
    ]  # fmt: skip
    async with units() as uow:
        held = await uow.outbox.held([(row.id, row.attempt) for row in rows])
        assert [row.backfill for row in held] == [False, False, False, True]
        await uow.outbox.defer(rows[3].id, 1, run_at=NOW + MINUTE)
        assert await uow.outbox.hurry(HIP, Topic.BUNDLE, "later", run_at=NOW) == 1
        await uow.commit()
    [again] = await lease(units, now=NOW + SECOND)
    assert (again.key, again.backfill) == ("later", True)


async def test_jobs_are_listed_by_state_and_topic_and_a_key_is_undecided_while_a_row_of_it_waits(units: Units) -> None:
    await add(units, "one", "two")
    await add(units, "three", topic=Topic.SMS)
    async with units() as uow:
        assert await uow.outbox.undecided(HIP, Topic.LINK, "one")
        assert not await uow.outbox.undecided(OTHER_HIP, Topic.LINK, "one")
        assert not await uow.outbox.undecided(HIP, Topic.SMS, "one")
        first, second, _ = await uow.outbox.lease(now=NOW, until=NOW + LEASE, limit=3)
        assert await uow.outbox.undecided(HIP, Topic.LINK, "one"), "a leased row waits as well"
        await uow.outbox.bury(first.id, 1)
        await uow.outbox.done(second.id, 1)
        assert not await uow.outbox.undecided(HIP, Topic.LINK, "one")
        assert not await uow.outbox.undecided(HIP, Topic.LINK, "two")

        async def keys(state: JobState | None = None, topic: Topic | None = None) -> list[str]:
            return [job.key for job in await uow.outbox.list(Listing(), state=state, topic=topic)]

        assert await keys() == ["three", "one"]
        assert await keys(JobState.DEAD) == ["one"]
        assert await keys(JobState.LEASED) == ["three"]
        assert await keys(topic=Topic.SMS) == ["three"]
        assert await keys(JobState.DEAD, Topic.SMS) == []
