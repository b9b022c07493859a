"""``Projections`` in memory and in MongoDB: AMRIT's documents, by our keys, and repeats change nothing."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from tests.contract.conftest import Documents

from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.mongo.database import MongoDocuments
from hip.domain.errors import InvalidValue, StorageFailed
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    AbhaNumber,
    CareContextReference,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    VisitCode,
)
from hip.domain.links import CareContext
from hip.domain.patients import Gender, Patient

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 3, 12, 5, 0, tzinfo=UTC)
MEERA = AbhaAddress("meera.k01@sbx")
PATIENT = Patient(
    reference=PatientReference("PAT-20417"),
    name="Meera Kulkarni",
    gender=Gender.FEMALE,
    birth_year=1984,
    birth_date=date(1984, 4, 9),
    phone="9876543210",
    abha_address=MEERA,
    abha_number=AbhaNumber("91123456789012"),
)


@pytest.fixture
def projections(documents: Documents) -> Documents:
    return documents


@pytest.fixture
def hip_id() -> HipId:
    """A HIP that no other test uses."""
    return HipId(f"IN{uuid4()}")


def linked(hip_id: HipId, visit: str, *, at: datetime = NOW) -> CareContext:
    context = CareContext(
        hip_id=hip_id,
        reference=CareContextReference(visit),
        patient_reference=PATIENT.reference,
        visit_code=VisitCode(visit),
        display=f"General OPD {visit}",
        clinical_date=NOW,
        hi_types=(HiType.OP_CONSULTATION,),
    )
    return context.link(MEERA, reference=LinkReference("L-1"), now=at)


async def test_a_patient_document_has_amrits_names_and_types(projections: Documents, hip_id: HipId) -> None:
    ist = timezone(timedelta(hours=5, minutes=30))
    await projections.put_patient_contexts(hip_id, PATIENT, [linked(hip_id, "88120", at=NOW.astimezone(ist))])
    assert await projections.patient_contexts(hip_id, "PAT-20417") == {
        "hipId": hip_id,
        "identifier": "PAT-20417",
        "caseReferenceNumber": "PAT-20417",
        "phoneNumber": "9876543210",
        "email": None,
        "name": "Meera Kulkarni",
        "Gender": "F",
        "yearOfBirth": "1984",
        "HealthNumber": "91123456789012",
        "HealthId": "meera.k01@sbx",
        "careContextsList": (
            {
                "ReferenceNumber": "88120",
                "Display": "General OPD 88120",
                "careContextLinkedDate": "2026-03-12T05:00:00.000+00:00",
                "abdmFacilityId": hip_id,
            },
        ),
        "revision": 1,
    }


async def test_a_patient_without_abha_and_links_has_an_empty_list(projections: Documents, hip_id: HipId) -> None:
    unlinked = replace(linked(hip_id, "1"), linked_to=None, linked_at=None)
    patient = replace(PATIENT, abha_address=None, abha_number=None, phone=None)
    await projections.put_patient_contexts(hip_id, patient, [unlinked])
    stored = await projections.patient_contexts(hip_id, "PAT-20417")
    assert stored is not None
    assert stored["careContextsList"] == ()
    assert stored["HealthId"] is stored["HealthNumber"] is stored["phoneNumber"] is None


async def test_repeats_change_nothing(projections: Documents, hip_id: HipId) -> None:
    contexts = [linked(hip_id, "1"), linked(hip_id, "2", at=NOW + timedelta(days=1))]
    await projections.put_patient_contexts(hip_id, PATIENT, contexts)
    once = await projections.patient_contexts(hip_id, PATIENT.reference)
    await projections.put_patient_contexts(hip_id, PATIENT, contexts[::-1])
    assert await projections.patient_contexts(hip_id, PATIENT.reference) == once


async def test_changes_of_the_patient_and_later_links_are_taken_over(projections: Documents, hip_id: HipId) -> None:
    await projections.put_patient_contexts(hip_id, PATIENT, [linked(hip_id, "1")])
    renamed = replace(PATIENT, name="Meera Rao")
    later = linked(hip_id, "0", at=NOW + timedelta(days=1))
    await projections.put_patient_contexts(hip_id, renamed, [linked(hip_id, "1"), later])
    stored = await projections.patient_contexts(hip_id, PATIENT.reference)
    assert stored is not None
    assert stored["name"] == "Meera Rao"
    assert references(stored) == ["1", "0"]


async def test_a_writer_who_read_earlier_takes_no_link_away(projections: Documents, hip_id: HipId) -> None:
    await projections.put_patient_contexts(hip_id, PATIENT, [linked(hip_id, "1"), linked(hip_id, "2")])
    await projections.put_patient_contexts(hip_id, PATIENT, [linked(hip_id, "1")])
    stored = await projections.patient_contexts(hip_id, PATIENT.reference)
    assert stored is not None
    assert references(stored) == ["1", "2"]


async def test_writers_at_the_same_moment_lose_no_link(projections: Documents, hip_id: HipId) -> None:
    visits = [str(number) for number in range(12)]
    await asyncio.gather(
        *(projections.put_patient_contexts(hip_id, PATIENT, [linked(hip_id, visit)]) for visit in visits)
    )
    stored = await projections.patient_contexts(hip_id, PATIENT.reference)
    assert stored is not None
    assert sorted(references(stored)) == sorted(visits)


async def test_the_same_reference_at_another_hip_is_another_patient(projections: Documents, hip_id: HipId) -> None:
    await projections.put_patient_contexts(hip_id, PATIENT, [])
    assert await projections.patient_contexts(HipId("IN0000000000"), PATIENT.reference) is None
    assert await projections.patient_contexts(hip_id, "PAT-1") is None


async def test_gateway_responses_and_link_tokens_are_taken_again_and_again(
    projections: Documents, hip_id: HipId
) -> None:
    for sealed in (b"\x01sealed", b"\x01sealed", None):
        await projections.put_gateway_response(
            hip_id, RequestId("r-1"), path="/api/v3/hip/token/on-generate-token", sealed_body=sealed, now=NOW
        )
    for token, code in ((b"\x01token", None), (None, "ABDM-1026"), (None, None)):
        await projections.put_link_token(
            hip_id, RequestId("r-1"), abha_address=MEERA, sealed_token=token, error_code=code, now=NOW
        )


async def test_a_store_that_is_away_is_transient(hip_id: HipId) -> None:
    memory = MemoryDocuments()
    memory.down = True
    mongo = MongoDocuments("mongodb://127.0.0.1:9/", "away", found_within=timedelta(milliseconds=50))
    try:
        for documents in (memory, mongo):
            with pytest.raises(StorageFailed) as failure:
                await documents.put_patient_contexts(hip_id, PATIENT, [])
            assert "Meera" not in str(failure.value)
            with pytest.raises(StorageFailed):
                await documents.put_gateway_response(hip_id, RequestId("r"), path="/p", sealed_body=None, now=NOW)
            with pytest.raises(StorageFailed):
                await documents.put_link_token(
                    hip_id, RequestId("r"), abha_address=MEERA, sealed_token=None, error_code=None, now=NOW
                )
            with pytest.raises(StorageFailed):
                await documents.patient_contexts(hip_id, "PAT-1")
    finally:
        await mongo.close()


async def test_a_name_that_cannot_be_stored_is_refused_without_showing_it(mongo_url: str, hip_id: HipId) -> None:
    documents = MongoDocuments(mongo_url, "unused")
    try:
        with pytest.raises(InvalidValue) as refusal:
            await documents.put_patient_contexts(hip_id, replace(PATIENT, name="Asha \ud800"), [])
        assert "Asha" not in str(refusal.value)
    finally:
        await documents.close()


def references(stored: object) -> list[str]:
    assert isinstance(stored, dict)
    return [context["ReferenceNumber"] for context in stored["careContextsList"]]
