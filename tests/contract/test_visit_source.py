"""What every source of visits promises: in memory, and in AMRIT's database on PostgreSQL and on MySQL or MariaDB.

There its result sets are read from views and from routines.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.builders.amrit import HIP, TRIGGER, asked, record_of
from tests.builders.amrit_places import ALL_PLACES, Place, an_empty_place

from hip.adapters.amrit.sample_database import fill, make
from hip.adapters.amrit.sample_visits import visits
from hip.adapters.amrit.source import AmritVisitSource
from hip.adapters.memory.visit_source import MemoryVisitSource
from hip.application.visit_sources import SourceRow, VisitSource
from hip.domain.errors import InvalidValue, StorageFailed
from hip.domain.identifiers import VisitCode

pytestmark = pytest.mark.anyio

COUNT = 12
SEED = 5
NOW = datetime.now(UTC) + timedelta(hours=1)  # a real database says when its rows are due
LATER = NOW + timedelta(minutes=10)


@pytest.fixture(params=["memory", *ALL_PLACES])
async def place(request: pytest.FixtureRequest) -> Place | None:
    """An AMRIT-shaped database with twelve visits; None for the source in memory."""
    if request.param == "memory":
        return None
    place = await an_empty_place(request.param, request.getfixturevalue)
    await make(place.url, place.names)
    await fill(place.url, place.names, count=COUNT, seed=SEED, facility=HIP, odd=0)
    return place


@pytest.fixture
async def source(place: Place | None) -> AsyncIterator[VisitSource]:
    if place is None:
        memory = MemoryVisitSource()
        for _, rows in visits(COUNT, seed=SEED, facility=HIP, trigger=TRIGGER, odd=0):
            record = record_of(rows)
            memory.add(record.visit_code, record, at=NOW - timedelta(minutes=1))
        yield memory
        return
    opened = AmritVisitSource(place.url, place.names)
    yield opened
    await opened.close()


def _ids(rows: Sequence[SourceRow]) -> list[int]:
    return [row.row_id for row in rows]


async def test_a_claimed_row_is_nobody_elses_until_its_lease_ends(source: VisitSource) -> None:
    first = await source.claim(now=NOW, until=LATER, limit=5)
    second = await source.claim(now=NOW, until=LATER, limit=100)
    assert len(first) == 5
    assert sorted(_ids(first) + _ids(second)) == list(range(1, COUNT + 1))
    assert await source.claim(now=NOW, until=LATER, limit=100) == []
    again = await source.claim(now=LATER, until=LATER + timedelta(minutes=1), limit=100)
    assert sorted(_ids(again)) == list(range(1, COUNT + 1))
    assert {row.attempt for row in again} == {2}


async def test_claimers_at_the_same_moment_share_the_rows(source: VisitSource) -> None:
    claims = await asyncio.gather(*(source.claim(now=NOW, until=LATER, limit=4) for _ in range(2)))
    taken = [row_id for claim in claims for row_id in _ids(claim)]
    taken += _ids(await source.claim(now=NOW, until=LATER, limit=100))
    assert sorted(taken) == list(range(1, COUNT + 1))


async def test_every_claimed_visit_is_read_as_it_is(source: VisitSource) -> None:
    rows = await source.claim(now=NOW, until=LATER, limit=100)
    read = await source.read(rows)
    assert [visit.row for visit in read] == list(rows)
    expected = {}
    for _, made in visits(COUNT, seed=SEED, facility=HIP, trigger=TRIGGER, odd=0):
        record = record_of(made)
        expected[record.visit_code] = record
    assert {visit.row.visit_code: visit.record for visit in read} == expected


async def test_done_closes_rows_for_good(source: VisitSource) -> None:
    rows = await source.claim(now=NOW, until=LATER, limit=3)
    assert await source.done(rows, now=NOW) == 3
    assert await source.done(rows, now=NOW) == 0
    left = await source.claim(now=LATER, until=LATER, limit=100)
    assert not set(_ids(rows)) & set(_ids(left))
    assert len(left) == COUNT - 3


async def test_an_old_claim_closes_nothing_that_was_claimed_anew(source: VisitSource) -> None:
    old = await source.claim(now=NOW, until=LATER, limit=1)
    new = await source.claim(now=LATER, until=LATER + timedelta(hours=1), limit=100)
    assert await source.done(old, now=LATER) == 0
    assert await source.done([row for row in new if row.row_id == old[0].row_id], now=LATER) == 1


async def test_a_row_that_is_put_off_stays_open_and_comes_again(source: VisitSource) -> None:
    (row,) = await source.claim(now=NOW, until=LATER, limit=1)
    await source.put_off([row], until=NOW + timedelta(hours=2), reason="patient.name: expected a name")
    assert row.row_id not in _ids(await source.claim(now=LATER, until=LATER, limit=100))
    later = await source.claim(now=NOW + timedelta(hours=2), until=NOW + timedelta(hours=3), limit=100)
    assert row.row_id in _ids(later)


async def test_a_result_that_comes_after_the_end_opens_the_row_again(source: VisitSource, place: Place | None) -> None:
    rows = await source.claim(now=NOW, until=LATER, limit=2)
    await source.done(rows, now=NOW)
    since = NOW - timedelta(days=1)
    assert await source.reopen_late(since=since, limit=10) == 0
    if isinstance(source, MemoryVisitSource):
        source.result_came(rows[0].visit_code, at=NOW + timedelta(minutes=5))
    else:
        assert place is not None
        await _add_result(place.url, rows[0].visit_code)
    assert await source.reopen_late(since=since, limit=10) == 1
    assert rows[0].row_id in _ids(await source.claim(now=LATER, until=LATER, limit=100))


async def test_a_result_that_comes_between_reading_and_the_end_opens_the_row_again_at_once(
    source: VisitSource, place: Place | None
) -> None:
    """Its documents were made without it, although they were finished after it came."""
    rows = await source.claim(now=NOW, until=LATER, limit=2)
    if isinstance(source, MemoryVisitSource):
        source.result_came(rows[0].visit_code, at=NOW + timedelta(minutes=5))
    else:
        assert place is not None
        await _add_result(place.url, rows[0].visit_code)
    await source.done(rows, now=NOW + timedelta(minutes=8))
    since = NOW - timedelta(days=1)
    assert await source.reopen_late(since=since, limit=10) == 1
    (again,) = [row for row in await source.claim(now=NOW, until=LATER, limit=100) if row.row_id in _ids(rows)]
    assert (again.visit_code, again.attempt) == (rows[0].visit_code, 2)
    assert await source.reopen_late(since=since, limit=10) == 0


async def test_a_result_that_was_read_opens_nothing(source: VisitSource, place: Place | None) -> None:
    rows = await source.claim(now=NOW, until=LATER, limit=1)
    if isinstance(source, MemoryVisitSource):
        source.result_came(rows[0].visit_code, at=NOW + timedelta(minutes=5))
    else:
        assert place is not None
        await _add_result(place.url, rows[0].visit_code)
    (again,) = await source.claim(now=LATER, until=LATER + timedelta(minutes=10), limit=1)
    assert await source.done([again], now=LATER) == 1
    assert await source.reopen_late(since=NOW - timedelta(days=1), limit=10) == 0


async def _add_result(url: str, code: VisitCode) -> None:
    at = (NOW + timedelta(minutes=5) + timedelta(hours=5, minutes=30)).replace(tzinfo=None)
    await asked(
        url,
        "INSERT INTO t_lab_testresult "
        "(source_key, visitcode, procedureid, procedurename, testresultvalue, createddate) "
        "VALUES (:code, :code, 9, 'Late test', '7', :at)",
        code=int(code),
        at=at,
    )


async def test_rows_put_back_are_due_at_once_unless_somebody_claimed_them_anew(source: VisitSource) -> None:
    rows = await source.claim(now=NOW, until=LATER, limit=3)
    await source.put_back([], now=NOW)
    await source.put_back(rows, now=NOW)
    again = await source.claim(now=NOW, until=LATER, limit=100)
    assert set(_ids(rows)) <= set(_ids(again))
    await source.put_back(rows, now=NOW)
    assert await source.claim(now=NOW, until=LATER, limit=100) == []


async def test_many_rows_are_closed_by_their_own_claims_only(source: VisitSource) -> None:
    rows = await source.claim(now=NOW, until=LATER, limit=6)
    await source.put_back(rows[:2], now=NOW)
    anew = [row for row in await source.claim(now=NOW, until=LATER, limit=100) if row.row_id in _ids(rows)]
    assert sorted(_ids(anew)) == sorted(_ids(rows[:2]))
    assert await source.done([], now=NOW) == 0
    unknown = [SourceRow(row_id=1_000_000 + n, visit_code=VisitCode("1"), attempt=1) for n in range(1_200)]
    assert await source.done([*unknown, *rows], now=NOW) == 4
    assert await source.done(anew, now=NOW) == 2


_CREATE = {
    "VIEW": "CREATE VIEW fhir_r_diagnosis AS SELECT {0} FROM t_prescription",
    "PROCEDURE": "CREATE PROCEDURE fhir_r_diagnosis(IN a_visit bigint) SELECT {0} FROM t_prescription",
    "FUNCTION": "CREATE FUNCTION fhir_r_diagnosis(a_visit bigint) RETURNS TABLE ({1}) LANGUAGE sql "
    "AS $$SELECT {0} FROM t_prescription$$",
}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (None, ".*diagnosissctterm"),
        (("createdby", "createdby varchar"), ".*diagnosissctterm"),
        (("vanid, source_key", "vanid bigint, source_key bigint"), ".*diagnosissctterm.*; it has 2 columns"),
    ],
)
async def test_a_source_without_a_result_set_names_it_and_says_what_it_lacks(
    source: VisitSource, place: Place | None, columns: tuple[str, str] | None, said: str
) -> None:
    if place is None:
        pytest.skip("memory has no result sets")
    rows = await source.claim(now=NOW, until=LATER, limit=2)
    await asked(place.url, f"DROP {place.kind} fhir_r_diagnosis")
    if columns is not None:
        await asked(place.url, _CREATE[place.kind].format(*columns))
    kind = "view" if place.kind == "VIEW" else "routine"
    opened = AmritVisitSource(place.url, place.names)
    try:
        with pytest.raises(InvalidValue, match=f"^{kind} fhir_r_diagnosis: expected to be there{said}"):
            await opened.check()
        with pytest.raises(InvalidValue, match=f"^{kind} fhir_r_diagnosis: expected to be there{said}"):
            await opened.read(rows)
    finally:
        await opened.close()


async def test_a_source_whose_table_lacks_a_column_says_so(source: VisitSource, place: Place | None) -> None:
    if place is None:
        pytest.skip("memory has no tables")
    (row,) = await source.claim(now=NOW, until=LATER, limit=1)
    await asked(place.url, f"ALTER TABLE {TRIGGER} DROP COLUMN hip_reason")
    opened = AmritVisitSource(place.url, place.names)
    said = f"table {TRIGGER}: expected .*hip_reason.*hip source prepare"
    try:
        with pytest.raises(InvalidValue, match=said):
            await opened.check()
        with pytest.raises(InvalidValue, match=said):
            await opened.put_off([row], until=LATER, reason="-")
    finally:
        await opened.close()


async def test_a_source_laid_out_as_it_must_be_passes_its_check(source: VisitSource) -> None:
    if isinstance(source, AmritVisitSource):
        await source.check()


async def test_what_late_results_are_looked_for_in_is_named_when_it_is_missing(
    source: VisitSource, place: Place | None
) -> None:
    if place is None:
        pytest.skip("memory has no tables")
    await asked(place.url, "DROP VIEW fhir_r_diagnosticreportlab", "ALTER TABLE t_lab_testresult RENAME TO elsewhere")
    named = "view fhir_r_diagnosticreportlab" if place.kind == "VIEW" else "table t_lab_testresult"
    with pytest.raises(InvalidValue, match=named):
        await source.reopen_late(since=NOW, limit=10)


async def test_nothing_is_too_old_to_be_claimed(source: VisitSource, place: Place | None) -> None:
    """AMRIT forgets what is older than two days (amrit.md §2.3)."""
    if place is None:
        assert isinstance(source, MemoryVisitSource)
        source.add(VisitCode("1"), "no record", at=NOW - timedelta(days=900))
        assert len(await source.claim(now=NOW, until=LATER, limit=100)) == COUNT + 1
        return
    await asked(place.url, f"UPDATE {TRIGGER} SET hip_due_at = '2023-01-01 00:00:00' WHERE id > 4")
    windowed = AmritVisitSource(place.url, replace(place.names, window=timedelta(days=2)))
    try:
        claimed = await windowed.claim(now=NOW, until=LATER, limit=4)
        assert sorted(_ids(claimed)) == [1, 2, 3, 5]  # three of the window, and the oldest one
        rest = await windowed.claim(now=NOW, until=LATER, limit=100)
        assert sorted(_ids(claimed) + _ids(rest)) == list(range(1, COUNT + 1))
    finally:
        await windowed.close()


async def test_a_source_that_is_away_is_worth_another_try(place: Place | None) -> None:
    away: VisitSource
    if place is None:
        away = memory = MemoryVisitSource()
        memory.down = True
    elif place.url.startswith("mysql"):
        away = AmritVisitSource("mysql+asyncmy://root@localhost/amrit?unix_socket=/nowhere", place.names)
    else:
        away = AmritVisitSource("postgresql+asyncpg://u@/amrit?host=/nowhere", place.names)
    with pytest.raises(StorageFailed):
        await away.claim(now=NOW, until=LATER, limit=1)
    with pytest.raises(StorageFailed):
        await away.read([SourceRow(row_id=1, visit_code=VisitCode("1"), attempt=1)])
