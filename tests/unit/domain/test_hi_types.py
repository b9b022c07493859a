"""The eight kinds of health information, in whatever spelling they come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType

WIRE = {
    "OPConsultation",
    "Prescription",
    "DischargeSummary",
    "DiagnosticReport",
    "ImmunizationRecord",
    "HealthDocumentRecord",
    "WellnessRecord",
    "Invoice",
}


def test_the_wire_knows_exactly_eight_names() -> None:
    """Contract §1.13."""
    assert {str(hi_type) for hi_type in HiType} == WIRE


@st.composite
def spellings(draw: st.DrawFn) -> tuple[HiType, str]:
    hi_type = draw(st.sampled_from(HiType))
    letters = [
        draw(st.sampled_from(["", "_", " ", "-"])) + (letter.upper() if draw(st.booleans()) else letter.lower())
        for letter in hi_type.value
    ]
    return hi_type, "".join(letters) + draw(st.sampled_from(["", " ", "_"]))


@given(spellings())
@settings(max_examples=50, deadline=None)
def test_case_underscores_and_spaces_do_not_matter_rel_10(spelling: tuple[HiType, str]) -> None:
    hi_type, text = spelling
    assert HiType.parse(text) is hi_type
    assert HiType.recognise(text) is hi_type


@pytest.mark.parametrize("text", ["OPCONSULTATION", "OP_CONSULTATION", "Op Consultation", "opConsultation"])
def test_the_official_samples_spelling_is_read_rel_10(text: str) -> None:
    assert HiType.parse(text) is HiType.OP_CONSULTATION


@pytest.mark.parametrize("text", ["", " ", "OPConsult", "Prescriptions", "Invoice1", "DentalRecord", "परामर्श", "__"])
def test_an_unknown_name_is_refused_by_parse_and_ignored_by_recognise(text: str) -> None:
    assert HiType.recognise(text) is None
    with pytest.raises(InvalidValue) as refused:
        HiType.parse(text, field="hiTypes[3]")
    assert refused.value.field == "hiTypes[3]"
    assert all(name in str(refused.value) for name in WIRE)


@given(st.text(max_size=30))
@settings(max_examples=50, deadline=None)
def test_no_text_is_two_types_or_something_else(text: str) -> None:
    found = HiType.recognise(text)
    plain = "".join(letter for letter in text if letter.isalnum()).casefold()
    assert found is None or found.value.casefold() == plain
