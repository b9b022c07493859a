"""Many documents of one batch: built and stored together, and each of them alone when something is wrong with it."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import timedelta

from tests.builders.flows import HIP, House
from tests.builders.openings import visit_taken_in
from tests.builders.visits import a_visit

from hip.application.storage import JobState, Listing, OutboxRow, Topic
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.bundles import Bundle, BundleKey
from hip.domain.errors import InvalidValue, StorageFailed
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import PatientReference, VisitCode
from hip.domain.visits import VisitRecord

TYPES = 3
"""Documents of one of these visits."""


def visit(number: int) -> VisitRecord:
    reference = PatientReference(f"PAT-{number}")
    patient = replace(a_visit().patient, reference=reference, abha_address=None, abha_number=None, phone=None)
    return a_visit(visit_code=VisitCode(f"V-{number}"), patient=patient)


async def states(house: House, number: int) -> set[BundleJobState]:
    async with house.units() as uow:
        return {job.state for job in await uow.bundle_jobs.of_visit(HIP, VisitCode(f"V-{number}"))}


async def processed(house: House, number: int) -> bool:
    async with house.units() as uow:
        trigger = await uow.triggers.get(HIP, VisitCode(f"V-{number}"))
    return trigger is not None and trigger.processed


class Composer:
    """Composes as ever, but for some visits it has a bug; counts what it composes."""

    def __init__(self, house: House, *poisoned: str) -> None:
        self.inner, self.poisoned, self.composed = house.build_bundle.composer, poisoned, 0

    def compose(self, record: VisitRecord, hi_type: HiType, *, facility: Facility, version: int = 1) -> bytes:
        self.composed += 1
        if record.visit_code in self.poisoned:
            raise ValueError("a canary value")
        return self.inner.compose(record, hi_type, facility=facility, version=version)


def composing(house: House, *poisoned: str) -> Composer:
    composer = Composer(house, *poisoned)
    house.handlers[Topic.BUNDLE] = replace(house.build_bundle, composer=composer)
    return composer


def test_a_batch_of_visits_is_built_stored_flagged_and_done():
    async def story() -> None:
        house = House()
        for number in range(40):
            await house.take_in(visit(number))
        rows = await house.lease()
        assert len(rows) == 50
        await house.run_rows([(row.id, row.attempt) for row in rows])
        await house.work()
        for number in range(40):
            assert await states(house, number) == {BundleJobState.VALID}
            assert await processed(house, number)
        async with house.units() as uow:
            assert await uow.outbox.waiting() == 0
            audit = [entry for entry in await uow.audit.list(Listing(limit=999)) if entry.action == "bundle-built"]
        assert len({entry.subject for entry in audit}) == 40 * TYPES

    asyncio.run(story())


def test_a_poisoned_visit_is_tried_again_and_the_others_of_its_batch_are_built():
    async def story() -> None:
        house = House()
        composing(house, "V-1")
        for number in range(3):
            await house.take_in(visit(number))
        await house.work()
        assert await states(house, 0) == await states(house, 2) == {BundleJobState.VALID}
        assert await states(house, 1) == {BundleJobState.FAILED}
        assert not await processed(house, 1)
        async with house.units() as uow:
            [job, *_] = await uow.bundle_jobs.of_visit(HIP, VisitCode("V-1"))
        assert (job.error, job.attempts) == ("ValueError", 1)
        assert job.next_run_at is not None
        assert job.next_run_at > house.clock()
        assert "canary" not in str(house.reports)
        for _ in range(30):
            house.clock.advance(timedelta(hours=1))
            await house.work()
        assert await states(house, 1) == {BundleJobState.DEAD}
        async with house.units() as uow:
            dead = [job for job in await uow.outbox.list(Listing()) if job.state is JobState.DEAD]
        assert len(dead) == TYPES

    asyncio.run(story())


def test_a_document_that_cannot_be_stored_is_dead_and_keeps_no_other_from_being_stored():
    async def story() -> None:
        house = House()

        class Documents:
            """Refuses what is too large, as MongoDB does; the rest of the store is as it was."""

            async def put_all(self, bundles: Sequence[Bundle]) -> None:
                if any(bundle.key.visit_code == "V-1" for bundle in bundles):
                    raise InvalidValue("bundle.content", "a bundle below 16 MiB, its issues included")
                await house.documents.put_all(bundles)

            put, get, issues = house.documents.put, house.documents.get, house.documents.issues

        house.handlers[Topic.BUNDLE] = replace(house.build_bundle, bundles=Documents())
        for number in range(3):
            await house.take_in(visit(number))
        await house.work()
        assert await states(house, 0) == await states(house, 2) == {BundleJobState.VALID}
        assert await states(house, 1) == {BundleJobState.DEAD}

    asyncio.run(story())


class Crash(BaseException):
    """The work-horse is gone: nothing of ours catches this, as nothing catches SIGKILL."""


def test_a_visit_that_ends_its_workers_is_dead_after_a_limit_and_all_others_are_built():
    async def story() -> None:
        house = House()
        composer = composing(house)
        inner = composer.inner

        class Killing:
            def compose(self, record: VisitRecord, hi_type: HiType, *, facility: Facility, version: int = 1) -> bytes:
                if record.visit_code == "V-0":
                    raise Crash
                return inner.compose(record, hi_type, facility=facility, version=version)

        house.handlers[Topic.BUNDLE] = replace(house.build_bundle, composer=Killing())
        for number in range(14):
            await house.take_in(visit(number))
        rounds = 0
        while rounds < 60:
            rounds += 1
            with suppress(Crash):
                await house.work()
            house.clock.advance(house.waits.lease + timedelta(seconds=1))
            async with house.units() as uow:
                if await uow.outbox.waiting() == 0:
                    break
        assert await states(house, 0) == {BundleJobState.DEAD}
        for number in range(1, 14):
            assert await states(house, number) == {BundleJobState.VALID}, number
        async with house.units() as uow:
            jobs = await uow.bundle_jobs.of_visit(HIP, VisitCode("V-0"))
            dead = [job for job in await uow.outbox.list(Listing()) if job.state is JobState.DEAD]
        assert {str(job.error).split()[0] for job in jobs} == {"WorkerLost"}
        assert {str(job.error).split()[0] for job in dead} == {"WorkerLost"}
        assert len(dead) == TYPES

    asyncio.run(story())


def test_an_outage_of_the_documents_defers_the_whole_batch_and_loses_nothing():
    async def story() -> None:
        house = House()
        for number in range(3):
            await house.take_in(visit(number))
        house.documents.down = True
        await house.work()
        assert await states(house, 0) == {BundleJobState.FAILED}
        house.documents.down = False
        house.clock.advance(timedelta(minutes=1))
        await house.work()
        for number in range(3):
            assert await states(house, number) == {BundleJobState.VALID}

    asyncio.run(story())


def test_an_outage_of_the_database_at_any_moment_of_a_batch_loses_nothing_and_doubles_nothing():
    async def story(moment: int) -> None:
        house = House()
        await house.take_in(visit(0))
        await house.take_in(visit(1))
        rows = await house.lease()
        house.database.fail_next(after=moment)
        with suppress(StorageFailed):
            await house.run_rows([(row.id, row.attempt) for row in rows])
        house.database.fail_next(0)
        house.clock.advance(timedelta(minutes=2))
        await house.work()
        for number in range(2):
            assert await states(house, number) == {BundleJobState.VALID}, moment
            assert await processed(house, number), moment
            async with house.units() as uow:
                records = await uow.bundles.of_visit(HIP, VisitCode(f"V-{number}"))
            assert [record.version for record in records] == [1] * TYPES, moment
        async with house.units() as uow:
            assert await uow.outbox.waiting() == 0, moment

    for moment in range(1, 40):
        asyncio.run(story(moment))


def test_late_results_are_a_new_version_that_is_built_once():
    async def story() -> None:
        house = House()
        composer = composing(house)
        await house.take_in(visit(0))
        late = replace(visit(0), medications=())
        await house.take_in(late)
        await house.work()
        wanted = late.required_hi_types
        async with house.units() as uow:
            records = {
                record.key.hi_type: record.version for record in await uow.bundles.of_visit(HIP, VisitCode("V-0"))
            }
        assert {hi_type: records[hi_type] for hi_type in wanted} == dict.fromkeys(wanted, 2)
        assert composer.composed <= TYPES, "rows of the first version found the second built"
        assert await processed(house, 0)

    asyncio.run(story())


def test_a_row_that_comes_again_finds_its_document_built():
    async def story() -> None:
        house = await visit_taken_in(visit(0))
        composer = composing(house)
        async with house.units() as uow:
            await uow.outbox.add(HIP, Topic.BUNDLE, "V-0|Prescription", run_at=house.clock())
            await uow.commit()
        await house.work()
        assert composer.composed == 0
        async with house.units() as uow:
            assert await uow.outbox.waiting() == 0

    asyncio.run(story())


def test_keys_that_name_no_document_and_visits_nobody_knows_are_dead_alone():
    async def story() -> None:
        house = House()
        await house.take_in(visit(0))
        async with house.units() as uow:
            for key in ("nonsense", "V-0|Nonsense", "404|Prescription"):
                await uow.outbox.add(HIP, Topic.BUNDLE, key, run_at=house.clock())
            await uow.commit()
        await house.work()
        assert await states(house, 0) == {BundleJobState.VALID}
        async with house.units() as uow:
            dead = {job.key for job in await uow.outbox.list(Listing()) if job.state is JobState.DEAD}
        assert dead == {"nonsense", "V-0|Nonsense", "404|Prescription"}

    asyncio.run(story())


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_not_begun():
    async def story() -> None:
        house = House()
        seen: list[str] = []

        async def told(hip_id: str, key: str) -> None:
            seen.append(key)

        house.handlers[Topic.SMS] = told
        async with house.units() as uow:
            for key in "abc":
                await uow.outbox.add(HIP, Topic.SMS, key, run_at=house.clock())
            await uow.commit()
        rows = await house.lease()
        await house.run_rows([(row.id, row.attempt) for row in rows], stopping=lambda: len(seen) == 1)
        assert seen == ["a"]
        again = await house.lease()
        assert [(row.key, row.attempt) for row in again] == [("b", 2), ("c", 2)], "at once, not when the lease is over"

    asyncio.run(story())


def test_a_batch_of_documents_that_is_told_to_stop_keeps_what_it_stored():
    async def story() -> None:
        house = House()
        for number in range(120):
            await house.take_in(visit(number))
        rows: list[OutboxRow] = []
        while leased := await house.lease():
            rows += leased
        stop = False

        def stopping() -> bool:
            nonlocal stop
            before, stop = stop, True
            return before

        await house.run_rows([(row.id, row.attempt) for row in rows], stopping=stopping)
        async with house.units() as uow:
            left = await uow.outbox.waiting()
            built = len(await uow.bundles.list(Listing(limit=999)))
        assert 0 < left < len(rows)
        assert built >= len(rows) - left
        await house.work()
        for number in range(120):
            assert await states(house, number) == {BundleJobState.VALID}

    asyncio.run(story())


def test_leaving_a_batch_early_waits_for_what_is_being_stored():
    async def story() -> None:
        house = House()
        for number in range(80):
            await house.take_in(visit(number))
        rows: list[OutboxRow] = []
        while leased := await house.lease():
            rows += leased
        async with aclosing(house.build_bundle.batch(rows)) as outcomes:
            async for _ in outcomes:
                break
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert others == []
        key = BundleKey(hip_id=HIP, visit_code=VisitCode("V-0"), hi_type=HiType.PRESCRIPTION)
        async with house.units() as uow:
            job = await uow.bundle_jobs.get(key)
        assert job is not None
        assert job.state is BundleJobState.VALID

    asyncio.run(story())
