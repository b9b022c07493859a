"""AMRIT's own form of our documents, in memory and in MongoDB; and that it is written only where it is wanted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient
from tests.builders.existing import a_patient_document
from tests.builders.moments import NOW
from tests.builders.visits import CLINIC, a_visit

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.memory.mirror import MemoryAmritMirror
from hip.adapters.memory.units import MemoryDatabase
from hip.adapters.mongo.mirror import MongoAmritMirror
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.arrivals import bundle_work
from hip.application.bundling import BuildBundle
from hip.application.intake import ReceiveVisit
from hip.application.mirrors import MirrorVisit
from hip.application.projections import Project
from hip.application.storage import Topic
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, CareContextReference, LinkReference, PatientReference
from hip.domain.visits import VisitRecord
from hip.entrypoints.facilities import ConfiguredFacilities

pytestmark = pytest.mark.anyio
VISIT = replace(a_visit(), patient=replace(a_visit().patient, reference=PatientReference("30101")))


@dataclass
class Mirrored:
    mirror: MemoryAmritMirror | MongoAmritMirror
    database: Any = None

    async def bundles(self) -> Sequence[dict[str, Any]]:
        if isinstance(self.mirror, MemoryAmritMirror):
            return list(self.mirror.bundles.values())
        return [without_id(each) async for each in self.database["AMRIT_Resource"].find()]

    async def patients(self) -> Sequence[dict[str, Any]]:
        if isinstance(self.mirror, MemoryAmritMirror):
            return list(self.mirror.patients.values())
        return [without_id(each) async for each in self.database["PatientCareContexts"].find()]


def without_id(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "_id"}


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.servers)])
async def mirrored(request: pytest.FixtureRequest) -> AsyncIterator[Mirrored]:
    if request.param == "memory":
        yield Mirrored(MemoryAmritMirror())
        return
    url, name = request.getfixturevalue("mongo_url"), f"{request.getfixturevalue('mongo_database')}_{uuid4().hex[:8]}"
    mirror = MongoAmritMirror(url, name)
    async with AsyncMongoClient[dict[str, Any]](url, tz_aware=True) as client:
        yield Mirrored(mirror, client[name])
        await client.drop_database(name)
    await mirror.close()


class Clinic:
    def __init__(self, mirrored: Mirrored, *, wanted: bool) -> None:
        self.units, bundles = MemoryDatabase().unit, MemoryDocuments()
        facilities = ConfiguredFacilities((CLINIC,))
        self.receive = ReceiveVisit(self.units, JsonVisitRecords(), facilities, lambda: NOW)
        self.build = BuildBundle(
            self.units, bundles, FhirComposer(), NrcesValidator(), facilities, lambda: NOW, mirrored=wanted
        )
        visits = MirrorVisit(self.units, bundles, mirrored.mirror)
        self.project = Project(self.units, bundles, MemoryKeyVault(), lambda: NOW, visits if wanted else None)

    async def store(self, visit: VisitRecord) -> None:
        await self.receive(JsonVisitRecords().write(visit), actor="test")
        for hi_type in visit.required_hi_types:
            await self.build(CLINIC.hip_id, bundle_work(visit.visit_code, hi_type))

    async def projections(self) -> list[str]:
        async with self.units() as uow:
            rows = await uow.outbox.lease(now=NOW, until=NOW, limit=100, topics=[Topic.PROJECTION])
        return [row.key for row in rows]

    async def link(self, visit: VisitRecord) -> None:
        async with self.units() as uow:
            context = await uow.care_contexts.get(CLINIC.hip_id, CareContextReference(visit.visit_code))
            assert context is not None
            address = AbhaAddress("meera.k01@sbx")
            await uow.care_contexts.save(context.link(address, reference=LinkReference("L-1"), now=NOW))
            await uow.commit()


async def test_nothing_is_written_twice_unless_it_is_wanted(mirrored: Mirrored) -> None:
    at = Clinic(mirrored, wanted=False)
    await at.store(VISIT)
    assert await at.projections() == []
    await at.project(CLINIC.hip_id, f"visit|{VISIT.visit_code}")
    await at.project(CLINIC.hip_id, "contexts|30101")
    assert (await mirrored.bundles(), await mirrored.patients()) == ([], [])


async def test_a_whole_visit_is_written_in_amrits_form_and_repeats_change_nothing(mirrored: Mirrored) -> None:
    at = Clinic(mirrored, wanted=True)
    await at.store(VISIT)
    keys = await at.projections()
    assert keys == [f"visit|{VISIT.visit_code}"]
    for _ in range(2):
        await at.project(CLINIC.hip_id, keys[0])
        bundles = await mirrored.bundles()
        assert {each["ResourceType"] for each in bundles} == {each.value for each in VISIT.required_hi_types}
        assert len(bundles) == len(VISIT.required_hi_types)
        assert {(each["VisitCode"], each["BeneficiaryID"]) for each in bundles} == {(88120, 30101)}
        assert all(each["ResourceJson"].startswith('{"resourceType":"Bundle"') for each in bundles)
        assert {each["CreateDate"] for each in bundles} == {NOW.replace(microsecond=123_000)}
        (patient,) = await mirrored.patients()
        assert (patient["identifier"], patient["HealthId"], patient["Gender"]) == ("30101", "meera.k01@sbx", "F")
        (context,) = patient["careContextsList"]
        assert (context["ReferenceNumber"], context["careContextLinkedDate"]) == ("88120", None)
        assert context["abdmFacilityId"] == CLINIC.hip_id


async def test_a_link_adds_its_date(mirrored: Mirrored) -> None:
    at = Clinic(mirrored, wanted=True)
    await at.store(VISIT)
    await at.project(CLINIC.hip_id, f"visit|{VISIT.visit_code}")
    await at.link(VISIT)
    await at.project(CLINIC.hip_id, "contexts|30101")
    ((context,),) = [each["careContextsList"] for each in await mirrored.patients()]
    assert context["careContextLinkedDate"] == NOW.isoformat(timespec="milliseconds")


async def test_amrits_own_document_of_a_patient_is_continued(mirrored: Mirrored) -> None:
    if mirrored.database is None:
        pytest.skip("nobody else writes into memory")
    await mirrored.database["PatientCareContexts"].insert_one(a_patient_document())
    at = Clinic(mirrored, wanted=True)
    await at.store(VISIT)
    await at.project(CLINIC.hip_id, f"visit|{VISIT.visit_code}")
    (patient,) = await mirrored.patients()
    assert [each["ReferenceNumber"] for each in patient["careContextsList"]] == ["701", "801", "88120"]


async def test_writers_at_the_same_moment_make_one_document(mirrored: Mirrored) -> None:
    at = Clinic(mirrored, wanted=True)
    await at.store(VISIT)
    await asyncio.gather(*(at.project(CLINIC.hip_id, f"visit|{VISIT.visit_code}") for _ in range(4)))
    ((_,),) = [each["careContextsList"] for each in await mirrored.patients()]
    assert len(await mirrored.bundles()) == len(VISIT.required_hi_types)


async def test_a_mirror_that_is_away_is_worth_another_try(mirrored: Mirrored) -> None:
    away: MemoryAmritMirror | MongoAmritMirror = MemoryAmritMirror()
    if isinstance(away, MemoryAmritMirror) and mirrored.database is None:
        away.down = True
    else:
        away = MongoAmritMirror("mongodb://127.0.0.1:9", "gone")
    with pytest.raises(StorageFailed):
        await away.put_patient(VISIT.patient, [])
    await away.close()
