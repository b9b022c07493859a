"""Finding one patient, or saying why not (DISC-01)."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.discoveries import STRANGER, a_patient, a_patient_without_abha, a_query, always, exactly
from tests.builders.links import MEERA_ADDRESS

from hip.domain.discovery import (
    DiscoveryMatch,
    DiscoveryQuery,
    PatientIdentifiers,
    PatientNotFound,
    SeveralPatients,
    match_patient,
)
from hip.domain.identifiers import AbhaAddress, AbhaNumber, PatientReference
from hip.domain.patients import Gender, IdentifierType, Patient

MEERAS_NUMBER = AbhaNumber("91123456789012")
NOTHING = PatientIdentifiers()
MOBILE = PatientIdentifiers(mobiles=frozenset({"9876543210"}))
MR = PatientIdentifiers(references=frozenset({"PAT-20417"}))
TWIN = PatientReference("PAT-2")


def match(query: DiscoveryQuery, *candidates: Patient) -> DiscoveryMatch:
    return match_patient(query, candidates, likeness=exactly)


def match_of_many(query: DiscoveryQuery, *candidates: Patient) -> DiscoveryMatch:
    """As if more people shared the mobile than these."""
    return match_patient(query, candidates, likeness=exactly, complete=False)


def found_by(query: DiscoveryQuery, *candidates: Patient) -> set[IdentifierType]:
    return set(match(query, *candidates).matched_by)


def test_identifiers_are_read_in_every_spelling_and_bad_ones_left_out() -> None:
    """Contract §2.5: one bad value must not hide the others."""
    read = PatientIdentifiers.read(
        [
            ("MOBILE", "+91-98765 43210"),
            ("mobile", "98765"),
            ("NDHM_HEALTH_NUMBER", "91-1234-5678-9012"),
            ("ABHA_NUMBER", "nonsense"),
            ("abhaAddress", "Meera.K01@SBX"),
            ("HEALTH_ID", "no address"),
            ("MR", " PAT-20417 "),
            ("MR", "  "),
            ("EMAIL", "meera@example.org"),
            ("PAN", "ABCDE1234F"),
        ]
    )
    assert read == PatientIdentifiers(
        abha_addresses=frozenset({MEERA_ADDRESS}),
        abha_numbers=frozenset({MEERAS_NUMBER}),
        mobiles=frozenset({"9876543210"}),
        references=frozenset({"PAT-20417"}),
    )


@given(st.lists(st.tuples(st.sampled_from(["MOBILE", "MR", "ABHA_NUMBER", "abhaAddress", "EMAIL", ""]), st.text())))
@settings(max_examples=50, deadline=None)
def test_reading_identifiers_never_fails(pairs: list[tuple[str, str]]) -> None:
    read = PatientIdentifiers.read(pairs)
    assert all(len(mobile) == 10 and mobile.isascii() for mobile in read.mobiles)
    assert all(reference.strip() for reference in read.references)


def test_disc_01_an_abha_address_identifies_by_itself() -> None:
    """The address in ``patient.id`` counts as verified, whatever the app says of name, gender and age."""
    query = a_query(verified=NOTHING, name="Somebody", gender=Gender.MALE, birth_year=1920)
    assert found_by(query, a_patient()) == {IdentifierType.ABHA_ADDRESS}
    listed = a_query(abha_address=STRANGER, verified=PatientIdentifiers(abha_addresses=frozenset({MEERA_ADDRESS})))
    assert found_by(listed, a_patient()) == {IdentifierType.ABHA_ADDRESS}


def test_disc_01_an_abha_number_identifies_by_itself() -> None:
    verified = PatientIdentifiers(abha_numbers=frozenset({MEERAS_NUMBER}))
    query = a_query(abha_address=STRANGER, verified=verified, name="Somebody", gender=Gender.MALE, birth_year=1920)
    assert found_by(query, a_patient(abha_address=None)) == {IdentifierType.ABHA_NUMBER}


def test_disc_01_a_patient_without_abha_is_not_found_by_the_lack_of_it() -> None:
    with pytest.raises(PatientNotFound):
        match(a_query(abha_address=STRANGER, verified=NOTHING), a_patient_without_abha())


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"birth_year": 1989}, True),
        ({"birth_year": 1979}, True),
        ({"birth_year": 1990}, False),
        ({"birth_year": 1978}, False),
        ({"gender": Gender.MALE}, False),
        ({"gender": Gender.UNKNOWN}, False),
        ({"name": "Leela Kulkarni"}, False),
        ({"verified": PatientIdentifiers(mobiles=frozenset({"9876543211"}))}, False),
        ({"verified": NOTHING}, False),
        ({"verified": NOTHING, "unverified": MOBILE}, False),
        ({"verified": MR}, False),
        ({"verified": NOTHING, "unverified": MR}, False),
    ],
    ids=str,
)
def test_disc_01_a_verified_mobile_needs_gender_year_and_name(changes: dict[str, object], found: bool) -> None:
    """A record number alone, verified or not, never identifies; an unverified mobile neither."""
    query = a_query(abha_address=STRANGER, **changes)
    if found:
        assert found_by(query, a_patient_without_abha()) == {IdentifierType.MOBILE}
        return
    with pytest.raises(PatientNotFound):
        match(query, a_patient_without_abha())


def test_disc_01_a_patient_without_a_phone_is_not_found_by_one() -> None:
    with pytest.raises(PatientNotFound):
        match(a_query(abha_address=STRANGER), a_patient_without_abha(phone=None))


@pytest.mark.parametrize(("likeness", "found"), [(1.0, True), (0.7, True), (0.69, False), (0.0, False)])
def test_names_that_are_like_enough_are_one_persons(likeness: float, found: bool) -> None:
    query = a_query(abha_address=STRANGER)
    if found:
        assert match_patient(query, [a_patient_without_abha()], likeness=always(likeness))
        return
    with pytest.raises(PatientNotFound):
        match_patient(query, [a_patient_without_abha()], likeness=always(likeness))


def test_disc_01_a_mobile_does_not_find_a_person_of_another_abha_number() -> None:
    """Brothers with one telephone, near in age and alike in name, are still two people: a person has one number."""
    verified = PatientIdentifiers(
        mobiles=frozenset({"9876543210"}), abha_numbers=frozenset({AbhaNumber("91999999999999")})
    )
    query = a_query(abha_address=STRANGER, verified=verified)
    with pytest.raises(PatientNotFound):
        match(query, a_patient(abha_address=None))
    assert found_by(query, a_patient_without_abha()) == {IdentifierType.MOBILE}


def test_a_second_abha_address_does_not_make_a_second_person() -> None:
    """One person may hold several addresses."""
    assert found_by(a_query(abha_address=STRANGER), a_patient()) == {IdentifierType.MOBILE}


def test_every_identifier_that_led_there_is_named() -> None:
    verified = PatientIdentifiers(abha_numbers=frozenset({MEERAS_NUMBER}), mobiles=frozenset({"9876543210"}))
    query = a_query(verified=verified, unverified=MR)
    found = match(query, a_patient())
    assert found.patient == a_patient()
    assert found.matched_by == (
        IdentifierType.ABHA_ADDRESS,
        IdentifierType.ABHA_NUMBER,
        IdentifierType.MOBILE,
        IdentifierType.MR,
    )


def test_disc_01_nobody_is_not_found() -> None:
    with pytest.raises(PatientNotFound) as refused:
        match(a_query())
    assert refused.value.code == "ABDM-1010"


def test_disc_01_several_people_are_an_error_and_never_a_list() -> None:
    twins = a_patient_without_abha(), a_patient_without_abha(reference=TWIN)
    with pytest.raises(SeveralPatients) as refused:
        match(a_query(abha_address=STRANGER), *twins)
    assert refused.value.code == "ABDM-1010"


@pytest.mark.parametrize("kind", ["verified", "unverified"])
def test_disc_01_a_record_number_narrows_several_to_one(kind: str) -> None:
    twins = a_patient_without_abha(), a_patient_without_abha(reference=TWIN)
    both = PatientIdentifiers(mobiles=MOBILE.mobiles, references=frozenset({"PAT-2"}))
    query = a_query(
        abha_address=STRANGER,
        verified=both if kind == "verified" else MOBILE,
        unverified=NOTHING if kind == "verified" else PatientIdentifiers(references=frozenset({"PAT-2"})),
    )
    for order in permutations(twins):
        found = match(query, *order)
        assert found.patient.reference == TWIN
        assert found.matched_by == (IdentifierType.MOBILE, IdentifierType.MR)


def test_disc_01_record_numbers_of_several_do_not_narrow() -> None:
    twins = a_patient_without_abha(), a_patient_without_abha(reference=TWIN)
    query = a_query(abha_address=STRANGER, unverified=PatientIdentifiers(references=frozenset({"PAT-2", "PAT-20417"})))
    with pytest.raises(SeveralPatients):
        match(query, *twins)


def test_a_wrong_record_number_does_not_hide_the_only_match() -> None:
    query = a_query(unverified=PatientIdentifiers(references=frozenset({"PAT-9"})))
    assert found_by(query, a_patient()) == {IdentifierType.ABHA_ADDRESS, IdentifierType.MOBILE}


def test_the_same_patient_twice_is_one_patient() -> None:
    assert match(a_query(), a_patient(), a_patient()).patient == a_patient()


ADDRESSES = [None, MEERA_ADDRESS, AbhaAddress("ravi.r01@sbx")]
NUMBERS = [None, MEERAS_NUMBER, AbhaNumber("91999999999999")]
PHONES = [None, "9876543210", "9000000001"]
REFERENCES = ["PAT-1", "PAT-2", "PAT-3"]

people = st.builds(
    a_patient,
    reference=st.sampled_from(REFERENCES).map(PatientReference),
    name=st.sampled_from(["Meera", "Ravi"]),
    gender=st.sampled_from([Gender.FEMALE, Gender.FEMALE, Gender.MALE]),
    birth_year=st.sampled_from([1978, 1979, 1984, 1984, 1989, 1990]),
    birth_date=st.none(),
    phone=st.sampled_from([*PHONES, PHONES[1]]),
    abha_address=st.sampled_from(ADDRESSES),
    abha_number=st.sampled_from(NUMBERS),
)
identifiers = st.builds(
    PatientIdentifiers,
    abha_addresses=st.frozensets(st.sampled_from(ADDRESSES[1:]), max_size=1),
    abha_numbers=st.frozensets(st.sampled_from(NUMBERS[1:]), max_size=1),
    mobiles=st.frozensets(st.sampled_from(PHONES[1:]), min_size=1),
    references=st.frozensets(st.sampled_from(REFERENCES)),
)
queries = st.builds(
    a_query,
    abha_address=st.sampled_from([STRANGER, MEERA_ADDRESS]),
    name=st.sampled_from(["Meera", "Ravi"]),
    gender=st.sampled_from([Gender.FEMALE, Gender.FEMALE, Gender.MALE]),
    birth_year=st.just(1984),
    verified=identifiers,
    unverified=identifiers,
)


def is_that_person(query: DiscoveryQuery, patient: Patient) -> bool:
    """DISC-01 as it is written: an ABHA is proof; else mobile, gender, age, name, and no other ABHA number."""
    if patient.abha_address in [query.abha_address, *query.verified.abha_addresses]:
        return True
    if patient.abha_number in list(query.verified.abha_numbers):
        return True
    if patient.abha_number is not None and len(query.verified.abha_numbers) > 0:
        return False
    if patient.phone not in list(query.verified.mobiles) or patient.gender != query.gender:
        return False
    return patient.birth_year in range(query.birth_year - 5, query.birth_year + 6) and patient.name == query.name


def expected(query: DiscoveryQuery, candidates: list[Patient]) -> str:
    found = {str(patient.reference) for patient in candidates if is_that_person(query, patient)}
    told = found & (query.verified.references | query.unverified.references)
    if len(found) > 1 and told:
        found = told
    return found.pop() if len(found) == 1 else "several" if found else "nobody"


@given(queries, st.lists(people, max_size=3, unique_by=lambda patient: patient.reference))
@settings(max_examples=200, deadline=None)
def test_disc_01_the_match_is_what_a_plain_reading_of_the_rule_gives(
    query: DiscoveryQuery, candidates: list[Patient]
) -> None:
    for order in permutations(candidates):
        try:
            told = str(match(query, *order).patient.reference)
        except SeveralPatients:
            told = "several"
        except PatientNotFound:
            told = "nobody"
        assert told == expected(query, candidates)


def test_disc_01_a_mobile_of_more_people_than_were_looked_at_decides_nothing() -> None:
    """Another one might fit as well."""
    with pytest.raises(SeveralPatients):
        match_of_many(a_query(), a_patient_without_abha())
    with pytest.raises(SeveralPatients):
        match_of_many(a_query())


@pytest.mark.parametrize(
    "query",
    [
        a_query(),
        a_query(abha_address=STRANGER, verified=PatientIdentifiers(abha_numbers=frozenset({MEERAS_NUMBER}))),
        a_query(abha_address=STRANGER, unverified=MR),
    ],
    ids=["address", "number", "mobile and MR"],
)
def test_disc_01_what_names_one_person_decides_among_any_number(query: DiscoveryQuery) -> None:
    found = a_patient() if not query.unverified.references else a_patient_without_abha()
    assert match_of_many(query, found).patient == found
