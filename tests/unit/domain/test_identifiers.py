"""Identities: read in every spelling seen on the wire, held in one, and never shown whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaAddress, AbhaNumber, display, hip_id, opaque, phone_number, reference

digits_14 = st.text("0123456789", min_size=14, max_size=14)
letters_and_digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
local_parts = st.builds(
    lambda first, middle, last: first + middle + last,
    st.sampled_from(letters_and_digits),
    st.text(letters_and_digits + "_.", min_size=1, max_size=30),
    st.sampled_from(letters_and_digits),
)
FOREIGN_DIGITS = [
    "९८७६५४३२१०",  # Devanagari
    "９８７６５４３２１０",  # full width
    "٩٨٧٦٥٤٣٢١٠",  # Arabic-Indic
    "²³¹⁴⁵⁶⁷⁸⁹⁰",  # superscript: isdigit, but no decimal
]


@given(digits_14)
@settings(max_examples=50, deadline=None)
def test_an_abha_number_reads_back_from_its_dashed_form(digits: str) -> None:
    number = AbhaNumber.parse(digits)
    assert str(number) == digits
    assert number.dashed == f"{digits[:2]}-{digits[2:6]}-{digits[6:10]}-{digits[10:]}"
    assert AbhaNumber.parse(number.dashed) == number == AbhaNumber.parse(f"  {number.dashed.replace('-', ' ')} ")


def test_an_abha_number_may_come_as_a_json_number() -> None:
    assert AbhaNumber.parse(91123456789012) == AbhaNumber("91123456789012")


@pytest.mark.parametrize(
    "text",
    [
        "91-1234-5678-9012",
        " 91 1234 5678 9012\t",
        "91.1234.5678.9012",
        "91_1234_5678_9012",
        "91/1234/5678/9012",
        "91\u20111234\u20115678\u20139012",
        "\u200e91-1234-5678-9012\u200f",
        "ABHA: 91-1234-5678-9012",
    ],
)
def test_whatever_stands_between_the_digits_of_an_abha_number_is_dropped(text: str) -> None:
    """Contract §1.4: dashes of another kind and invisible marks come from copying."""
    assert str(AbhaNumber.parse(text)) == "91123456789012"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9112345678901",
        "911234567890123",
        "91-1234-5678-901X",
        "91123456789012.0",
        9112345678901,
        True,
        "9112345678901²",
        "91123456789012²",
        "९91123456789012",
        *(digits + "1234" for digits in FOREIGN_DIGITS),
    ],
)
def test_anything_but_fourteen_ascii_digits_is_no_abha_number(text: str | int) -> None:
    with pytest.raises(InvalidValue) as refused:
        AbhaNumber.parse(text, field="patient.abhaNumber")
    assert (refused.value.code, refused.value.field) == ("ABDM-1013", "patient.abhaNumber")


@given(st.text(max_size=40))
@settings(max_examples=50, deadline=None)
def test_no_text_makes_an_abha_number_that_is_not_fourteen_digits(text: str) -> None:
    try:
        number = AbhaNumber.parse(text)
    except InvalidValue:
        return
    assert len(number.digits) == 14
    assert set(number.digits) <= set("0123456789")


@given(digits_14.filter(lambda digits: len(set(digits)) > 4))
@settings(max_examples=50, deadline=None)
def test_the_repr_of_an_abha_number_shows_its_last_four_digits_only(digits: str) -> None:
    shown = repr(AbhaNumber(digits))
    assert shown == f"AbhaNumber(…{digits[10:]})"
    assert digits[:10] not in shown


@given(local_parts, st.sampled_from(["sbx", "abdm", "SBX", "Abdm"]))
@settings(max_examples=50, deadline=None)
def test_an_abha_address_is_the_same_in_any_case(local: str, domain: str) -> None:
    address = AbhaAddress.parse(f" {local}@{domain} ")
    assert AbhaAddress.parse(f"{local}@{domain}".upper()) == address == AbhaAddress.parse(f"{local}@{domain}".lower())
    assert str(address) == f"{local}@{domain}".lower()
    assert AbhaAddress.parse(str(address)) == address
    assert address.domain == domain.lower()


@given(local_parts.filter(lambda local: len(local) > 6))
@settings(max_examples=50, deadline=None)
def test_the_repr_of_an_abha_address_shows_its_domain_only(local: str) -> None:
    assert repr(AbhaAddress.parse(f"{local}@sbx")) == "AbhaAddress(…@sbx)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "meera",
        "@sbx",
        "me@sbx",
        "meera@",
        ".meera@sbx",
        "meera.@sbx",
        "meera k@sbx",
        "meera@sbx1",
        "meera@sbx@sbx",
        "meera@sbx\n.",
        "meera-k@sbx",
        "मीरा०१@sbx",
        "m" * 252 + "@sbx",
    ],
)
def test_what_does_not_fit_the_pattern_is_no_abha_address(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        AbhaAddress.parse(text)
    assert (refused.value.code, refused.value.field) == ("ABDM-1170", "abhaAddress")


def test_the_longest_abha_address_has_255_characters() -> None:
    assert len(str(AbhaAddress.parse("m" * 251 + "@sbx"))) == 255


@pytest.mark.parametrize("text", ["IN0410000123", "in-test_hip.1@x", "12", "A" * 64])
def test_a_facility_id_is_kept_as_it_is(text: str) -> None:
    assert hip_id(text) == text


@pytest.mark.parametrize("text", ["", "A", "A" * 65, "-IN041", "IN 041", "IN0410000123\n", "IN०४१", "IN/041", "IN|041"])
def test_a_bad_facility_id_is_refused_with_1035(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        hip_id(text, field="x-hip-id")
    assert (refused.value.code, refused.value.field) == ("ABDM-1035", "x-hip-id")


@pytest.mark.parametrize("text", ["v1::model::uuid", "PAT-20417", "A/7 (old), b@c", "a\\b", "x" * 255])
def test_a_reference_within_the_pattern_is_kept(text: str) -> None:
    assert reference(text, field="reference") == text


@pytest.mark.parametrize("text", ["", "x" * 256, "a|b", "a#b", "a+b", "a&b", "a=b", "a\nb", "a\n", "रोगी", "a?b"])
def test_a_reference_outside_the_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        reference(text, field="visitCode")
    assert refused.value.field == "visitCode"


@pytest.mark.parametrize(
    ("text", "fits"),
    [("OPD visit 12 Mar 2026", True), ('Meera D\'Souza | "Mum"', True), ("", False), ("x" * 256, False)]
    + [(text, False) for text in ("a\\b", "a;b", "a<b", "a\n", "मीरा")],
)
def test_a_display_keeps_to_the_gateways_pattern(text: str, fits: bool) -> None:
    if fits:
        assert display(text, field="display") == text
        return
    with pytest.raises(InvalidValue):
        display(text, field="display")


@pytest.mark.parametrize("text", ["6b1f…"[:4], "a", "!~", "not-a-uuid/at+all=", "x" * 255])
def test_ids_of_the_other_side_are_taken_as_they_come(text: str) -> None:
    """CB-04: never stricter than the platform."""
    assert opaque(text, field="requestId") == text


@pytest.mark.parametrize("text", ["", " ", "a b", "a\n", "a\x00", "é", "x" * 256, "a\x7f"])
def test_an_id_with_invisible_characters_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        opaque(text, field="requestId")


@pytest.mark.parametrize(
    "text",
    [
        "9876543210",
        "919876543210",
        "+919876543210",
        "+91-9876543210",
        "09876543210",
        "+91 98765 43210",
        "(91)9876543210",
    ],
)
def test_every_spelling_of_a_mobile_number_is_the_same_ten_digits(text: str) -> None:
    """Contract §1.4."""
    assert phone_number(text) == "9876543210"


@pytest.mark.parametrize("text", ["", "987654321", "+91-98765-4321X", "91123456789012", "phone", *FOREIGN_DIGITS])
def test_a_wrong_count_of_digits_is_no_mobile_number(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        phone_number(text)
    assert refused.value.field == "phone"


@pytest.mark.parametrize("digits", [digits[:1] for digits in FOREIGN_DIGITS[:3]])
def test_a_foreign_digit_in_a_mobile_number_is_not_dropped(digits: str) -> None:
    """Dropping it would leave ten digits that are somebody else's number."""
    with pytest.raises(InvalidValue):
        phone_number(digits + "9876543210")


@given(st.text(st.characters(categories=["Nd", "No", "Zs", "Pd", "Sm"]), max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_mobile_number_is_ten_ascii_digits_or_nothing(text: str) -> None:
    try:
        number = phone_number(text)
    except InvalidValue:
        return
    assert len(number) == 10
    assert set(number) <= set("0123456789")
