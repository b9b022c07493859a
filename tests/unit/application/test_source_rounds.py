"""A process that attends a source: what it takes, what it asks about, and what it leaves to others."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from tests.builders.moments import NOW
from tests.builders.visits import CLINIC, a_visit

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.memory.units import MemoryDatabase
from hip.adapters.memory.visit_source import MemoryVisitSource
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.arrivals import bundle_work
from hip.application.bundling import BuildBundle
from hip.application.intake import ReceiveVisits
from hip.application.source_rounds import ASKED, MOST_LATE, AttendSource
from hip.application.visit_sources import CLAIMED, SettleVisits, TakeVisits
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import VisitCode
from hip.domain.visits import VisitRecord
from hip.entrypoints.facilities import ConfiguredFacilities

pytestmark = pytest.mark.anyio
LATE_EVERY = timedelta(minutes=1)


@dataclass
class Hospital:
    now: datetime = NOW
    source: MemoryVisitSource = field(default_factory=MemoryVisitSource)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)

    def __post_init__(self) -> None:
        facilities = ConfiguredFacilities((CLINIC,))
        self.receive = ReceiveVisits(self.database.unit, JsonVisitRecords(), facilities, self.clock)
        self.build = BuildBundle(
            self.database.unit, MemoryDocuments(), FhirComposer(), NrcesValidator(), facilities, self.clock
        )

    def clock(self) -> datetime:
        return self.now

    def process(self, *, most: int = 1_000_000) -> AttendSource:
        return AttendSource(
            source=self.source,
            take=TakeVisits(source=self.source, receive=self.receive, clock=self.clock),
            settle=SettleVisits(source=self.source, units=self.database.unit, clock=self.clock),
            clock=self.clock,
            late_every=LATE_EVERY,
            most_unfinished=most,
        )

    def ready(self, count: int) -> list[VisitRecord]:
        visits = [replace(a_visit(), visit_code=VisitCode(str(1000 + n))) for n in range(count)]
        for visit in visits:
            self.source.add(visit.visit_code, visit, at=NOW)
        return visits

    async def build_all(self, visits: Sequence[VisitRecord]) -> None:
        for visit in visits:
            for hi_type in visit.required_hi_types:
                await self.build(visit.hip_id, bundle_work(visit.visit_code, hi_type))

    def closed(self) -> int:
        return sum(done for done, _ in self.source.states().values())


async def test_what_a_process_leaves_unfinished_another_finishes_at_once() -> None:
    at = Hospital()
    visits = at.ready(3)
    first, second = at.process(), at.process()
    await first()
    assert (first.taken, len(first.unfinished)) == (3, 3)
    await at.build_all(visits)
    await second()
    assert at.closed() == 0  # the first still has them
    await first.leave()
    await second()
    assert at.closed() == 3
    assert second.unfinished == ()


async def test_leaving_while_the_source_is_away_leaves_the_claims_to_run_out() -> None:
    at = Hospital()
    at.ready(1)
    process = at.process()
    await process()
    at.source.down = True
    await process.leave()
    at.source.down = False
    assert await at.source.claim(now=NOW, until=NOW, limit=1) == []


async def test_no_more_is_taken_than_workers_keep_up_with() -> None:
    at = Hospital()
    visits = at.ready(CLAIMED + 5)
    process = at.process(most=CLAIMED)
    await process()
    await process()
    assert process.taken == CLAIMED
    await at.build_all(visits[:1])
    assert await process() == 1
    await process()
    assert process.taken == CLAIMED + 5


async def test_visits_that_stay_unfinished_keep_nobody_from_being_asked_about() -> None:
    """The first ones never come out; a round asks about no more than so many."""
    at = Hospital()
    visits = at.ready(ASKED + CLAIMED)
    process = at.process()
    while process.taken < len(visits):
        await process()
    await at.build_all(visits[-1:])
    ended = [await process() for _ in range(3)]
    assert sum(ended) == 1
    assert at.closed() == 1


async def test_late_results_are_looked_for_at_first_and_then_ever_so_often() -> None:
    at = Hospital()
    (visit,) = at.ready(1)
    process = at.process()
    await process()
    await at.build_all([visit])
    assert await process() == 1
    at.now += timedelta(seconds=5)
    at.source.result_came(visit.visit_code, at=at.now, known=replace(visit, notes="The late result is normal"))
    await process()
    assert process.taken == 1
    at.now += LATE_EVERY
    await process()
    assert (process.taken, process.unfinished[0].version) == (2, 2)


async def test_results_older_than_the_last_look_are_not_looked_for_for_ever() -> None:
    """One that is dated within the last hour before it still is: its visit may have been closed since."""
    at = Hospital()
    first, second = at.ready(2)
    process = at.process()
    await process()
    await at.build_all([first, second])
    assert await process() == 2
    at.now += timedelta(hours=2)
    await process()
    for visit, minutes in ((first, 59), (second, 61)):
        dated = NOW + timedelta(minutes=minutes)
        at.source.result_came(visit.visit_code, at=dated, known=replace(visit, notes="The late result is normal"))
    at.now += LATE_EVERY
    await process()
    assert [each.row.visit_code for each in process.unfinished] == [second.visit_code]
    another = at.process()  # one that starts looks a week back
    await another()
    assert [each.row.visit_code for each in another.unfinished] == [first.visit_code]


async def test_more_late_results_than_one_look_opens_are_found_by_the_next() -> None:
    at = Hospital()
    visits = at.ready(MOST_LATE + 3)
    await at.source.done(await at.source.claim(now=NOW, until=NOW, limit=len(visits)), now=NOW)
    for visit in visits:
        at.source.result_came(visit.visit_code, at=NOW + timedelta(minutes=1))
    at.now += timedelta(minutes=2)
    process = at.process()
    await process()
    assert process.taken == MOST_LATE
    await process()
    assert process.taken == len(visits)


async def test_what_was_taken_before_a_store_failed_is_asked_about_again() -> None:
    at = Hospital()
    (visit,) = at.ready(1)
    process = at.process()
    await process()
    at.source.down = True
    with pytest.raises(StorageFailed):
        await process()
    at.source.down = False
    await at.build_all([visit])
    assert await process() == 1
