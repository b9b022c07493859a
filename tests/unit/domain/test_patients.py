"""The patient as the hospital knows them."""

from datetime import date

import pytest
from tests.builders.discoveries import a_patient, a_patient_without_abha
from tests.builders.links import MEERA_ADDRESS

from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaAddress, AbhaNumber
from hip.domain.patients import Gender, IdentifierType

OTHER = AbhaAddress("meera.other@sbx")


@pytest.mark.parametrize(
    ("texts", "gender"),
    [
        (("M", "m", " male ", "MALE"), Gender.MALE),
        (("F", "f", "Female"), Gender.FEMALE),
        (("O", "o", "other", "D", "d", "T"), Gender.OTHER),
        (("U", "unknown"), Gender.UNKNOWN),
    ],
)
def test_all_six_letters_and_full_words_are_read(texts: tuple[str, ...], gender: Gender) -> None:
    """Contract §1.4."""
    assert {Gender.parse(text) for text in texts} == {gender}


@pytest.mark.parametrize("text", ["", "X", "MF", "woman", "Ｍ"])
def test_an_unknown_gender_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        Gender.parse(text, field="patient.gender")
    assert refused.value.field == "patient.gender"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (("MR", "mr"), IdentifierType.MR),
        (("MOBILE", "Mobile"), IdentifierType.MOBILE),
        (("ABHA_NUMBER", "abhaNumber", "NDHM_HEALTH_NUMBER", "HEALTH_NUMBER"), IdentifierType.ABHA_NUMBER),
        (("ABHA_ADDRESS", "abhaAddress", "HEALTH_ID", "healthId"), IdentifierType.ABHA_ADDRESS),
        (("EMAIL", "email"), IdentifierType.EMAIL),
    ],
)
def test_every_spelling_of_an_identifier_type_is_known(texts: tuple[str, ...], kind: IdentifierType) -> None:
    """Contract §1.13, v0.5 names included."""
    assert {IdentifierType.recognise(text) for text in texts} == {kind}


@pytest.mark.parametrize("text", ["", "PAN", "ABHA", "NDHM", "MOBILE2"])
def test_an_unknown_identifier_type_is_ignored(text: str) -> None:
    assert IdentifierType.recognise(text) is None


@pytest.mark.parametrize("name", ["", "  ", "\t\n"])
def test_a_patient_has_a_name(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"patient\.name"):
        a_patient(name=name)


@pytest.mark.parametrize("year", [1899, 2201, 0, -1984])
def test_a_year_of_birth_is_from_1900_to_2200(year: int) -> None:
    with pytest.raises(InvalidValue, match=r"patient\.birthDate"):
        a_patient(birth_year=year, birth_date=None)


@pytest.mark.parametrize("year", [1900, 2200])
def test_the_first_and_last_year_of_birth_are_taken(year: int) -> None:
    assert a_patient(birth_year=year, birth_date=None).birth_year == year


def test_a_birth_date_lies_in_the_year_of_birth() -> None:
    assert a_patient(birth_year=1985, birth_date=date(1985, 12, 31)).birth_date == date(1985, 12, 31)
    with pytest.raises(InvalidValue, match=r"patient\.birthDate"):
        a_patient(birth_year=1985, birth_date=date(1984, 12, 31))


def test_linking_starts_from_an_abha_address_not_from_a_number() -> None:
    assert a_patient().linkable
    assert not a_patient(abha_address=None).linkable


def test_a_later_visit_without_abha_does_not_unlearn_it() -> None:
    later = a_patient_without_abha(name="Meera S Kulkarni").keeping_abha_of(a_patient())
    assert (later.abha_address, later.abha_number) == (MEERA_ADDRESS, AbhaNumber("91123456789012"))
    assert later.name == "Meera S Kulkarni"


def test_a_stated_abha_replaces_the_earlier_one_whole() -> None:
    """The old number must not stand beside a new address: the two might be two people's."""
    later = a_patient(abha_address=OTHER, abha_number=None).keeping_abha_of(a_patient())
    assert (later.abha_address, later.abha_number) == (OTHER, None)
    later = a_patient(abha_address=None, abha_number=AbhaNumber("1" * 14)).keeping_abha_of(a_patient())
    assert (later.abha_address, later.abha_number) == (None, AbhaNumber("1" * 14))


def test_a_first_visit_stands_as_it_is() -> None:
    assert a_patient_without_abha().keeping_abha_of(None) == a_patient_without_abha()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("  Meera Kulkarni ", "Meera Kulkarni"), ("Meera D'Souza", "Meera D'Souza")]
    + [(name, "Patient") for name in ("मीरा कुलकर्णी", "Meera;", "M" * 256)],
)
def test_a_name_the_gateway_cannot_carry_becomes_a_neutral_word(name: str, shown: str) -> None:
    assert a_patient(name=name).display == shown
