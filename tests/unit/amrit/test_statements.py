"""The SQL of both dialects, as text."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.dialects import mysql, postgresql
from tests.builders.amrit import NAMES

from hip.adapters.amrit.names import AmritNames, Form
from hip.adapters.amrit.sample_layout import script
from hip.adapters.amrit.statements import TriggerStatements
from hip.adapters.amrit.tables import preparation, trigger_table

AT = datetime.fromisoformat("2026-03-02T09:00:00")
SPEAKING = {"mysql": mysql.dialect, "postgresql": postgresql.dialect}


def _claim(dialect: str, names: AmritNames = NAMES) -> str:
    say = TriggerStatements(trigger_table(names, dialect), names, dialect=dialect)
    due = say.due(after=AT - timedelta(days=2), until=AT, limit=50)
    return " ".join(str(due.compile(dialect=SPEAKING[dialect]())).split())


def test_a_claim_on_mysql_skips_locked_rows_and_uses_the_computed_column() -> None:
    claim = _claim("mysql")
    assert "WHERE ndhm_trg_visitdata.hip_open = %s AND ndhm_trg_visitdata.hip_due_at <= %s" in claim
    assert claim.endswith("LIMIT %s FOR UPDATE SKIP LOCKED")


def test_a_claim_on_postgres_skips_locked_rows_and_says_what_its_index_says() -> None:
    claim = _claim("postgresql")
    assert "processed_flag IS NOT true" in claim
    assert claim.endswith("FOR UPDATE SKIP LOCKED")


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_many_rows_are_closed_by_one_statement_that_finds_them_by_their_key(dialect: str) -> None:
    say = TriggerStatements(trigger_table(NAMES, dialect), NAMES, dialect=dialect)
    close = " ".join(str(say.close([7, 8], 3).compile(dialect=SPEAKING[dialect]())).split())
    assert close.startswith("UPDATE ndhm_trg_visitdata SET ")
    assert "WHERE ndhm_trg_visitdata.id IN (" in close
    assert "AND ndhm_trg_visitdata.hip_attempts = " in close


def test_any_number_of_rows_is_closed_by_one_compiled_statement() -> None:
    """SQLAlchemy keeps hundreds of compiled statements, and one of hundreds of rows has hundreds of KB."""
    say = TriggerStatements(trigger_table(NAMES, "postgresql"), NAMES, dialect="postgresql")
    made = [say.close(range(rows), attempt)._generate_cache_key() for rows in (1, 2, 500) for attempt in (1, 2)]
    assert len({key.key for key in made if key is not None}) == 1


def test_the_index_of_an_existing_table_is_made_while_others_write() -> None:
    assert "CREATE INDEX CONCURRENTLY ix_hip_open" in preparation(NAMES, "postgresql")


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_table_flag_and_schema_are_called_as_set(dialect: str) -> None:
    names = AmritNames(trigger_table="ndhm_trigger_visit_data", trigger_flag="process_flag", schema="db_iemr")
    assert "db_iemr.ndhm_trigger_visit_data" in _claim(dialect, names)
    assert "process_flag" in preparation(names, dialect)
    assert "process_flag" in script(names, dialect)


def test_the_script_makes_the_view_and_the_routine_of_every_result_set() -> None:
    for dialect, routine in (("mysql", "CREATE PROCEDURE fhir_r_"), ("postgresql", "CREATE FUNCTION fhir_r_")):
        assert script(NAMES, dialect).count("CREATE VIEW fhir_r_") == 13
        assert script(NAMES, dialect).count(routine) == 13
    assert "processed_flag BIT(1)" in script(NAMES, "mysql")


def test_procedures_have_the_arguments_that_amrits_own_have() -> None:
    written = script(NAMES, "mysql")
    assert "fhir_r_patientdemographic(IN beneficiaryRegID_IN bigint, OUT HealthID_OUT VARCHAR(750), OUT " in written
    assert "fhir_r_practitioner(IN visitCode_IN bigint, OUT BenVisitID_OUT BIGINT, OUT " in written
    assert "fhir_r_medicationstatement(IN beneficiaryRegID_IN bigint, IN visitCode_IN bigint, OUT " in written
    assert "OUT DuartionUnit_OUT VARCHAR(750)" in written


def test_late_results_are_looked_for_in_amrits_own_table_when_routines_are_read() -> None:
    names = AmritNames(form=Form.ROUTINES, lab_table="T_Lab_TestResult")
    say = TriggerStatements(trigger_table(names, "mysql"), names, dialect="mysql")
    late = " ".join(str(say.late(since=AT, limit=5).compile(dialect=mysql.dialect())).split())
    assert "INNER JOIN `T_Lab_TestResult` ON ndhm_trg_visitdata.visitcode = `T_Lab_TestResult`.visitcode" in late
