"""AMRIT's own documents in memory and in MongoDB, and what an import makes of them."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient
from tests.builders.existing import MADE, a_bundle_document, a_patient_document, in_camel_case
from tests.builders.links import OTHER_HIP
from tests.builders.moments import NOW
from tests.builders.visits import CLINIC, a_visit

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.memory.existing import MemoryExistingDocuments
from hip.adapters.memory.units import MemoryDatabase
from hip.adapters.mongo.existing import MongoExistingDocuments
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.arrivals import bundle_work
from hip.application.bundling import BuildBundle
from hip.application.existing_documents import Fate, Kind
from hip.application.existing_imports import ImportExisting
from hip.application.intake import ReceiveVisit
from hip.application.storage import Listing
from hip.domain.bundles import BundleKey
from hip.domain.errors import InvalidValue, StorageFailed
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, PatientReference, VisitCode
from hip.domain.links import CareContext
from hip.entrypoints.facilities import ConfiguredFacilities

pytestmark = pytest.mark.anyio
COLLECTIONS = {Kind.PATIENTS: "PatientCareContexts", Kind.BUNDLES: "AMRIT_Resource"}
OTHER_NAME = {Kind.PATIENTS: "PatientCareContexts", Kind.BUNDLES: "Amrit_Resource"}
CODE = VisitCode("701")
OTHER = Facility(hip_id=OTHER_HIP, name="Other")
KEY = BundleKey(hip_id=CLINIC.hip_id, visit_code=CODE, hi_type=HiType.OP_CONSULTATION)


@pytest.fixture(scope="module")
def valid_bundle() -> str:
    """A bundle that the validator finds nothing wrong with, as some other service might have made it."""
    visit = a_visit()
    content = FhirComposer().compose(visit, HiType.OP_CONSULTATION, facility=CLINIC)
    assert NrcesValidator().validate(content).valid
    return content.decode()


@dataclass
class Left:
    """What AMRIT left, wherever it is kept."""

    documents: MemoryExistingDocuments | MongoExistingDocuments
    database: Any = None

    async def add(self, kind: Kind, *documents: dict[str, Any], name: dict[Kind, str] = COLLECTIONS) -> None:
        if isinstance(self.documents, MemoryExistingDocuments):
            self.documents.add(kind, *documents)
        else:
            await self.database[name[kind]].insert_many([dict(each) for each in documents])


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.servers)])
async def left(request: pytest.FixtureRequest) -> AsyncIterator[Left]:
    if request.param == "memory":
        yield Left(MemoryExistingDocuments())
        return
    url, name = request.getfixturevalue("mongo_url"), f"{request.getfixturevalue('mongo_database')}_{uuid4().hex[:8]}"
    documents = MongoExistingDocuments(url, name)
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        yield Left(documents, client[name])
        await client.drop_database(name)
    await documents.close()


@dataclass
class Clinic:
    elsewhere: str = ""
    bundles: MemoryDocuments = field(default_factory=MemoryDocuments)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    facilities: tuple[Facility, ...] = (CLINIC,)

    def __post_init__(self) -> None:
        facilities, units = ConfiguredFacilities(self.facilities), self.database.unit
        self.take = ImportExisting(units, self.bundles, NrcesValidator(), facilities, self.clock, self.elsewhere)
        self.receive = ReceiveVisit(units, JsonVisitRecords(), facilities, self.clock)
        self.build = BuildBundle(units, self.bundles, FhirComposer(), NrcesValidator(), facilities, self.clock)

    def clock(self) -> datetime:
        return NOW

    async def importing(self, left: Left, *, at_once: int = 2) -> tuple[Counter[Fate], list[str]]:
        fates: Counter[Fate] = Counter()
        reasons = []
        for kind in Kind:
            position: str | None = None
            while found := await left.documents.after(kind, position, limit=at_once):
                for imported in await self.take(found):
                    fates[imported.fate] += 1
                    reasons += [imported.reason] if imported.reason else []
                position = found[-1].position
        return fates, reasons


@pytest.mark.parametrize("camel", [False, True], ids=["as AMRIT spells", "camel case"])
@pytest.mark.parametrize("sub_document", [False, True], ids=["text", "sub-document"])
async def test_patients_links_and_bundles_are_taken_in_every_spelling(
    left: Left, valid_bundle: str, camel: bool, sub_document: bool
) -> None:
    spelt = in_camel_case if camel else dict
    content = json.loads(valid_bundle) if sub_document else valid_bundle
    await left.add(Kind.PATIENTS, spelt(a_patient_document()))
    await left.add(Kind.BUNDLES, spelt(a_bundle_document(content)))
    at = Clinic()
    assert await at.importing(left) == (Counter({Fate.TAKEN: 2}), [])
    async with at.database.unit() as uow:
        patient = await uow.patients.get(CLINIC.hip_id, PatientReference("30101"))
        linked = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference("701"))
        other = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference("801"))
        record = await uow.bundles.servable(KEY)
    assert patient is not None
    assert (patient.abha_address, patient.birth_year) == (AbhaAddress("asha1@sbx"), 1990)
    assert linked is not None
    assert (linked.linked_to, linked.hi_types) == (AbhaAddress("asha1@sbx"), (HiType.OP_CONSULTATION,))
    assert linked.linked_at == datetime(2025, 11, 3, 6, 30, tzinfo=UTC)  # 12:00 in India
    assert linked.display == "OPD visit 03 Nov 2025"  # DISC-01: not the category
    assert other is not None
    assert (other.linked_to, other.hi_types) == (None, ())
    assert record is not None
    stored = await at.bundles.get(KEY, record.version)
    assert stored is not None
    assert json.loads(stored) == json.loads(valid_bundle)
    assert sub_document or stored == valid_bundle.encode()


async def test_importing_again_changes_nothing(left: Left, valid_bundle: str) -> None:
    await left.add(Kind.PATIENTS, *(a_patient_document(n) for n in range(1, 6)))
    made = (a_bundle_document(valid_bundle, visit=700 + n, BeneficiaryID=30100 + n) for n in range(1, 6))
    await left.add(Kind.BUNDLES, *made)
    at = Clinic()
    assert (await at.importing(left))[0] == Counter({Fate.TAKEN: 10})
    assert (await at.importing(left, at_once=100))[0] == Counter({Fate.KEPT: 10})


async def test_a_position_continues_behind_what_was_read(left: Left) -> None:
    ids: tuple[Any, ...] = (7, "b", "a", 9.5)  # several types of _id in one collection
    await left.add(Kind.PATIENTS, *({**a_patient_document(n), "_id": ids[n]} for n in range(4)))
    seen: list[str] = []
    position: str | None = None
    while found := await left.documents.after(Kind.PATIENTS, position, limit=1):
        (one,) = found
        seen.append(one.place)
        position = one.position
    assert len(seen) == len(set(seen)) == 4
    assert await left.documents.count(Kind.PATIENTS) == 4
    assert await left.documents.after(Kind.BUNDLES, None, limit=5) == []


async def test_of_the_same_document_made_again_and_again_the_newest_is_served(left: Left, valid_bundle: str) -> None:
    newest = json.dumps(json.loads(valid_bundle), indent=1)
    await left.add(Kind.PATIENTS, a_patient_document())
    made = [(valid_bundle, 0), (valid_bundle, 5), (newest, 15), (valid_bundle, 10)]
    await left.add(Kind.BUNDLES, *(a_bundle_document(content, minutes=minutes) for content, minutes in made))
    at = Clinic()
    for _ in range(2):
        await at.importing(left, at_once=2)
        assert await at.bundles.get(KEY, 0) == newest.encode()
        async with at.database.unit() as uow:
            record = await uow.bundles.servable(KEY)
        assert record is not None
        assert record.composed_at == MADE + timedelta(minutes=15)


async def test_what_we_received_ourselves_is_never_replaced(left: Left, valid_bundle: str) -> None:
    at = Clinic()
    visit = replace(a_visit(), visit_code=CODE)
    visit = replace(visit, patient=replace(visit.patient, reference=PatientReference("30101")))
    await at.receive(JsonVisitRecords().write(visit), actor="test")
    for hi_type in visit.required_hi_types:
        await at.build(CLINIC.hip_id, bundle_work(CODE, hi_type))
    async with at.database.unit() as uow:
        before = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference(CODE)), await uow.bundles.servable(KEY)
    await left.add(Kind.PATIENTS, a_patient_document())
    await left.add(Kind.BUNDLES, a_bundle_document(valid_bundle, minutes=10_000_000))
    await at.importing(left)
    async with at.database.unit() as uow:
        after = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference(CODE)), await uow.bundles.servable(KEY)
        patient = await uow.patients.get(CLINIC.hip_id, PatientReference("30101"))
    assert after == before
    assert patient == visit.patient
    assert await at.bundles.get(KEY, 0) is None


async def test_a_visit_that_is_received_later_takes_the_place_of_the_imported_one(
    left: Left, valid_bundle: str
) -> None:
    await left.add(Kind.PATIENTS, a_patient_document())
    await left.add(Kind.BUNDLES, a_bundle_document(valid_bundle))
    at = Clinic()
    await at.importing(left)
    visit = replace(a_visit(), visit_code=CODE)
    await at.receive(JsonVisitRecords().write(visit), actor="test")
    for hi_type in visit.required_hi_types:
        await at.build(CLINIC.hip_id, bundle_work(CODE, hi_type))
    async with at.database.unit() as uow:
        record = await uow.bundles.servable(KEY)
        context = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference(CODE))
    assert record is not None
    assert record.version == 1
    assert context is not None
    assert context.linked_to == AbhaAddress("asha1@sbx")  # LINK-04: a link is for ever


async def test_an_invalid_bundle_is_stored_and_never_offered(left: Left) -> None:
    await left.add(Kind.PATIENTS, a_patient_document())
    await left.add(Kind.BUNDLES, a_bundle_document('{"resourceType":"Bundle"}'))
    at = Clinic()
    assert (await at.importing(left))[0] == Counter({Fate.TAKEN: 1, Fate.INVALID: 1})
    async with at.database.unit() as uow:
        context = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference(CODE))
        assert await uow.bundles.servable(KEY) is None
    assert context is not None
    assert context.hi_types == ()
    assert await at.bundles.issues(KEY, 0)


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        (Kind.PATIENTS, {"yearOfBirth": "unknown"}, "yearOfBirth: expected a year"),
        (Kind.PATIENTS, {"name": " "}, "patient.name: expected a name"),
        (Kind.PATIENTS, {"identifier": None}, "identifier: expected 1-255 of letters"),
        (Kind.PATIENTS, {"HealthId": "nobody"}, "HealthId: expected an ABHA address"),
        (Kind.PATIENTS, {"careContextsList": "none"}, "careContextsList: expected a list"),
        (
            Kind.PATIENTS,
            {"careContextsList": [{"ReferenceNumber": 1, "careContextLinkedDate": "yesterday"}]},
            "careContextsList[0].careContextLinkedDate: expected a date and time",
        ),
        (
            Kind.PATIENTS,
            {"careContextsList": [{"ReferenceNumber": "1", "abdmFacilityId": "IN9999999999"}]},
            "careContextsList[0].abdmFacilityId: expected a facility of this service",
        ),
        (Kind.BUNDLES, {"ResourceType": "Horoscope"}, "ResourceType: expected one of"),
        (Kind.BUNDLES, {"ResourceJson": 7}, "ResourceJson: expected a bundle"),
        (Kind.BUNDLES, {"ResourceJson": {"at": MADE}}, "ResourceJson: expected values that JSON has"),
        (Kind.BUNDLES, {"VisitCode": True}, "VisitCode: expected text or a whole number"),
        (Kind.BUNDLES, {"BeneficiaryID": "30102"}, "BeneficiaryID: expected the patient whose list has the visit"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_its_field_and_the_others_go_in(
    left: Left, valid_bundle: str, kind: Kind, changes: dict[str, Any], reason: str
) -> None:
    wrong = a_patient_document(2) if kind is Kind.PATIENTS else a_bundle_document(valid_bundle)
    await left.add(Kind.PATIENTS, a_patient_document())
    await left.add(kind, {**wrong, **changes})
    fates, reasons = await Clinic().importing(left)
    assert fates == Counter({Fate.TAKEN: 1, Fate.REFUSED: 1})
    assert [each for each in reasons if each.startswith(reason)] == reasons


async def test_documents_without_a_facility_belong_to_the_one_that_is_set(left: Left, valid_bundle: str) -> None:
    await left.add(Kind.PATIENTS, a_patient_document(careContextsList=[{"ReferenceNumber": "701"}]))
    await left.add(Kind.BUNDLES, a_bundle_document(valid_bundle))
    assert (await Clinic().importing(left))[0] == Counter({Fate.REFUSED: 1, Fate.UNLISTED: 1})
    assert (await Clinic(elsewhere=CLINIC.hip_id).importing(left))[0] == Counter({Fate.TAKEN: 2})


NUMBER = "91-1234-5678-9012"
OTHER_NUMBER = "91-0000-0000-0001"


def of_asha(content: str, **changes: str) -> str:
    """The bundle with a Patient who fits the patient of the list; then with ``changes`` of that Patient."""
    bundle = json.loads(content)
    [patient] = [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == "Patient"]
    patient.update({"birthDate": "1990-05-01", "gender": "female", **changes})
    return json.dumps(bundle)


@pytest.mark.parametrize(
    "person",
    [
        {"BeneficiaryID": 30101},
        {"BeneficiaryID": 30101, "NationalHealthID": NUMBER},
        {"BeneficiaryID": None, "NationalHealthID": NUMBER},
    ],
    ids=["by BeneficiaryID", "by both", "by NationalHealthID"],
)
async def test_a_visit_in_nobodys_list_becomes_a_care_context_of_the_one_patient_it_fits(
    left: Left, valid_bundle: str, person: dict[str, Any]
) -> None:
    at = Clinic(elsewhere=CLINIC.hip_id)
    await left.add(Kind.PATIENTS, a_patient_document(), a_patient_document(2, HealthNumber=OTHER_NUMBER))
    await left.add(Kind.BUNDLES, a_bundle_document(of_asha(valid_bundle), visit="999", **person))
    for fates in (Counter({Fate.TAKEN: 3}), Counter({Fate.KEPT: 3})):
        assert await at.importing(left) == (fates, [])
        async with at.database.unit() as uow:
            context = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference("999"))
        assert context is not None
        assert (context.patient_reference, context.linked_to) == ("30101", None)
        assert context.hi_types == (HiType.OP_CONSULTATION,), "and it can be found by the patient"
        assert context.display == "OPD visit 03 Nov 2025"


@pytest.mark.parametrize(
    ("person", "patient"),
    [
        ({"BeneficiaryID": None}, {}),
        ({"BeneficiaryID": 40404}, {}),
        ({"BeneficiaryID": 40404, "NationalHealthID": NUMBER}, {}),
        ({"BeneficiaryID": 30101, "NationalHealthID": OTHER_NUMBER}, {}),
        ({"BeneficiaryID": 30102, "NationalHealthID": NUMBER}, {}),
        ({"BeneficiaryID": 30101}, {"birthDate": "1991-05-01"}),
        ({"BeneficiaryID": 30101}, {"gender": "male"}),
        ({"BeneficiaryID": 30101}, {"gender": "neither"}),
        ({"BeneficiaryID": 30101}, {"birthDate": ""}),
    ],
    ids=[
        "nobody is named",
        "an unknown beneficiary",
        "an unknown beneficiary with a number that is another's",
        "the number of another patient",
        "two patients",
        "born in another year",
        "another gender",
        "no gender that is one",
        "born at no time",
    ],
)
async def test_a_visit_in_nobodys_list_is_named_and_left_alone_when_its_person_is_in_doubt(
    left: Left, valid_bundle: str, person: dict[str, Any], patient: dict[str, str]
) -> None:
    at = Clinic(elsewhere=CLINIC.hip_id)
    await left.add(Kind.PATIENTS, a_patient_document(), a_patient_document(2, HealthNumber=OTHER_NUMBER))
    await left.add(Kind.BUNDLES, a_bundle_document(of_asha(valid_bundle, **patient), visit="999", **person))
    fates, [reason] = await at.importing(left)
    assert fates == Counter({Fate.TAKEN: 2, Fate.UNLISTED: 1})
    assert reason.startswith("VisitCode: expected a visit in the list of a patient")
    async with at.database.unit() as uow:
        assert await uow.care_contexts.get(CLINIC.hip_id, CareContextReference("999")) is None
        assert await uow.bundles.list(Listing()) == []
    assert await at.bundles.get(replace(KEY, visit_code=VisitCode("999")), 0) is None


async def test_a_person_known_at_two_facilities_is_in_doubt_for_a_visit_in_nobodys_list(
    left: Left, valid_bundle: str
) -> None:
    at = Clinic(elsewhere=CLINIC.hip_id, facilities=(CLINIC, OTHER))
    await left.add(Kind.PATIENTS, a_patient_document())
    there = replace(a_visit().patient, reference=PatientReference("30101"))
    async with at.database.unit() as uow:
        await uow.patients.save(there, hip_id=OTHER.hip_id)
        await uow.commit()
    await left.add(Kind.BUNDLES, a_bundle_document(of_asha(valid_bundle), visit="999"))
    assert (await at.importing(left))[0] == Counter({Fate.TAKEN: 1, Fate.UNLISTED: 1})


@pytest.mark.parametrize(
    "another",
    [{"BeneficiaryID": 30102}, {"BeneficiaryID": None, "NationalHealthID": OTHER_NUMBER}],
    ids=["by BeneficiaryID", "by NationalHealthID"],
)
@pytest.mark.parametrize("visit", ["999", "701"], ids=["in nobody's list", "in a list"])
async def test_one_visit_is_never_given_to_two_patients(valid_bundle: str, another: dict[str, Any], visit: str) -> None:
    for at_once in (1, 9):
        at = Clinic(elsewhere=CLINIC.hip_id)
        documents = MemoryExistingDocuments()
        documents.add(Kind.PATIENTS, a_patient_document(), a_patient_document(2, HealthNumber=OTHER_NUMBER))
        content = of_asha(valid_bundle)
        documents.add(
            Kind.BUNDLES,
            a_bundle_document(content, visit=visit),
            a_bundle_document(content, visit=visit, ResourceType="Prescription", **another),
        )
        fates, reasons = await at.importing(Left(documents), at_once=at_once)
        assert fates == Counter({Fate.TAKEN: 3, Fate.REFUSED: 1})
        assert reasons == ["BeneficiaryID: expected the patient whose list has the visit"]


async def test_a_visit_that_a_list_brings_later_is_offered_with_the_bundles_that_are_stored(
    left: Left, valid_bundle: str
) -> None:
    at = Clinic(elsewhere=CLINIC.hip_id)
    await left.add(Kind.BUNDLES, a_bundle_document(valid_bundle))
    assert (await at.importing(left))[0] == Counter({Fate.UNLISTED: 1})
    await left.add(Kind.PATIENTS, a_patient_document())
    assert (await at.importing(left))[0] == Counter({Fate.TAKEN: 2})
    bare = replace(await context_of(at, CODE), hi_types=())
    async with at.database.unit() as uow:
        await uow.care_contexts.save(bare)  # as an import before this one may have left it
        await uow.commit()
    assert (await at.importing(left))[0] == Counter({Fate.KEPT: 2})
    assert (await context_of(at, CODE)).hi_types == (HiType.OP_CONSULTATION,)


async def context_of(at: Clinic, code: VisitCode) -> CareContext:
    async with at.database.unit() as uow:
        context = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference(code))
    assert context is not None
    return context


async def test_links_of_a_closed_account_are_not_learnt_again(left: Left) -> None:
    """RET-02."""
    at = Clinic()
    patient = replace(a_visit().patient, reference=PatientReference("30101")).closing("key")
    async with at.database.unit() as uow:
        await uow.patients.save(patient, hip_id=CLINIC.hip_id)
        await uow.commit()
    await left.add(Kind.PATIENTS, a_patient_document())
    await at.importing(left)
    async with at.database.unit() as uow:
        assert await uow.patients.get(CLINIC.hip_id, patient.reference) == patient
        context = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference(CODE))
    assert context is not None
    assert not context.linked


async def test_our_own_documents_in_the_same_collections_are_left_out(left: Left, valid_bundle: str) -> None:
    await left.add(Kind.PATIENTS, a_patient_document(hipId="IN0410000123"))
    await left.add(Kind.BUNDLES, a_bundle_document(valid_bundle, hipId="IN0410000123"), name=OTHER_NAME)
    assert (await Clinic().importing(left))[0] == Counter()


async def test_both_names_of_the_collection_are_read(left: Left, valid_bundle: str) -> None:
    await left.add(Kind.PATIENTS, a_patient_document())
    await left.add(Kind.BUNDLES, a_bundle_document(valid_bundle), name=COLLECTIONS)
    other = a_bundle_document(valid_bundle, ResourceType="Prescription")
    await left.add(Kind.BUNDLES, other, name=OTHER_NAME)
    fates, _ = await Clinic().importing(left, at_once=1)
    assert fates.total() == 3


async def test_documents_that_are_away_are_worth_another_try(left: Left) -> None:
    away: MemoryExistingDocuments | MongoExistingDocuments = MemoryExistingDocuments()
    if isinstance(left.documents, MemoryExistingDocuments):
        left.documents.down = True
        away = left.documents
    else:
        away = MongoExistingDocuments("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200", "gone")
    with pytest.raises(StorageFailed):
        await away.after(Kind.PATIENTS, None, limit=1)
    if isinstance(away, MongoExistingDocuments):
        with pytest.raises(InvalidValue, match="position: expected one that this command wrote"):
            await away.after(Kind.PATIENTS, "not a position", limit=1)
        await away.close()
