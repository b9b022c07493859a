"""Patients, visits, triggers and bundle records."""

from dataclasses import replace

import pytest
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import DAY, MINUTE, NOW, SECOND
from tests.builders.stored_visits import a_bundle_key, a_bundle_record, a_stored_visit, a_trigger
from tests.builders.visits import MEERA

from hip.application.bundle_storage import KnownVisit, ReceivedSpan
from hip.application.storage import Units
from hip.domain.discovery import Demographics, PatientIdentifiers
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, AbhaNumber, PatientReference, VisitCode
from hip.domain.patients import Address, Gender, Patient

pytestmark = pytest.mark.anyio
VISIT = VisitCode("88120")
STRANGER = Patient(
    reference=PatientReference("PAT-1"), name="Ravi Rao", gender=MEERA.gender, birth_year=1950, phone="9000000001"
)


def patient(number: int, **changes: object) -> Patient:
    bare = {"abha_address": None, "abha_number": None, "phone": None, "birth_date": None}
    return replace(MEERA, reference=PatientReference(f"PAT-{number}"), **(bare | changes))  # type: ignore[arg-type]


async def test_a_patient_comes_back_with_everything_or_nothing(units: Units) -> None:
    full = replace(
        MEERA,
        email="m@example.org",
        address=Address(line="12, Main Road", district="Satara", state="Maharashtra", pincode="415001"),
    )
    async with units() as uow:
        await uow.patients.save(full, hip_id=HIP)
        await uow.patients.save(STRANGER, hip_id=HIP)
        await uow.commit()
    async with units() as uow:
        assert await uow.patients.get(HIP, full.reference) == full
        assert await uow.patients.get(HIP, STRANGER.reference) == STRANGER
        assert await uow.patients.get(HIP, PatientReference("PAT-2")) is None


async def test_a_patient_is_replaced_by_reference(units: Units) -> None:
    async with units() as uow:
        await uow.patients.save(MEERA, hip_id=HIP)
        await uow.patients.save(replace(MEERA, phone=None, address=Address()), hip_id=HIP)
        assert await uow.patients.get(HIP, MEERA.reference) == replace(MEERA, phone=None, address=Address())
        by_old_phone = PatientIdentifiers(mobiles=frozenset({"9876543210"}))
        assert await uow.patients.candidates(HIP, by_old_phone, limit=5) == []


@pytest.mark.parametrize(
    "identifiers",
    [
        PatientIdentifiers(abha_addresses=frozenset({AbhaAddress("meera.k01@sbx"), AbhaAddress("other@sbx")})),
        PatientIdentifiers(abha_numbers=frozenset({AbhaNumber("91123456789012")})),
        PatientIdentifiers(mobiles=frozenset({"9876543210"})),
    ],
    ids=["address", "number", "mobile"],
)
async def test_disc_01_any_verified_identifier_finds_the_patient(units: Units, identifiers: PatientIdentifiers) -> None:
    async with units() as uow:
        await uow.patients.save(MEERA, hip_id=HIP)
        await uow.patients.save(STRANGER, hip_id=HIP)
        assert await uow.patients.candidates(HIP, identifiers, limit=5) == [MEERA]


async def test_disc_01_an_mr_alone_finds_nobody_and_nothing_finds_nobody(units: Units) -> None:
    async with units() as uow:
        await uow.patients.save(MEERA, hip_id=HIP)
        by_reference = PatientIdentifiers(references=frozenset({str(MEERA.reference)}))
        assert await uow.patients.candidates(HIP, by_reference, limit=5) == []
        assert await uow.patients.candidates(HIP, PatientIdentifiers(), limit=5) == []


async def test_a_patient_who_fits_twice_is_one_candidate(units: Units) -> None:
    everything = PatientIdentifiers(
        abha_addresses=frozenset({AbhaAddress("meera.k01@sbx")}),
        abha_numbers=frozenset({AbhaNumber("91123456789012")}),
        mobiles=frozenset({"9876543210"}),
    )
    async with units() as uow:
        await uow.patients.save(MEERA, hip_id=HIP)
        assert await uow.patients.candidates(HIP, everything, limit=5) == [MEERA]


async def test_a_mobile_that_many_share_does_not_hide_whom_an_abha_identifies(units: Units) -> None:
    family = [patient(number, phone="9876543210") for number in range(1, 8)]
    by_number = patient(8, abha_number=AbhaNumber("91123456789012"))
    by_address = patient(9, abha_address=AbhaAddress("meera.k01@sbx"), phone="9876543210")
    wanted = PatientIdentifiers(
        abha_addresses=frozenset({AbhaAddress("meera.k01@sbx")}),
        abha_numbers=frozenset({AbhaNumber("91123456789012")}),
        mobiles=frozenset({"9876543210"}),
    )
    async with units() as uow:
        for each in (*family, by_number, by_address):
            await uow.patients.save(each, hip_id=HIP)
        found = await uow.patients.candidates(HIP, wanted, limit=4)
    assert found == [by_address, by_number, family[0], family[1]]


async def test_disc_01_of_those_who_share_a_mobile_only_who_fits_the_demographics_is_a_candidate(units: Units) -> None:
    shared = PatientIdentifiers(
        abha_addresses=frozenset({AbhaAddress("meera.k01@sbx")}), mobiles=frozenset({"9876543210"})
    )
    likely = Demographics(gender=Gender.FEMALE, born_from=1979, born_to=1989)
    phone = "9876543210"
    youngest, oldest = patient(1, phone=phone, birth_year=1989), patient(2, phone=phone, birth_year=1979)
    others = [
        patient(3, phone=phone, birth_year=1990),
        patient(4, phone=phone, birth_year=1978),
        patient(5, phone=phone, birth_year=1984, gender=Gender.MALE),
    ]
    known = patient(6, abha_address=AbhaAddress("meera.k01@sbx"), birth_year=1950, gender=Gender.MALE)
    async with units() as uow:
        for each in (youngest, oldest, *others, known):
            await uow.patients.save(each, hip_id=HIP)
        found = await uow.patients.candidates(HIP, shared, limit=9, behind_mobile=likely)
    assert found == [known, youngest, oldest]


async def test_a_visit_comes_back_as_it_was_recorded(units: Units) -> None:
    visit = a_stored_visit()
    async with units() as uow:
        await uow.visits.save(visit)
        await uow.commit()
    async with units() as uow:
        assert await uow.visits.get(HIP, VISIT) == visit
        assert await uow.visits.lock(HIP, VISIT) == visit
        assert await uow.visits.get(HIP, VisitCode("88121")) is None


async def test_a_changed_visit_replaces_the_former(units: Units) -> None:
    changed = a_stored_visit(version=2, category="General OPD (QC)", received_at=NOW + MINUTE)
    async with units() as uow:
        await uow.visits.save(a_stored_visit())
        await uow.visits.save(changed)
        assert await uow.visits.get(HIP, VISIT) == changed


async def test_a_trigger_keeps_its_flag(units: Units) -> None:
    async with units() as uow:
        await uow.triggers.save(a_trigger())
        assert await uow.triggers.get(HIP, VISIT) == a_trigger()
        processed = a_trigger().process(now=NOW + MINUTE)
        await uow.triggers.save(processed)
        await uow.commit()
    async with units() as uow:
        assert await uow.triggers.get(HIP, VISIT) == processed
        await uow.triggers.save(processed.reopen())
        assert await uow.triggers.get(HIP, VISIT) == processed.reopen()
        assert await uow.triggers.get(HIP, VisitCode("88121")) is None


async def test_the_newest_version_of_each_hi_type_counts_valid_or_not(units: Units) -> None:
    invoice = a_bundle_record(key=a_bundle_key(hi_type=HiType.INVOICE))
    invalid = a_bundle_record(version=2, valid=False)
    elsewhere = a_bundle_record(key=a_bundle_key(visit_code=VisitCode("88121")), version=9)
    async with units() as uow:
        for record in (invoice, invalid, a_bundle_record(), elsewhere):
            await uow.bundles.add(record)
        assert await uow.bundles.of_visit(HIP, VISIT) == [invalid, invoice]


async def test_the_last_good_version_stays_servable(units: Units) -> None:
    async with units() as uow:
        for version, valid in ((1, True), (2, True), (3, False)):
            await uow.bundles.add(a_bundle_record(version=version, valid=valid))
        await uow.bundles.add(a_bundle_record(key=a_bundle_key(hi_type=HiType.INVOICE), valid=False))
        await uow.commit()
    async with units() as uow:
        assert await uow.bundles.servable(a_bundle_key()) == a_bundle_record(version=2)
        assert await uow.bundles.servable(a_bundle_key(hi_type=HiType.INVOICE)) is None
        assert await uow.bundles.servable_types(HIP, VISIT) == [HiType.PRESCRIPTION]


async def test_the_same_version_is_replaced(units: Units) -> None:
    again = a_bundle_record(sha256="aa" * 32, size=3, composed_at=NOW + MINUTE)
    async with units() as uow:
        await uow.bundles.add(a_bundle_record())
        await uow.bundles.add(again)
        assert await uow.bundles.of_visit(HIP, VISIT) == [again]


async def test_only_visits_that_are_not_stored_are_added(units: Units) -> None:
    first, changed = a_stored_visit(), a_stored_visit(version=9, category="Dental")
    other = a_stored_visit(visit_code=VisitCode("88121"), version=2)
    async with units() as uow:
        assert await uow.visits.add_missing([other, first]) == {VISIT, VisitCode("88121")}
        assert await uow.visits.add_missing([changed]) == frozenset()
        assert await uow.visits.add_missing([]) == frozenset()
        assert await uow.visits.get(HIP, VISIT) == first
        wanted = {VISIT: KnownVisit(version=1, digest=first.digest)}
        assert await uow.visits.known(HIP, [VISIT, VISIT, VisitCode("404")]) == wanted
        assert await uow.visits.lock_known(HIP, [VISIT, VisitCode("404")]) == wanted
        assert await uow.visits.known(OTHER_HIP, [VISIT]) == {}
        await uow.visits.save_all([changed, replace(other, version=3)])
        assert await uow.visits.get(HIP, VISIT) == changed
        assert (await uow.visits.lock_versions(HIP, [VisitCode("88121")])) == {VisitCode("88121"): 3}


async def test_several_patients_are_saved_added_and_locked_at_once(units: Units) -> None:
    full = replace(patient(3, email="m@example.org"), address=Address(line="12, Main Road", pincode="415001"))
    async with units() as uow:
        assert await uow.patients.add_missing([patient(2), full, patient(2, phone="9000000002")], hip_id=HIP) == 2
        assert await uow.patients.add_missing([patient(3), patient(1)], hip_id=HIP) == 1
        references = [PatientReference(f"PAT-{number}") for number in (3, 2, 1, 2, 9)]
        assert await uow.patients.lock_several(HIP, references) == [patient(1), patient(2), full]
        assert await uow.patients.lock_several(OTHER_HIP, references) == []
        await uow.patients.save_all([patient(3), patient(2, phone="9000000009")], hip_id=HIP)
        saved = [patient(1), patient(2, phone="9000000009"), patient(3)]
        assert await uow.patients.lock_several(HIP, references) == saved


async def test_several_triggers_are_saved_at_once(units: Units) -> None:
    other = a_trigger(visit_code=VisitCode("88121"))
    async with units() as uow:
        await uow.triggers.save_all([other, a_trigger().process(now=NOW)])
        await uow.triggers.save_all([a_trigger()])
        assert await uow.triggers.get(HIP, VISIT) == a_trigger()
        assert await uow.triggers.get(HIP, VisitCode("88121")) == other


async def test_no_statement_writes_one_row_twice(units: Units) -> None:
    async with units() as uow:
        with pytest.raises(RuntimeError):
            await uow.visits.save_all([a_stored_visit(), a_stored_visit(version=2)])


async def test_visits_are_gone_through_in_the_order_they_came_by_their_codes_within_a_moment(units: Units) -> None:
    async with units() as uow:
        for code, at in (("3", NOW), ("1", NOW + SECOND), ("2", NOW), ("4", NOW + DAY), ("5", NOW - SECOND)):
            await uow.visits.save(a_stored_visit(visit_code=VisitCode(code), received_at=at))
        await uow.visits.save(a_stored_visit(hip_id=OTHER_HIP, visit_code=VisitCode("6")))
        span = ReceivedSpan(since=NOW, until=NOW + DAY)
        first = await uow.visits.received(HIP, span, limit=2)
        assert first == [(NOW, "2"), (NOW, "3")]
        behind = replace(span, behind=first[0])
        assert await uow.visits.received(HIP, behind, limit=9) == [(NOW, "3"), (NOW + SECOND, "1")]
        counts = [await uow.visits.count_received(HIP, each) for each in (span, behind)]
        assert (counts, await uow.visits.count_received(OTHER_HIP, span)) == ([3, 2], 1)
        assert await uow.visits.received(HIP, replace(span, behind=(NOW + SECOND, VisitCode("1"))), limit=9) == []


async def test_versions_are_raised_without_touching_the_record(units: Units) -> None:
    visit, other = a_stored_visit(version=3), a_stored_visit(visit_code=VisitCode("88121"))
    async with units() as uow:
        await uow.visits.save(visit)
        await uow.visits.save(other)
        raised = await uow.visits.raise_versions(HIP, [VisitCode("88120"), VisitCode("404")])
        assert raised == {"88120": 4}
        assert await uow.visits.get(HIP, VisitCode("88120")) == replace(visit, version=4)
        assert await uow.visits.get(HIP, VisitCode("88121")) == other
        assert await uow.visits.raise_versions(HIP, []) == {}
