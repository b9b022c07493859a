"""The patient's app searches: one person's unlinked visits, or an error that tells no more than it must."""

import asyncio
from dataclasses import replace

from tests.builders.flows import HIP, House
from tests.builders.openings import visit_taken_in
from tests.builders.visits import MEERA, a_visit

from hip.application.discovery import CANDIDATES
from hip.application.gateway_calls import OnDiscover
from hip.application.gateway_events import DiscoveryAsked
from hip.domain.discovery import DiscoveryQuery, PatientIdentifiers
from hip.domain.exchanges import Flow
from hip.domain.identifiers import AbhaAddress, PatientReference, TransactionId, VisitCode
from hip.domain.patients import Gender, IdentifierType

STRANGER = replace(MEERA, abha_address=None, abha_number=None)


def _query(**changes: object) -> DiscoveryAsked:
    values: dict[str, object] = {
        "transaction_id": TransactionId("5f0d5a0e"),
        "abha_address": AbhaAddress("new.meera@sbx"),
        "name": MEERA.name,
        "gender": Gender.FEMALE,
        "birth_year": 1986,
        "verified": PatientIdentifiers(mobiles=frozenset({MEERA.phone or ""})),
        "unverified": PatientIdentifiers(),
    }
    return DiscoveryAsked(query=DiscoveryQuery(**{**values, **changes}))  # type: ignore[arg-type]


async def _ask(house: House, asked: DiscoveryAsked) -> OnDiscover:
    await house.answer_discovery(house.delivery(), asked)
    answer = house.gateway.of(Flow.ON_DISCOVER)[-1]
    assert isinstance(answer, OnDiscover)
    return answer


def test_a_verified_mobile_with_like_demographics_finds_the_unlinked_visits():
    async def story() -> None:
        house = await visit_taken_in(a_visit(patient=STRANGER))
        answer = await _ask(house, _query())
        assert answer.error is None
        assert answer.matched_by == (IdentifierType.MOBILE,)
        assert {entry.hi_type for entry in answer.entries} == set(a_visit().required_hi_types)
        assert all(entry.care_contexts[0].display == "OPD visit 12 Mar 2026" for entry in answer.entries)
        async with house.units() as uow:
            written = await uow.discoveries.get(HIP, TransactionId("5f0d5a0e"))
        assert written is not None
        assert written.patient_reference == MEERA.reference

    asyncio.run(story())


def test_disc_01_nobody_several_and_nothing_left_are_errors_without_a_list_of_people():
    async def story() -> None:
        house = House()
        nobody = await _ask(house, _query())
        assert nobody.error is not None
        assert (nobody.error.code, nobody.error.message) == ("ABDM-1010", "Patient not found")
        await house.take_in(a_visit(patient=STRANGER))
        twin = replace(STRANGER, reference=PatientReference("PAT-2"))
        await house.take_in(a_visit(visit_code=VisitCode("2"), patient=twin))
        await house.work()
        several = await _ask(house, _query(transaction_id=TransactionId("t-several")))
        assert several.error is not None
        assert several.error.message == "Multiple patients found"
        assert several.entries == ()
        narrowed = await _ask(
            house,
            _query(
                transaction_id=TransactionId("t-narrowed"),
                unverified=PatientIdentifiers(references=frozenset({"PAT-2"})),
            ),
        )
        assert [entry.patient_reference for entry in narrowed.entries] == ["PAT-2"] * 3

    asyncio.run(story())


def test_a_hospital_number_alone_never_identifies_a_person():
    async def story() -> None:
        house = await visit_taken_in(a_visit(patient=STRANGER))
        answer = await _ask(
            house,
            _query(
                verified=PatientIdentifiers(),
                unverified=PatientIdentifiers(references=frozenset({MEERA.reference})),
            ),
        )
        assert answer.error is not None

    asyncio.run(story())


def test_what_is_linked_is_not_offered_again():
    async def story() -> None:
        house = House()
        await house.link()
        answer = await _ask(house, _query(abha_address=MEERA.abha_address))
        assert answer.error is not None
        assert answer.error.message == "No new care contexts available for linking"
        assert answer.entries == ()

    asyncio.run(story())


def test_an_entry_carries_twenty_contexts_at_the_most_and_the_newest():
    async def story() -> None:
        house = House()
        for number in range(23):
            start = a_visit().start.replace(day=1 + number)
            await house.take_in(
                a_visit(visit_code=VisitCode(f"v{number:02d}"), patient=STRANGER, start=start, end=start)
            )
            await house.work()
        answer = await _ask(house, _query())
        for entry in answer.entries:
            references = [context.reference for context in entry.care_contexts]
            assert len(references) == 20
            assert references == sorted(references, reverse=True)
            assert "v00" not in references

    asyncio.run(story())


def test_disc_01_a_mobile_shared_by_two_hundred_finds_one_by_gender_age_and_name():
    async def story() -> None:
        house = await visit_taken_in(a_visit(patient=STRANGER))
        async with house.units() as uow:
            for number in range(200):
                gender = Gender.MALE if number % 2 else Gender.FEMALE
                relative = replace(
                    STRANGER,
                    reference=PatientReference(f"A-{number:03d}"),
                    name=f"Relative {number}",
                    gender=gender,
                    birth_year=1920 + number // 2,
                    birth_date=None,
                )
                await uow.patients.save(relative, hip_id=HIP)
            await uow.commit()
        answer = await _ask(house, _query())
        assert answer.error is None
        assert {entry.patient_reference for entry in answer.entries} == {MEERA.reference}

    asyncio.run(story())


def test_disc_01_a_mobile_with_too_many_alike_is_an_error_and_not_a_guess():
    async def story() -> None:
        house = await visit_taken_in(a_visit(patient=STRANGER))
        async with house.units() as uow:
            for number in range(CANDIDATES):
                alike = replace(STRANGER, reference=PatientReference(f"Z-{number:03d}"), name=f"Relative {number}")
                await uow.patients.save(alike, hip_id=HIP)
            await uow.commit()
        answer = await _ask(house, _query())
        assert answer.error is not None
        assert answer.error.message == "Multiple patients found"
        assert answer.entries == ()

    asyncio.run(story())
