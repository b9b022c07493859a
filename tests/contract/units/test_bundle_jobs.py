"""One job for each HIP, visit and HI type, and what batches of documents read and write at once."""

from dataclasses import replace

import pytest
from tests.builders.links import HIP, OTHER_HIP, a_care_context
from tests.builders.moments import MINUTE, NOW, SECOND
from tests.builders.stored_visits import a_bundle_key, a_bundle_record, a_stored_visit, a_trigger
from tests.builders.visits import MEERA

from hip.application.storage import Listing, Topic, Units
from hip.domain.bundle_jobs import WORKER_LOST, BundleJob, BundleJobState
from hip.domain.bundles import BundleKey
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, PatientReference, VisitCode

pytestmark = pytest.mark.anyio
VISIT, OTHER = VisitCode("88120"), VisitCode("88121")
KEY, TYPES = a_bundle_key(), [HiType.OP_CONSULTATION, HiType.PRESCRIPTION]
LATER = NOW + MINUTE


async def ask(units: Units, *, version: int = 1, visit: VisitCode = VISIT) -> None:
    async with units() as uow:
        await uow.bundle_jobs.ask(HIP, visit, TYPES, version=version, now=NOW)
        await uow.commit()


async def begin(units: Units, *keys: BundleKey) -> dict[BundleKey, BundleJob]:
    async with units() as uow:
        jobs = await uow.bundle_jobs.begin(keys, now=LATER)
        await uow.commit()
    assert len({job.key for job in jobs}) == len(jobs)
    return {job.key: job for job in jobs}


async def test_what_is_asked_for_is_pending_and_due_at_once(units: Units) -> None:
    await ask(units)
    pending = BundleJob(
        key=KEY, version=1, state=BundleJobState.PENDING, attempts=0, next_run_at=NOW, updated_at=NOW, error=None
    )
    async with units() as uow:
        assert await uow.bundle_jobs.get(KEY) == pending
        assert [job.key.hi_type for job in await uow.bundle_jobs.of_visit(HIP, VISIT)] == TYPES
        assert await uow.bundle_jobs.of_visit(OTHER_HIP, VISIT) == []
        assert await uow.bundle_jobs.get(a_bundle_key(hip_id=OTHER_HIP)) is None


async def test_documents_of_several_visits_are_asked_for_at_once(units: Units) -> None:
    await ask(units)
    await begin(units, KEY)
    other = a_bundle_key(visit_code=OTHER)
    async with units() as uow:
        await uow.bundle_jobs.ask_all({other: 4, KEY: 2}, now=LATER)
        await uow.bundle_jobs.ask_all({}, now=LATER)
        jobs = [await uow.bundle_jobs.get(key) for key in (KEY, other)]
    assert [(job.version, job.state, job.attempts, job.next_run_at) for job in jobs if job is not None] == [
        (2, BundleJobState.PENDING, 0, LATER),
        (4, BundleJobState.PENDING, 0, LATER),
    ]


async def test_each_beginning_counts_until_a_document_is_built(units: Units) -> None:
    await ask(units)
    await begin(units, KEY)
    job = (await begin(units, KEY, KEY))[KEY]
    assert (job.state, job.attempts, job.next_run_at, job.updated_at) == (BundleJobState.BUILDING, 2, None, LATER)
    assert job.error == WORKER_LOST, "nobody said what became of the first"
    async with units() as uow:
        await uow.bundle_jobs.finish([a_bundle_record()], now=LATER)
        await uow.commit()
    other = a_bundle_key(hi_type=HiType.OP_CONSULTATION)
    jobs = await begin(units, KEY, other, a_bundle_key(visit_code=OTHER))
    assert (jobs[KEY].state, jobs[KEY].attempts) == (BundleJobState.VALID, 2)
    assert (jobs[other].state, jobs[other].attempts) == (BundleJobState.BUILDING, 1)
    assert len(jobs) == 2, "nothing is known of the third"


@pytest.mark.parametrize(("valid", "state"), [(True, BundleJobState.VALID), (False, BundleJobState.INVALID)])
async def test_the_verdict_becomes_the_state_of_the_version_that_was_built(
    units: Units, valid: bool, state: BundleJobState
) -> None:
    await ask(units)
    async with units() as uow:
        await uow.bundle_jobs.fail(KEY, error="Transient", next_run_at=LATER, now=NOW)
        await uow.bundle_jobs.finish([a_bundle_record(valid=valid)], now=LATER)
        job = await uow.bundle_jobs.get(KEY)
    assert job is not None
    assert (job.state, job.next_run_at, job.error) == (state, None, None)


async def test_a_newer_version_that_was_asked_for_meanwhile_stays_pending(units: Units) -> None:
    await ask(units)
    await begin(units, KEY)
    await ask(units, version=2)
    async with units() as uow:
        await uow.bundle_jobs.finish([a_bundle_record(version=1)], now=LATER)
        job = await uow.bundle_jobs.get(KEY)
    assert job is not None
    assert (job.version, job.state, job.attempts) == (2, BundleJobState.PENDING, 0)


async def test_a_document_of_a_newer_version_than_was_asked_for_is_built_as_well(units: Units) -> None:
    await ask(units)
    await begin(units, KEY)
    async with units() as uow:
        await uow.bundle_jobs.finish([a_bundle_record(version=2)], now=LATER)
        job = await uow.bundle_jobs.get(KEY)
    assert job is not None
    assert (job.version, job.state, job.next_run_at) == (2, BundleJobState.VALID, None)


async def test_a_failure_says_when_it_is_tried_again_and_the_last_one_that_it_never_is(units: Units) -> None:
    await ask(units)
    async with units() as uow:
        await uow.bundle_jobs.fail(KEY, error="StorageFailed", next_run_at=LATER, now=NOW)
        failed = await uow.bundle_jobs.get(KEY)
        await uow.bundle_jobs.fail(KEY, error=None, next_run_at=None, now=LATER)
        dead = await uow.bundle_jobs.get(KEY)
        await uow.bundle_jobs.finish([a_bundle_record()], now=LATER)
        await uow.bundle_jobs.fail(KEY, error="late", next_run_at=None, now=LATER)
        built = await uow.bundle_jobs.get(KEY)
    assert failed is not None
    assert (failed.state, failed.error, failed.next_run_at) == (BundleJobState.FAILED, "StorageFailed", LATER)
    assert dead is not None
    assert (dead.state, dead.error, dead.next_run_at) == (BundleJobState.DEAD, "StorageFailed", None)
    assert built is not None
    assert built.state is BundleJobState.VALID, "what is built is not unmade by a row that comes late"


async def test_jobs_are_listed_with_the_newest_change_first(units: Units) -> None:
    await ask(units)
    await begin(units, KEY)
    async with units() as uow:
        listed = await uow.bundle_jobs.list(Listing(hip_id=HIP))
        recent = await uow.bundle_jobs.list(Listing(since=LATER))
    assert [job.key.hi_type for job in listed] == TYPES[::-1]
    assert [job.key for job in recent] == [KEY]


async def test_several_visits_are_read_and_locked_at_once(units: Units) -> None:
    ours, other = a_stored_visit(), a_stored_visit(visit_code=OTHER, version=3)
    async with units() as uow:
        await uow.visits.save(ours)
        await uow.visits.save(other)
        codes = [OTHER, VISIT, VISIT, VisitCode("404")]
        found = await uow.visits.several(HIP, codes)
        assert sorted((visit.record.visit_code, visit.version) for visit in found) == [(VISIT, 1), (OTHER, 3)]
        assert ours in found
        assert await uow.visits.lock_versions(HIP, codes) == {VISIT: 1, OTHER: 3}
        sizes = await uow.visits.sizes(HIP, codes)
        assert set(sizes) == {VISIT, OTHER}
        assert sizes[VISIT] >= len(ours.source)
        assert await uow.visits.several(OTHER_HIP, codes) == []
        assert await uow.visits.lock_versions(HIP, []) == {}


async def test_a_flag_is_set_once(units: Units) -> None:
    async with units() as uow:
        await uow.triggers.save(a_trigger())
        await uow.triggers.save(a_trigger(visit_code=OTHER))
        assert await uow.triggers.process(HIP, [VISIT, VisitCode("404")], now=LATER) == [VISIT]
        assert await uow.triggers.process(HIP, [VISIT, OTHER], now=LATER + SECOND) == [OTHER]
        assert await uow.triggers.get(HIP, VISIT) == a_trigger().process(now=LATER)
        assert await uow.triggers.process(OTHER_HIP, [VISIT], now=LATER) == []


async def test_set_flags_are_found_among_many_visits_of_one_hip(units: Units) -> None:
    async with units() as uow:
        await uow.triggers.save(a_trigger().process(now=LATER))
        await uow.triggers.save(a_trigger(visit_code=OTHER))
        assert await uow.triggers.processed(HIP, [VISIT, OTHER, VisitCode("404")]) == {VISIT}
        assert await uow.triggers.processed(OTHER_HIP, [VISIT, OTHER]) == frozenset()
        assert await uow.triggers.processed(HIP, []) == frozenset()


async def test_records_of_many_visits_come_back_in_their_newest_versions(units: Units) -> None:
    elsewhere = a_bundle_record(key=a_bundle_key(visit_code=OTHER))
    newer = a_bundle_record(version=2, valid=False)
    async with units() as uow:
        await uow.bundles.add_all([])
        await uow.bundles.add_all([a_bundle_record(), elsewhere, newer])
        found = await uow.bundles.of_visits(HIP, [VISIT, OTHER, VisitCode("404")])
        assert sorted(found, key=lambda record: record.key) == [newer, elsewhere]
        assert await uow.bundles.of_visits(OTHER_HIP, [VISIT]) == []


async def test_what_is_only_added_when_missing_replaces_nothing(units: Units) -> None:
    known = a_care_context()
    other = a_care_context(reference=CareContextReference("88121"), visit_code=OTHER)
    async with units() as uow:
        await uow.care_contexts.save(known)
        assert await uow.care_contexts.add_missing([]) == 0
        assert await uow.care_contexts.add_missing([replace(known, display="older"), other, other]) == 1
        assert await uow.care_contexts.several(HIP, [known.reference, other.reference]) == [known, other]
        await uow.patients.save(MEERA, hip_id=HIP)
        stranger = replace(MEERA, reference=PatientReference("PAT-9"))
        assert await uow.patients.add_missing([replace(MEERA, phone=None), stranger], hip_id=HIP) == 1
        assert await uow.patients.get(HIP, MEERA.reference) == MEERA
        assert await uow.patients.get(HIP, stranger.reference) == stranger
        assert await uow.patients.get(OTHER_HIP, stranger.reference) is None


async def test_care_contexts_and_patients_are_read_and_written_together(units: Units) -> None:
    first, second = a_care_context(), a_care_context(reference=CareContextReference("88121"), visit_code=OTHER)
    moved = replace(first, display="moved")
    async with units() as uow:
        await uow.care_contexts.save_all([])
        await uow.care_contexts.save_all([first, second])
        await uow.care_contexts.save_all([moved])
        named = [second.reference, first.reference, CareContextReference("404")]
        assert await uow.care_contexts.lock_several(HIP, named) == [moved, second]
        assert await uow.care_contexts.lock_several(OTHER_HIP, named) == []
        await uow.patients.save(MEERA, hip_id=HIP)
        assert await uow.patients.several(HIP, [MEERA.reference, PatientReference("404")]) == [MEERA]
        assert await uow.patients.several(OTHER_HIP, [MEERA.reference]) == []


async def test_rows_of_a_batch_are_held_ended_and_given_back_together(units: Units) -> None:
    async with units() as uow:
        for key in "abc":
            await uow.outbox.add(HIP, Topic.BUNDLE, key, run_at=NOW)
        await uow.commit()
    async with units() as uow:
        rows = await uow.outbox.lease(now=NOW, until=LATER, limit=9)
        await uow.commit()
    claims = [(row.id, row.attempt) for row in rows][::-1]
    async with units() as uow:
        assert [row.key for row in await uow.outbox.held(claims)] == ["c", "b", "a"]
        stale = [(row_id, attempt + 1) for row_id, attempt in claims]
        assert await uow.outbox.held(stale) == []
        assert await uow.outbox.done_all([*stale, claims[0]]) == [claims[0][0]]
        assert await uow.outbox.done_all([claims[0]]) == []
        await uow.outbox.give_back([*stale, *claims], run_at=NOW + SECOND)
        await uow.commit()
    async with units() as uow:
        assert await uow.outbox.held(claims) == []
        assert await uow.outbox.lease(now=NOW, until=LATER, limit=9) == []
        again = await uow.outbox.lease(now=NOW + SECOND, until=LATER, limit=9)
    assert [(row.key, row.attempt) for row in again] == [("a", 2), ("b", 2)]


async def test_the_newest_rows_of_some_topics_can_be_leased_first(units: Units) -> None:
    async with units() as uow:
        for second, key in enumerate("abcd"):
            await uow.outbox.add(HIP, Topic.BUNDLE, key, run_at=NOW + second * SECOND)
        await uow.outbox.add(HIP, Topic.CALLBACK, "callback", run_at=NOW)
        await uow.commit()
    async with units() as uow:
        newest = await uow.outbox.lease(now=LATER, until=LATER, limit=2, topics=[Topic.BUNDLE], newest=True)
        rest = await uow.outbox.lease(now=LATER, until=LATER + MINUTE, limit=2, topics=[Topic.BUNDLE, Topic.LINK])
        assert await uow.outbox.lease(now=LATER, until=LATER, limit=2, topics=[]) == []
    assert [row.key for row in newest] == ["c", "d"]
    assert [row.key for row in rest] == ["a", "b"]
