"""Result sets read through routines: AMRIT's own procedures on MySQL, functions on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from tests.builders.amrit import HIP, asked
from tests.builders.amrit_places import ROUTINES, Place, an_empty_place

from hip.adapters.amrit.reading import Trigger, Unread
from hip.adapters.amrit.routines import Routines
from hip.adapters.amrit.sample_database import fill, make
from hip.adapters.amrit.source import AmritVisitSource
from hip.domain.errors import InvalidValue, StorageFailed

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC) + timedelta(hours=1)
LATER = NOW + timedelta(minutes=10)
FIRST = 30_000_000_001
"""The first visit of the sample."""


@pytest.fixture(params=ROUTINES)
async def place(request: pytest.FixtureRequest) -> Place:
    made = await an_empty_place(request.param, request.getfixturevalue, database="amrit_routines")
    await make(made.url, made.names)
    await fill(made.url, made.names, count=6, seed=5, facility=HIP, odd=0)
    return made


@pytest.fixture
async def source(place: Place) -> AsyncIterator[AmritVisitSource]:
    opened = AmritVisitSource(place.url, place.names)
    yield opened
    await opened.close()


async def _replace(place: Place, name: str, body: str) -> None:
    """One result set with another body: a statement on MySQL, PL/pgSQL on PostgreSQL."""
    await asked(place.url, f"DROP {place.kind} fhir_r_{name}")
    if place.is_mysql:
        head = f"CREATE PROCEDURE fhir_r_{name}(IN beneficiaryRegID_IN bigint, IN visitCode_IN bigint)"
        await asked(place.url, f"{head} BEGIN {body} END")
    else:
        head = f"CREATE FUNCTION fhir_r_{name}(beneficiaryregid_in bigint, visitcode_in bigint)"
        columns = "chiefcomplaint text, sctcode text, duration int, unitofduration text, description text"
        returns = f"RETURNS TABLE ({columns}, createddate timestamp, createdby text)"
        await asked(place.url, f"{head} {returns} LANGUAGE plpgsql AS $$BEGIN {body} END$$")


_COMPLAINT = "SELECT 'Fever', NULL, 3, 'Days', NULL, NULL, 'nurse1'"


async def test_a_visit_whose_call_fails_spoils_no_other(place: Place, source: AmritVisitSource) -> None:
    """Also not one that MySQL files under the same SQLSTATE as a missing routine: two rows where one was expected."""
    if place.is_mysql:
        fails, gives = "SELECT row_id INTO @one FROM t_phy_vitals;", f"{_COMPLAINT};"
    else:
        typed = "SELECT 'Fever'::text, NULL::text, 3, 'Days'::text, NULL::text, NULL::timestamp, 'nurse1'::text"
        fails, gives = "RAISE EXCEPTION 'Asha Devi';", f"RETURN QUERY {typed};"
    await _replace(place, "chiefcomplaints", f"IF visitCode_IN = {FIRST} THEN {fails} END IF; {gives}")
    rows = await source.claim(now=NOW, until=LATER, limit=100)
    for _ in range(2):  # connections go on as before
        read = {visit.row.visit_code: visit for visit in await source.read(rows)}
        failed = read.pop(rows[0].visit_code)
        assert failed.record is None
        error = 1172 if place.is_mysql else "P0001"
        assert failed.fault == f"routine fhir_r_chiefcomplaints: expected to succeed; it gave error {error}"
        assert len(read) == 5
        assert all(visit.record is not None for visit in read.values())
        assert {c.text for visit in read.values() if visit.record for c in visit.record.complaints} == {"Fever"}


async def test_a_call_without_an_answer_is_given_up_with_its_visit_alone(place: Place) -> None:
    if place.is_mysql:
        waits, gives = "DO SLEEP(20);", f"{_COMPLAINT};"
    else:
        waits, gives = "PERFORM pg_sleep(20);", "RETURN;"
    await _replace(place, "chiefcomplaints", f"IF visitCode_IN = {FIRST} THEN {waits} END IF; {gives}")
    engine = create_async_engine(place.url, pool_size=1)
    try:
        routines = Routines(engine, place.names, mysql=place.is_mysql, patience=timedelta(seconds=4))
        visits = [Trigger(row_id=n, visit_code=FIRST + n, patient=500_001 + n) for n in range(6)]
        found = await routines.of(visits)
    finally:
        await engine.dispose()
    assert found[0] == Unread("routine fhir_r_chiefcomplaints", "to answer within 4 s", passing=True)
    assert not any(isinstance(found[n], Unread) for n in range(1, 6))


async def test_a_routine_that_is_broken_inside_is_named(place: Place, source: AmritVisitSource) -> None:
    """As AMRIT's vitals are on a server that minds the case of names."""
    said = r"^routine fhir_r_vitals_anthropometry: expected .*temperature"
    if place.is_mysql:
        await asked(place.url, "DROP TABLE t_phy_vitals")
    else:
        await _replace(place, "vitals_anthropometry", "PERFORM 1 FROM nowhere;")
    rows = await source.claim(now=NOW, until=LATER, limit=1)
    with pytest.raises(InvalidValue, match=said):
        await source.read(rows)
    with pytest.raises(InvalidValue, match=said):
        await source.check()


async def test_a_routine_that_fails_for_everybody_is_named_at_the_start(place: Place, source: AmritVisitSource) -> None:
    fails = "SIGNAL SQLSTATE '45000';" if place.is_mysql else "RAISE EXCEPTION 'Asha Devi';"
    await _replace(place, "chiefcomplaints", fails)
    with pytest.raises(InvalidValue, match=r"^routine fhir_r_chiefcomplaints: expected to succeed; it gave error "):
        await source.check()


async def test_numbers_that_the_trigger_table_lacks_ask_for_nothing(place: Place, source: AmritVisitSource) -> None:
    await asked(place.url, "UPDATE ndhm_trg_visitdata SET beneficiaryregid = NULL")
    rows = await source.claim(now=NOW, until=LATER, limit=1)
    (read,) = await source.read(rows)
    assert read.fault.startswith("patient: expected a row of demographics")


async def test_arguments_are_given_by_what_the_routine_calls_them(place: Place, source: AmritVisitSource) -> None:
    """Whatever their order, number and type."""
    if place.is_mysql:
        given = "IN visitCode_IN varchar(20), OUT first_OUT int, IN beneficiaryRegID_IN int, OUT second_OUT datetime"
        body = "SELECT * FROM t_benmedicationhistory WHERE source_key = visitCode_IN AND beneficiaryRegID_IN < 600000"
        statement = f"CREATE PROCEDURE fhir_r_medicalhistorydetails({given}) {body}"
    else:
        given = "visit text, ben integer"
        body = "SELECT * FROM t_benmedicationhistory WHERE source_key = visit::bigint AND ben < 600000"
        statement = (
            f"CREATE FUNCTION fhir_r_medicalhistorydetails({given}) RETURNS SETOF t_benmedicationhistory "
            f"LANGUAGE sql AS $${body}$$"
        )
    await asked(place.url, f"DROP {place.kind} fhir_r_medicalhistorydetails", statement)
    await asked(
        place.url,
        f"INSERT INTO t_benmedicationhistory (source_key, currentmedication) VALUES ({FIRST}, 'Metformin 500 mg')",
    )
    rows = await source.claim(now=NOW, until=LATER, limit=1)
    (read,) = await source.read(rows)
    assert read.record is not None
    assert "Metformin 500 mg" in [taken.text for taken in read.record.current_medications]


async def test_a_reader_that_is_told_to_stop_leaves_no_call_behind(place: Place, source: AmritVisitSource) -> None:
    waits = "DO SLEEP(20);" if place.is_mysql else "PERFORM pg_sleep(20); RETURN;"
    await _replace(place, "chiefcomplaints", waits)
    rows = await source.claim(now=NOW, until=LATER, limit=6)
    reading = asyncio.create_task(source.read(rows))
    asleep = (
        "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE state = 'User sleep'"
        if place.is_mysql
        else "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )
    while (await asked(place.url, asleep))[0]["n"] < 4:
        await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await source.done(rows, now=NOW) == 6


async def test_a_server_that_ends_a_connection_is_away(place: Place, source: AmritVisitSource) -> None:
    ends = "KILL CONNECTION_ID();" if place.is_mysql else "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN;"
    await _replace(place, "chiefcomplaints", ends)
    rows = await source.claim(now=NOW, until=LATER, limit=2)
    with pytest.raises(StorageFailed):
        await source.read(rows)
    assert await source.done(rows, now=NOW) == 2
