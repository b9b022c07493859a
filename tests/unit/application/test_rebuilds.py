"""Any number of visits is built anew, some at a time, behind everything else."""

import asyncio
from datetime import timedelta

from tests.builders.flows import HIP, House
from tests.builders.visits import a_visit

from hip.application.bundle_storage import ReceivedSpan
from hip.application.rebuilds import AT_ONCE, RebuildVisits
from hip.application.storage import Listing, Topic
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.identifiers import VisitCode


async def _span(house: House, visits: int) -> ReceivedSpan:
    """So many visits, with their bundles; 7 of them in each moment."""
    since = house.clock()
    for number in range(visits):
        await house.take_in(a_visit(visit_code=VisitCode(f"v{number:04}")))
        if number % 7 == 6:
            house.clock.advance(timedelta(seconds=1))
    house.clock.advance(timedelta(seconds=1))
    await house.work()
    return ReceivedSpan(since=since, until=house.clock())


async def _all(rebuild: RebuildVisits, span: ReceivedSpan) -> list[int]:
    counts = []
    while (done := await rebuild(HIP, span, actor="test")).last is not None:
        counts.append(done.visits)
        span = ReceivedSpan(since=done.last[0], until=span.until, behind=done.last)
    return counts


def test_every_visit_of_a_span_is_built_anew_once_however_many_there_are() -> None:
    async def story() -> None:
        house = House()
        rebuild = RebuildVisits(house.units, house.clock)
        many = 2 * AT_ONCE + 30
        span = await _span(house, many)
        await house.take_in(a_visit(visit_code=VisitCode("after")))
        assert await rebuild.count(HIP, span) == many
        assert await _all(rebuild, span) == [AT_ONCE, AT_ONCE, 30]
        async with house.units() as uow:
            versions = [(visit.record.visit_code, visit.version) for visit in await uow.visits.list(Listing(limit=999))]
            jobs = await uow.bundle_jobs.of_visit(HIP, VisitCode("v0000"))
            audit = await uow.audit.list(Listing(limit=9999))
        assert sorted(versions) == [("after", 1), *((f"v{n:04}", 2) for n in range(many))]
        assert {(job.version, job.state) for job in jobs} == {(2, BundleJobState.PENDING)}
        assert sum(entry.action == "visit-rebuilt" for entry in audit) == many
        rows = await house.lease()
        assert {row.key.partition("|")[0] for row in rows if not row.backfill} == {"after"}
        await house.run_rows([(row.id, row.attempt) for row in rows])
        await house.work()
        async with house.units() as uow:
            built = await uow.bundles.of_visit(HIP, VisitCode("v0229"))
            assert await uow.outbox.waiting() == 0
        assert {(record.version, record.valid) for record in built} == {(2, True)}

    asyncio.run(story())


def test_records_that_are_large_are_read_a_few_at_a_time() -> None:
    async def story() -> None:
        house = House()
        span = await _span(house, 3)
        assert await _all(RebuildVisits(house.units, house.clock, most_bytes=1), span) == [1, 1, 1]
        async with house.units() as uow:
            rows = await uow.outbox.lease(now=house.clock(), until=house.clock(), limit=99)
        assert {row.topic for row in rows} == {Topic.BUNDLE}

    asyncio.run(story())
