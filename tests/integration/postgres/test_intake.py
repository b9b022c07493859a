"""What a batch of visit records costs Postgres, and what becomes of one that Postgres refuses."""

from collections.abc import AsyncIterator

import pytest
from tests.builders.databases import connected
from tests.builders.moments import NOW
from tests.builders.plans import statements_of
from tests.builders.visits import CLINIC, MEERA, a_visit

from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.arrivals import store_arrivals
from hip.application.intake import ReceivedVisit, ReceiveVisits
from hip.application.storage import UnitOfWork
from hip.domain.errors import Unstorable
from hip.domain.identifiers import PatientReference, VisitCode
from hip.domain.patients import Patient
from hip.domain.visits import VisitRecord
from hip.entrypoints.facilities import ConfiguredFacilities

pytestmark = pytest.mark.anyio


def records(count: int, **changes: object) -> list[VisitRecord]:
    return [a_visit(visit_code=VisitCode(str(number)), **changes) for number in range(count)]


@pytest.fixture
def receive(database: PostgresDatabase) -> ReceiveVisits:
    return ReceiveVisits(database.unit, JsonVisitRecords(), ConfiguredFacilities((CLINIC,)), lambda: NOW)


async def statements(database: PostgresDatabase, receive: ReceiveVisits, given: list[VisitRecord]) -> int:
    """How many one unit runs that stores these; nothing is committed."""

    async def ask(uow: UnitOfWork) -> None:
        await store_arrivals(uow, [receive.arrival(record) for record in given], actor="test", now=NOW)
        await uow.audit.head(CLINIC.hip_id)  # what is appended is written before it is read

    return len(await statements_of(database, ask))


async def test_the_number_of_records_does_not_change_the_number_of_statements(
    database: PostgresDatabase, receive: ReceiveVisits
) -> None:
    few = await statements(database, receive, records(20))
    assert few <= 13
    assert await statements(database, receive, records(200)) == few
    await receive(records(200), actor="test")
    assert await statements(database, receive, records(200)) == 2, "what is stored already is only looked up"
    later = await statements(database, receive, records(20, category="Dental"))
    assert later <= 13
    assert await statements(database, receive, records(200, category="Dental")) == later


@pytest.fixture
async def refusing(url: str) -> AsyncIterator[VisitCode]:
    """A visit code that the table refuses, as it does a value of ours that it cannot hold."""
    connection = await connected(url)
    await connection.execute("ALTER TABLE visits ADD CONSTRAINT ck_poison CHECK (visit_code <> '33')")
    yield VisitCode("33")
    await connection.execute("ALTER TABLE visits DROP CONSTRAINT ck_poison")
    await connection.close()


async def test_a_record_that_postgres_refuses_keeps_no_other_from_being_stored(
    database: PostgresDatabase, receive: ReceiveVisits, refusing: VisitCode
) -> None:
    answers = await receive(records(60), actor="test")
    assert [place for place, answer in enumerate(answers) if not isinstance(answer, ReceivedVisit)] == [33]
    assert isinstance(answers[33], Unstorable)
    assert str(answers[33]) == "the record cannot be stored: the database refused a statement (SQLSTATE 23514)"
    async with database.unit() as uow:
        assert len(await uow.visits.known(CLINIC.hip_id, [VisitCode(str(number)) for number in range(60)])) == 59
        assert refusing not in await uow.visits.known(CLINIC.hip_id, [refusing])


async def test_patients_of_a_batch_are_written_once_each(database: PostgresDatabase, receive: ReceiveVisits) -> None:
    def of(number: int) -> Patient:
        return Patient(
            reference=PatientReference(f"PAT-{number % 3}"), name=f"Form {number}", gender=MEERA.gender, birth_year=1984
        )

    given = [a_visit(visit_code=VisitCode(str(number)), patient=of(number)) for number in range(30)]
    await receive(given, actor="test")
    async with database.unit() as uow:
        references = [PatientReference(f"PAT-{number}") for number in range(3)]
        assert [patient.name for patient in await uow.patients.lock_several(CLINIC.hip_id, references)] == [
            "Form 27",
            "Form 28",
            "Form 29",
        ]
