"""What MySQL and MariaDB do otherwise than PostgreSQL: indexes and locks, types, and how rows are returned."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from tests.builders.amrit import HIP, TRIGGER, asked
from tests.builders.amrit_places import Place, an_empty_place
from tests.builders.amrit_servers import MISSING, a_mysql, mysql_program
from tests.servers import quick_disk

from hip.adapters.amrit.names import AmritNames, Form
from hip.adapters.amrit.reading import Trigger
from hip.adapters.amrit.result_sets import VITALS
from hip.adapters.amrit.routines import Routines
from hip.adapters.amrit.sample_database import fill, make
from hip.adapters.amrit.source import AmritVisitSource
from hip.adapters.amrit.statements import TriggerStatements
from hip.adapters.amrit.tables import preparation, trigger_table
from hip.domain.identifiers import VisitCode
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.logs import configure

pytestmark = pytest.mark.anyio

CLAIMED = 50
OPEN, ALL = 2_000, 40_000
NOW = datetime.now(UTC) + timedelta(hours=1)
LATER = NOW + timedelta(minutes=10)
_DIGITS = "(SELECT 0 d UNION ALL " + " UNION ALL ".join(f"SELECT {n}" for n in range(1, 10)) + ")"
_NUMBERS = (
    "SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n "
    f"FROM {_DIGITS} a, {_DIGITS} b, {_DIGITS} c, {_DIGITS} e, {_DIGITS} f"
)


@pytest.fixture
async def place(request: pytest.FixtureRequest) -> Place:
    return await an_empty_place("mysql procedures", request.getfixturevalue, database="amrit_mysql")


@pytest.fixture
async def source(place: Place) -> AsyncIterator[AmritVisitSource]:
    opened = AmritVisitSource(place.url, place.names)
    yield opened
    await opened.close()


def _claim(names: AmritNames) -> str:
    say = TriggerStatements(trigger_table(names, "mysql"), names, dialect="mysql")
    due = say.due(after=None, until=NOW.replace(tzinfo=None), limit=CLAIMED)
    return str(due.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]


async def _fill(place: Place) -> None:
    rows = f"SELECT n, IF(n > {OPEN}, 1, NULL) FROM ({_NUMBERS}) numbers WHERE n <= {ALL} ORDER BY n"
    await asked(place.url, f"INSERT INTO {TRIGGER} (visitcode, processed_flag) {rows}")
    await asked(place.url, f"ANALYZE TABLE {TRIGGER}")


async def _rows(connection: AsyncConnection, statement: str) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(text(statement))).mappings()]


async def test_a_claim_touches_only_what_it_claims(place: Place) -> None:
    """The plan at ten million rows is the same: the index leads to open rows, and the limit ends the walk."""
    await make(place.url, place.names)
    await _fill(place)
    engine = create_async_engine(place.url, isolation_level="READ COMMITTED")
    async with engine.connect() as connection:
        (plan,) = await _rows(connection, f"EXPLAIN FORMAT=TRADITIONAL {_claim(place.names)}")
        assert plan["key"] == "ix_hip_open"
        assert "filesort" not in (plan["Extra"] or "")
        await connection.execute(text("FLUSH STATUS"))
        assert len(await _rows(connection, _claim(place.names))) == CLAIMED
        counters = await _rows(connection, "SHOW SESSION STATUS LIKE 'Handler_read%'")
        read = {row["Variable_name"]: int(row["Value"]) for row in counters}
    await engine.dispose()
    # Each claimed row once in the index and at most once by its key.
    assert sum(read.values()) <= 2 * CLAIMED + 2
    assert read["Handler_read_rnd_next"] == 0


async def test_a_claim_locks_what_it_claims_and_nothing_else(place: Place) -> None:
    """Other claimers skip it, and AMRIT goes on writing: no gap is locked."""
    await make(place.url, place.names)
    await _fill(place)
    engine = create_async_engine(place.url, isolation_level="READ COMMITTED")
    async with engine.connect() as first, engine.connect() as second, engine.connect() as amrit:
        await amrit.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))
        mine = [row["id"] for row in await _rows(first, _claim(place.names))]
        theirs = [row["id"] for row in await _rows(second, _claim(place.names))]
        assert (mine, theirs) == (list(range(1, 51)), list(range(51, 101)))
        for index in ("PRIMARY", "ix_hip_open"):
            free = f"SELECT id FROM {TRIGGER} FORCE INDEX ({index}) WHERE id < 3000 FOR UPDATE SKIP LOCKED"
            assert sorted(row["id"] for row in await _rows(amrit, free)) == list(range(101, 3_000))
            await amrit.rollback()
        for statement in (
            f"INSERT INTO {TRIGGER} (visitcode) VALUES (9000001)",
            f"UPDATE {TRIGGER} SET processed_flag = 1 WHERE id = 101",
            f"UPDATE {TRIGGER} SET processed_flag = 0 WHERE id = {OPEN + 1}",
        ):
            await amrit.execute(text(statement))
        with pytest.raises(OperationalError, match="1205"):
            await amrit.execute(text(f"UPDATE {TRIGGER} SET visit_reason = 'x' WHERE id = 50"))
    await engine.dispose()


_AMRITS_OWN = (
    "CREATE TABLE {0} (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, benflowid bigint, BeneficiaryRegID bigint, "
    "beneficiary_id bigint, visit_reason varchar(45), visit_category varchar(45), visitid bigint, VisitCode bigint, "
    "visitdate datetime, created_date datetime, Processed_Flag bit(1) DEFAULT NULL)"
)


async def test_amrits_own_table_is_prepared_whatever_the_case_of_its_names(place: Place) -> None:
    """NULL and 0 are open, 1 is closed; what AMRIT's writer adds without naming columns still fits, and is due now."""
    names = AmritNames(trigger_table="NDHM_TRG_VisitData", trigger_flag="Processed_Flag", schema="amrit_mysql")
    table = "NDHM_TRG_VisitData"
    await asked(
        place.url,
        _AMRITS_OWN.format(table),
        f"INSERT INTO {table} (VisitCode, visitdate, Processed_Flag) VALUES (1, '2024-01-01 10:00', NULL), "
        "(2, '2024-01-02 10:00', b'0'), (3, '2024-01-03 10:00', b'1')",
    )
    for statement in preparation(names, "mysql").rstrip().rstrip(";").split(";\n"):
        await asked(place.url, statement)
    await asked(place.url, f"INSERT INTO {table} VALUES (4, NULL, 7, 8, NULL, 'ANC', 9, 4, NOW(), NOW(), NULL)")
    source = AmritVisitSource(place.url, names)
    try:
        rows = await source.claim(now=datetime.now(UTC) + timedelta(minutes=10), until=LATER, limit=10)
        # MySQL leaves the due date of such a row zero: it is claimed first, and not never.
        assert {row.visit_code for row in rows} == {VisitCode("1"), VisitCode("2"), VisitCode("4")}
        assert await source.done([row for row in rows if row.row_id < 4], now=NOW) == 2
    finally:
        await source.close()
    flags = await asked(place.url, f"SELECT VisitCode, Processed_Flag, hip_done_at FROM {table} ORDER BY id")
    assert [row["Processed_Flag"] for row in flags] == [b"\x01", b"\x01", b"\x01", None]
    done = NOW.astimezone(UTC).replace(tzinfo=None) + timedelta(hours=5, minutes=30)  # India's clock
    assert flags[0]["hip_done_at"] == done


async def test_the_visits_of_late_results_are_found_by_an_index_that_amrits_own_table_lacks(place: Place) -> None:
    await asked(place.url, _AMRITS_OWN.format(TRIGGER))
    for statement in preparation(place.names, "mysql").rstrip().rstrip(";").split(";\n"):
        await asked(place.url, statement)
    await _fill(place)
    some = f"SELECT n AS VisitCode, NOW() AS CreatedDate FROM ({_NUMBERS}) numbers WHERE n BETWEEN 3001 AND 3030"
    await asked(place.url, f"CREATE TABLE t_lab_testresult AS {some}", "ANALYZE TABLE t_lab_testresult")
    say = TriggerStatements(trigger_table(place.names, "mysql"), place.names, dialect="mysql")
    late = say.late(since=NOW.replace(tzinfo=None) - timedelta(days=7), limit=200)
    written = late.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    plan = await asked(place.url, f"EXPLAIN FORMAT=TRADITIONAL {written}")
    assert ("ndhm_trg_visitdata", "ix_hip_visit") in {(row["table"], row["key"]) for row in plan}


@pytest.mark.skipif(mysql_program() is None, reason=MISSING)
async def test_a_server_that_minds_no_case_is_read_by_names_in_any() -> None:
    """As AMRIT's is (lower_case_table_names=1): its own procedures use both for the same table."""
    with (
        fresh_folder(inside=quick_disk()) as folder,
        a_mysql(folder, "--lower-case-table-names=1", "--default-time-zone=+00:00") as bare,
    ):
        await asked(bare, "CREATE DATABASE db_iemr CHARACTER SET utf8mb3", "CREATE DATABASE elsewhere")
        made = AmritNames(schema="db_iemr")
        url = bare.replace("localhost/?", "localhost/elsewhere?")
        await make(url, made)
        await fill(url, made, count=2, seed=5, facility=HIP, odd=0)
        names = AmritNames(
            form=Form.ROUTINES,
            schema="DB_IEMR",
            trigger_table="NDHM_TRG_VisitData",
            trigger_flag="Processed_Flag",
            routines="FHIR_R_",
            lab_table="T_Lab_TestResult",
        )
        source = AmritVisitSource(url, names)
        try:
            await source.check()
            rows = await source.claim(now=NOW, until=LATER, limit=10)
            assert [visit.fault for visit in await source.read(rows)] == ["", ""]
            assert await source.done(rows, now=NOW) == 2
        finally:
            await source.close()


async def test_what_is_new_is_due_by_universal_time_on_a_server_that_keeps_indias(place: Place) -> None:
    await make(place.url, place.names)
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    await asked(place.url, f"INSERT INTO {TRIGGER} (visitcode, visitdate) VALUES (1, NOW())")
    (row,) = await asked(place.url, f"SELECT hip_due_at, visitdate FROM {TRIGGER}")
    after = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=1)
    assert before <= row["hip_due_at"] <= after
    assert before <= row["visitdate"] - timedelta(hours=5, minutes=30) <= after


async def test_every_kind_of_value_comes_as_it_is_meant(place: Place, source: AmritVisitSource) -> None:
    """Scripts, a date without a time, decimals, bits, and text that the server calls binary."""
    await make(place.url, place.names)
    await fill(place.url, place.names, count=1, seed=5, facility=HIP, odd=0)
    vitals = ", ".join(
        {"temperature": "CAST('98.60' AS DECIMAL(5,2))", "bmi": "CAST('21.45' AS CHAR CHARACTER SET binary)"}.get(
            name, "NULL"
        )
        for name in VITALS.names
    )
    person = (
        "SELECT NULL, NULL, 500001, CAST('200000000001' AS CHAR CHARACTER SET binary), 'गीता कुमारी 😀', 2, 'Female', "
        "NULL, NULL, DATE '1990-05-06', NULL, NULL, 'Bihar', 'Patna', 1, NOW(), 'x', NULL"
    )
    await asked(
        place.url,
        "DROP PROCEDURE fhir_r_vitals_anthropometry",
        "DROP PROCEDURE fhir_r_patientdemographic",
        "CREATE PROCEDURE fhir_r_vitals_anthropometry(IN beneficiaryRegID_IN bigint, IN visitCode_IN bigint) "
        f"SELECT {vitals}",
        f"CREATE PROCEDURE fhir_r_patientdemographic(IN beneficiaryRegID_IN bigint, OUT any_OUT bit(1)) {person}",
    )
    rows = await source.claim(now=NOW, until=LATER, limit=1)
    (read,) = await source.read(rows)
    assert read.record is not None, read.fault
    patient = read.record.patient
    assert (patient.name, patient.reference) == ("गीता कुमारी 😀", "200000000001")
    assert patient.birth_date == date(1990, 5, 6)
    assert read.record.vitals is not None
    assert (str(read.record.vitals.temperature_f), str(read.record.vitals.bmi)) == ("98.60", "21.45")


async def test_what_the_server_warns_of_is_not_logged(
    place: Place, source: AmritVisitSource, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The driver would log it, with the value it is about (design.md rule 2)."""
    await make(place.url, place.names)
    await fill(place.url, place.names, count=1, seed=5, facility=HIP, odd=0)
    await asked(
        place.url,
        "DROP PROCEDURE fhir_r_chiefcomplaints",
        "CREATE PROCEDURE fhir_r_chiefcomplaints(IN beneficiaryRegID_IN bigint, IN visitCode_IN bigint) "
        "SELECT 'Asha Devi' + 0, NULL, 3, 'Days', NULL, NOW(), 'nurse1'",
    )
    configure()
    rows = await source.claim(now=NOW, until=LATER, limit=1)
    (read,) = await source.read(rows)
    assert read.record is not None
    assert "Asha" not in capsys.readouterr().err + caplog.text


async def test_further_result_sets_are_drained_and_the_connection_goes_on(place: Place) -> None:
    """Also one that fails after its first rows: the driver finds out while it drains."""
    await make(place.url, place.names)
    await fill(place.url, place.names, count=3, seed=5, facility=HIP, odd=0)
    columns = "'Fever', NULL, 3, 'Days', NULL, NOW(), 'nurse1'"
    fails = "IF visitCode_IN = 30000000002 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'Asha Devi'; END IF;"
    await asked(
        place.url,
        "DROP PROCEDURE fhir_r_chiefcomplaints",
        "CREATE PROCEDURE fhir_r_chiefcomplaints(IN beneficiaryRegID_IN bigint, IN visitCode_IN bigint) "
        f"BEGIN SELECT {columns}; SELECT 1, 2; {fails} SELECT 'three'; END",
    )
    source = AmritVisitSource(place.url, place.names)
    try:
        rows = await source.claim(now=NOW, until=LATER, limit=3)
        for _ in range(3):
            read = await source.read(rows)
            assert [visit.record is None for visit in read] == [False, True, False]
            assert read[1].fault.endswith("expected to succeed; it gave error 1644")
            assert read[2].record is not None
            assert [complaint.text for complaint in read[2].record.complaints] == ["Fever"]
        assert await source.done(rows, now=NOW) == 3
    finally:
        await source.close()


async def test_a_connection_that_read_through_routines_holds_transactions_as_before(place: Place) -> None:
    """Calls are made without one; what is claimed afterwards over the same connection must not be."""
    await make(place.url, place.names)
    await fill(place.url, place.names, count=2, seed=5, facility=HIP, odd=0)
    engine = create_async_engine(place.url, pool_size=1, max_overflow=0, isolation_level="READ COMMITTED")
    try:
        await Routines(engine, place.names, mysql=True).of([Trigger(row_id=1, visit_code=30_000_000_001, patient=7)])
        async with engine.connect() as connection:
            assert await connection.get_isolation_level() == "READ COMMITTED"
            await connection.execute(text(f"UPDATE {TRIGGER} SET visit_reason = 'undone'"))
            await connection.rollback()
            (row,) = await _rows(connection, f"SELECT COUNT(*) AS n FROM {TRIGGER} WHERE visit_reason = 'undone'")
            assert row["n"] == 0
    finally:
        await engine.dispose()
