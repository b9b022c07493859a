"""Visits of a source are taken, built and settled; what cannot be stays open with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from tests.builders.moments import NOW
from tests.builders.unstorable import PickyStore
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
from hip.application.storage import StatementRefused
from hip.application.visit_sources import FINISHING, SettleVisits, SourceRow, TakeVisits
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.visits import VisitRecord
from hip.entrypoints.facilities import ConfiguredFacilities

pytestmark = pytest.mark.anyio


class DeafSource(MemoryVisitSource):
    """It hears of no reason."""

    async def put_off(self, rows: Sequence[SourceRow], *, until: datetime, reason: str) -> None:
        raise StorageFailed("the hospital's database does not answer")


@dataclass
class Hospital:
    now: datetime = NOW
    source: MemoryVisitSource = field(default_factory=MemoryVisitSource)

    def __post_init__(self) -> None:
        units, facilities = MemoryDatabase().unit, ConfiguredFacilities((CLINIC,))
        self.store = PickyStore(units)
        receive = ReceiveVisits(self.store.unit, JsonVisitRecords(), facilities, self.clock)
        self.take = TakeVisits(source=self.source, receive=receive, clock=self.clock)
        self.settle = SettleVisits(source=self.source, units=units, clock=self.clock)
        self.build = BuildBundle(units, MemoryDocuments(), FhirComposer(), NrcesValidator(), facilities, self.clock)

    def clock(self) -> datetime:
        return self.now

    def several(self, count: int) -> list[VisitRecord]:
        """Visits that are ready, in this order."""
        ready = [replace(a_visit(), visit_code=VisitCode(str(90 + n))) for n in range(count)]
        for visit in ready:
            self.source.add(visit.visit_code, visit, at=NOW)
        return ready


async def test_the_flag_is_set_only_when_every_required_bundle_is_valid() -> None:
    at = Hospital()
    visit = a_visit()
    row = at.source.add(visit.visit_code, visit, at=NOW)
    taken = await at.take()
    *first, last = visit.required_hi_types
    for hi_type in first:
        await at.build(visit.hip_id, bundle_work(visit.visit_code, hi_type))
    assert await at.settle(taken) == list(taken)
    assert at.source.states()[row] == (False, None)
    await at.build(visit.hip_id, bundle_work(visit.visit_code, last))
    assert await at.settle(taken) == []
    assert at.source.states()[row] == (True, None)


async def test_a_taker_that_is_killed_costs_one_claim_and_repeats_nothing() -> None:
    at = Hospital()
    visit = a_visit()
    at.source.add(visit.visit_code, visit, at=NOW)
    await at.take()
    for hi_type in visit.required_hi_types:
        await at.build(visit.hip_id, bundle_work(visit.visit_code, hi_type))
    at.now += FINISHING
    (again,) = await at.take()
    assert again.version == 1
    assert await at.settle([again]) == []


async def test_a_refused_visit_stays_open_with_its_reason_and_is_read_ever_more_seldom() -> None:
    at = Hospital()
    row = at.source.add(VisitCode("1"), "patient.name: expected a name", at=NOW)
    assert await at.take() == []
    assert at.source.states()[row] == (False, "patient.name: expected a name")
    at.now += timedelta(minutes=1)
    await at.take()
    at.now += timedelta(minutes=1)
    visit = a_visit()
    at.source.add(visit.visit_code, visit, at=at.now)
    assert [taken.row.visit_code for taken in await at.take()] == [visit.visit_code]


async def test_what_is_claimed_together_is_stored_together() -> None:
    at = Hospital()
    visits = at.several(30)
    taken = await at.take()
    assert [each.row.visit_code for each in taken] == [visit.visit_code for visit in visits]
    assert at.store.tried == 1


async def test_a_store_that_fails_at_one_visit_costs_no_other_row_its_turn() -> None:
    at = Hospital()
    first, second, third, fourth = at.several(4)
    at.store.codes.add(third.visit_code)
    taken = await at.take()
    assert [each.row.visit_code for each in taken] == [first.visit_code, second.visit_code]
    again = await at.take()  # at the same moment; the one it failed at waits a minute
    assert [each.row.visit_code for each in again] == [fourth.visit_code]
    assert at.source.states()[3] == (False, "not stored yet (StorageFailed)")
    at.store.codes.clear()
    at.now += timedelta(minutes=1)
    assert [each.row.visit_code for each in await at.take()] == [third.visit_code]


async def test_a_visit_that_the_store_never_takes_waits_alone_and_says_so() -> None:
    at = Hospital()
    visits = at.several(40)
    poison = visits[17].visit_code
    at.store.codes.add(poison)
    at.store.failure = StatementRefused("the database refused a statement (SQLSTATE 22021)")
    taken = await at.take()
    assert [each.row.visit_code for each in taken] == [v.visit_code for v in visits if v.visit_code != poison]
    done, reason = at.source.states()[18]
    assert (done, reason) == (
        False,
        "the record cannot be stored: the database refused a statement (SQLSTATE 22021)",
    )


async def test_a_store_that_fails_at_once_is_told_and_keeps_no_claim() -> None:
    at = Hospital()
    visits = at.several(3)
    at.store.codes.update(visit.visit_code for visit in visits)
    with pytest.raises(StorageFailed):
        await at.take()
    at.store.codes.clear()
    assert len(await at.take()) == 2
    at.now += timedelta(minutes=1)
    assert [each.row.visit_code for each in await at.take()] == [visits[0].visit_code]


async def test_after_an_outage_of_our_store_no_visit_waits_for_hours() -> None:
    """Each try meets the outage at another visit, and all the others have been claimed as often by then."""
    at = Hospital()
    visits = at.several(30)
    at.store.codes.update(visit.visit_code for visit in visits)
    for _ in range(20):
        with pytest.raises(StorageFailed):
            await at.take()
        at.now += timedelta(minutes=1)
    at.store.codes.clear()
    taken = list(await at.take())
    at.now += FINISHING - timedelta(seconds=1)
    taken += await at.take()
    assert {each.row.visit_code for each in taken} == {visit.visit_code for visit in visits}


async def test_a_refused_visit_spoils_none_of_its_claim() -> None:
    at = Hospital()
    first, second = at.several(2)
    stranger = replace(a_visit(), visit_code=VisitCode("99"), hip_id=HipId("IN0410000999"))
    at.source.add(stranger.visit_code, stranger, at=NOW)
    at.source.add(VisitCode("100"), "patient.name: expected a name", at=NOW)
    taken = await at.take()
    assert [each.row.visit_code for each in taken] == [first.visit_code, second.visit_code]
    assert at.source.states()[3] == (False, "hipId: expected a facility of this service")
    assert at.source.states()[4] == (False, "patient.name: expected a name")


async def test_a_visit_that_never_comes_out_valid_is_not_asked_about_for_ever() -> None:
    at = Hospital()
    at.several(2)
    taken = await at.take()
    assert await at.settle(taken) == list(taken)
    at.now += FINISHING
    assert await at.settle(taken) == []
    assert len(await at.take()) == 2


async def test_a_late_result_makes_a_new_version() -> None:
    at = Hospital()
    visit = a_visit()
    at.source.add(visit.visit_code, visit, at=NOW)
    taken = await at.take()
    for hi_type in visit.required_hi_types:
        await at.build(visit.hip_id, bundle_work(visit.visit_code, hi_type))
    await at.settle(taken)
    at.now += FINISHING
    at.source.result_came(visit.visit_code, at=at.now, known=replace(visit, notes="The late result is normal"))
    assert await at.source.reopen_late(since=NOW, limit=10) == 1
    taken = await at.take()
    assert [each.version for each in taken] == [2]
    assert await at.settle(taken) == list(taken)


async def test_what_a_source_away_could_not_be_told_loses_nothing_that_was_stored() -> None:
    at = Hospital(source=DeafSource())
    at.source.add(VisitCode("1"), "patient.name: expected a name", at=NOW)
    visits = at.several(3)
    taken = await at.take()
    assert [each.row.visit_code for each in taken] == [visit.visit_code for visit in visits]
