"""An operator's retry and cancel of one job."""

import asyncio
from datetime import timedelta

import pytest
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import NOW
from tests.builders.stored_visits import a_bundle_key

from hip.adapters.memory.units import MemoryDatabase
from hip.application.jobs import CancelJob, RetryJob
from hip.application.storage import Job, JobState, Listing, Topic
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.errors import DomainError, NotFound

LATER = NOW + timedelta(hours=1)


async def queued(database: MemoryDatabase, topic: Topic, *, dead: bool, key: str = "88120") -> int:
    async with database.unit() as uow:
        await uow.outbox.add(HIP, topic, key, run_at=NOW if dead else LATER)
        if dead:
            [row] = await uow.outbox.lease(now=NOW, until=LATER, limit=1)
            await uow.outbox.bury(row.id, row.attempt, error="StorageFailed")
        [job] = await uow.outbox.list(Listing())
        await uow.commit()
    return job.id


async def jobs(database: MemoryDatabase) -> list[Job]:
    async with database.unit() as uow:
        return sorted(await uow.outbox.list(Listing()), key=lambda job: job.id)


async def audited(database: MemoryDatabase) -> list[tuple[str, str, str]]:
    async with database.unit() as uow:
        return [(entry.action, entry.subject, entry.actor) for entry in await uow.audit.list(Listing())]


async def document(database: MemoryDatabase) -> tuple[BundleJobState, str | None, int]:
    async with database.unit() as uow:
        job = await uow.bundle_jobs.get(a_bundle_key())
    assert job is not None
    return job.state, job.error, job.attempts


def test_what_an_operator_does_with_the_job_of_a_document_shows_on_the_document():
    async def story() -> None:
        database = MemoryDatabase()
        key = a_bundle_key()
        async with database.unit() as uow:
            await uow.bundle_jobs.ask(HIP, key.visit_code, [key.hi_type], version=3, now=NOW)
            await uow.bundle_jobs.begin([key], now=NOW)
            await uow.bundle_jobs.fail(key, error="ValueError", next_run_at=None, now=NOW)
            await uow.commit()
        dead = await queued(database, Topic.BUNDLE, dead=True, key="88120|Prescription")
        await RetryJob(database.unit, lambda: NOW)(HIP, dead, actor="command line")
        assert await document(database) == (BundleJobState.PENDING, None, 0)
        _, new = await jobs(database)
        await CancelJob(database.unit, lambda: NOW)(HIP, new.id, actor="command line")
        assert await document(database) == (BundleJobState.DEAD, "cancelled", 0)

    asyncio.run(story())


def test_a_job_that_names_no_document_can_be_retried_and_cancelled_all_the_same():
    async def story() -> None:
        database = MemoryDatabase()
        dead = await queued(database, Topic.BUNDLE, dead=True, key="nonsense")
        await RetryJob(database.unit, lambda: NOW)(HIP, dead, actor="command line")
        _, new = await jobs(database)
        await CancelJob(database.unit, lambda: NOW)(HIP, new.id, actor="command line")
        assert [job.state for job in await jobs(database)] == [JobState.CANCELLED] * 2

    asyncio.run(story())


def test_a_dead_job_runs_again_under_a_new_row_so_that_no_old_claim_fits():
    async def story() -> None:
        database = MemoryDatabase()
        dead = await queued(database, Topic.LINK, dead=True)
        await RetryJob(database.unit, lambda: NOW)(HIP, dead, actor="command line")
        old, new = await jobs(database)
        assert (old.id, old.state, old.error) == (dead, JobState.CANCELLED, "StorageFailed")
        assert (new.key, new.topic, new.state, new.attempt) == ("88120", Topic.LINK, JobState.READY, 0)
        assert await audited(database) == [("job-retried", str(dead), "command line")]
        with pytest.raises(DomainError, match="cancelled"):
            await RetryJob(database.unit, lambda: NOW)(HIP, dead, actor="command line")

    asyncio.run(story())


def test_a_job_that_waits_is_hurried():
    async def story() -> None:
        database = MemoryDatabase()
        waits = await queued(database, Topic.BUNDLE, dead=False)
        await RetryJob(database.unit, lambda: NOW)(HIP, waits, actor="command line")
        [job] = await jobs(database)
        assert (job.id, job.run_at) == (waits, NOW)

    asyncio.run(story())


@pytest.mark.parametrize("topic", [Topic.CALLBACK, Topic.TRANSFER])
def test_what_was_accepted_from_the_gateway_cannot_be_cancelled(topic):
    async def story() -> None:
        database = MemoryDatabase()
        waits = await queued(database, topic, dead=False)
        with pytest.raises(DomainError, match="accepted from the gateway"):
            await CancelJob(database.unit, lambda: NOW)(HIP, waits, actor="command line")
        assert [job.state for job in await jobs(database)] == [JobState.READY]
        assert await audited(database) == []

    asyncio.run(story())


def test_a_dead_transfer_is_retried_as_a_transfer():
    async def story() -> None:
        database = MemoryDatabase()
        dead = await queued(database, Topic.TRANSFER, dead=True)
        with pytest.raises(DomainError, match="hip transfers retry 88120"):
            await RetryJob(database.unit, lambda: NOW)(HIP, dead, actor="command line")

    asyncio.run(story())


def test_a_job_that_waits_is_cancelled_once_and_for_its_own_hip_only():
    async def story() -> None:
        database = MemoryDatabase()
        waits = await queued(database, Topic.SMS, dead=False)
        cancel = CancelJob(database.unit, lambda: NOW)
        with pytest.raises(NotFound):
            await cancel(OTHER_HIP, waits, actor="command line")
        await cancel(HIP, waits, actor="command line")
        assert await audited(database) == [("job-cancelled", str(waits), "command line")]
        with pytest.raises(DomainError, match="cancelled already"):
            await cancel(HIP, waits, actor="command line")

    asyncio.run(story())


def test_what_was_cancelled_by_mistake_runs_again_unless_it_waits_already():
    async def story() -> None:
        database = MemoryDatabase()
        retry, cancel = RetryJob(database.unit, lambda: NOW), CancelJob(database.unit, lambda: NOW)
        taken_out = await queued(database, Topic.LINK, dead=False)
        await cancel(HIP, taken_out, actor="command line")
        await retry(HIP, taken_out, actor="command line")
        old, new = await jobs(database)
        assert (old.state, new.state, new.key) == (JobState.CANCELLED, JobState.READY, old.key)
        with pytest.raises(DomainError, match="another one for the same waits already"):
            await retry(HIP, taken_out, actor="command line")

    asyncio.run(story())


def test_what_runs_or_is_done_is_told_apart():
    async def story() -> None:
        database = MemoryDatabase()
        job = await queued(database, Topic.LINK, dead=False)
        async with database.unit() as uow:
            [row] = await uow.outbox.lease(now=LATER, until=LATER, limit=1)
            await uow.commit()
        for change, said in (
            (RetryJob(database.unit, lambda: NOW), "is being run: there is nothing to run again"),
            (CancelJob(database.unit, lambda: NOW), "is being run: it cannot be taken out"),
        ):
            with pytest.raises(DomainError, match=said):
                await change(HIP, job, actor="command line")
        async with database.unit() as uow:
            await uow.outbox.done(row.id, row.attempt)
            await uow.commit()
        with pytest.raises(DomainError, match="is done: there is nothing to run again"):
            await RetryJob(database.unit, lambda: NOW)(HIP, job, actor="command line")

    asyncio.run(story())
