"""What else an element may not be: extensions, choices, siblings of primitive values, patterns, ranges, lengths."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.fhir.validation.documents import HERE, element, errors, profile, typed, validator_for

from hip.adapters.fhir.validation.validator import NrcesValidator

Tree = dict[str, Any]
AT = "Bundle.entry[1].resource"
R4 = "http://hl7.org/fhir/StructureDefinition/"
BARE: Tree = {"url": "http://example.org/why", "valueCode": "masked"}
BRAND = "https://nrces.in/ndhm/fhir/r4/StructureDefinition/BrandName"


def patient(**members: Any) -> Tree:
    return {"resourceType": "Patient", **members}


@pytest.mark.parametrize(
    ("extension", "fault"),
    [
        ({"url": BRAND, "valueString": "Covaxin"}, None),
        ({"url": BRAND, "valueCode": "Covaxin"}, ("type-not-allowed", ".valueCode")),
        ({"url": BRAND, "valueString": "x", "valueCode": "x"}, ("type-not-allowed", ".valueCode")),
        ({"url": BRAND}, ("ext-1", "")),
        ({"valueString": "x"}, ("min", ".url")),
        ({"url": "http://example.org/mine", "valueInteger": "1"}, ("json-type", ".valueInteger")),
        ({"url": "http://example.org/mine", "valueInteger": 1, "valueCode": "x"}, ("choice-max", ".valueInteger")),
        ({"url": "http://example.org/mine", "valueNonsense": 1}, ("unknown-element", ".valueNonsense")),
        ({"url": f"{R4}patient-birthTime", "valueDate": "2024"}, ("type-not-allowed", ".valueDate")),
    ],
)  # fmt: skip
def test_extensions_are_checked_by_what_their_url_names(
    validator: NrcesValidator, extension: Tree, fault: tuple[str, str] | None
) -> None:
    found = errors(validator, patient(extension=[extension]))
    if fault is None:
        assert found == set()
    else:
        assert (fault[0], f"{AT}.extension[0]{fault[1]}") in found


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"identifier": [{"system": "abha", "value": "1"}]}, ".identifier[0].system"),
        ({"maritalStatus": {"coding": [{"system": "/codes", "code": "M"}]}}, ".maritalStatus.coding[0].system"),
        ({"meta": {"tag": [{"system": "tags", "code": "x"}]}}, ".meta.tag[0].system"),
        ({"extension": [{"url": "why", "valueCode": "x"}]}, ".extension[0].url"),
        ({"modifierExtension": [{"url": "why", "valueCode": "x"}]}, ".modifierExtension[0].url"),
        ({"_gender": {"extension": [{"url": "why", "valueCode": "x"}]}}, "._gender.extension[0].url"),
    ],
)
def test_what_names_something_for_everybody_is_an_absolute_url(
    validator: NrcesValidator, members: Tree, path: str
) -> None:
    assert errors(validator, patient(**members)) == {("relative-url", f"{AT}{path}")}


@pytest.mark.parametrize("system", ["urn:oid:1.2.36", "https://healthid.abdm.gov.in", "urn:ietf:rfc:3986"])
def test_absolute_urls_of_any_scheme_name_a_system(validator: NrcesValidator, system: str) -> None:
    assert errors(validator, patient(identifier=[{"system": system, "value": "1"}])) == set()


def test_the_parts_of_an_extension_are_named_within_it(validator: NrcesValidator) -> None:
    part = {"url": "part", "valueCode": "x"}
    assert errors(validator, patient(extension=[{"url": "http://example.org/whole", "extension": [part]}])) == set()


def test_an_extension_may_stand_for_a_value_that_is_missing(validator: NrcesValidator) -> None:
    reason = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]
    }
    observation = {"resourceType": "Observation", "_status": reason, "code": {"text": "x"}}
    assert errors(validator, observation) == set()
    del observation["_status"]
    assert errors(validator, observation) == {("min", f"{AT}.status")}


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"birthDate": "2024", "_birthDate": {"id": "x"}}, None),
        ({"birthDate": "2024", "_birthDate": {}}, ("empty-object", "._birthDate")),
        ({"birthDate": "2024", "_birthDate": "x"}, ("json-type", "._birthDate")),
        ({"birthDate": "2024", "_birthDate": {"value": "x"}}, ("unknown-element", "._birthDate.value")),
        ({"_name": [{"id": "x"}]}, ("unknown-element", "._name")),
        ({"name": [{"given": ["A", None], "_given": [None, {"id": "x"}]}]}, ("ele-1", ".name[0]._given[1]")),
        ({"name": [{"given": ["A", None], "_given": [None, {"extension": [BARE]}]}]}, None),
        ({"_birthDate": {"id": "x"}}, ("ele-1", "._birthDate")),
        ({"name": [{"id": "x"}]}, ("ele-1", ".name[0]")),
        ({"name": [{"given": ["A", None]}]}, ("json-type", ".name[0].given[1]")),
        ({"name": [{"given": ["A", None], "_given": [None, None]}]}, ("json-type", ".name[0]._given[1]")),
        ({"name": [{"given": ["A"], "_given": [None, {"id": "x"}]}]}, ("json-null", ".name[0]._given")),
        ({"name": [{"given": ["A"], "_given": []}]}, ("empty-array", ".name[0]._given")),
        ({"name": [{"given": ["A"], "_given": {"id": "x"}}]}, ("json-type", ".name[0]._given")),
        ({"name": [None]}, ("json-type", ".name[0]")),
        ({"name": [{}]}, ("empty-object", ".name[0]")),
        ({"deceasedBoolean": True, "deceasedDateTime": "2024"}, ("choice-max", ".deceasedBoolean")),
        ({"deceasedString": "x"}, ("type-not-allowed", ".deceasedString")),
    ],
)
def test_primitive_values_and_their_siblings(
    validator: NrcesValidator, members: Tree, fault: tuple[str, str] | None
) -> None:
    found = errors(validator, patient(**members))
    assert found == set() if fault is None else (fault[0], f"{AT}{fault[1]}") in found


@pytest.fixture
def limited(tmp_path: Path) -> NrcesValidator:
    pattern = {"coding": [{"system": "http://loinc.org", "code": "1-1"}]}
    return validator_for(
        tmp_path,
        profile(
            "Limited",
            "Observation",
            element("Observation.code", 1, type=typed("CodeableConcept"), patternCodeableConcept=pattern),
            element("Observation.value[x]", type=typed("integer"), minValueInteger=1, maxValueInteger=5),
            element("Observation.issued", type=typed("instant"), maxLength=25),
            element("Observation.method", type=typed("CodeableConcept"), fixedCodeableConcept={"text": "by hand"}),
            element("Observation.note", 1, "2", many=True, type=typed("Annotation")),
            element("Observation.bodySite", 0, "0", type=typed("CodeableConcept")),
        ),
    )


LOINC = {"coding": [{"system": "http://loinc.org", "code": "1-1", "display": "x"}, {"code": "2"}], "text": "more"}


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({}, None),
        ({"code": {"coding": [{"system": "http://loinc.org", "code": "1-2"}]}}, ("pattern-value", ".code")),
        ({"valueInteger": 5}, None),
        ({"valueInteger": 6}, ("range", ".valueInteger")),
        ({"valueInteger": 0}, ("range", ".valueInteger")),
        ({"issued": "2024-05-01T10:00:00.123+05:30"}, ("length", ".issued")),
        ({"method": {"text": "by hand"}}, None),
        ({"method": {"text": "by hand", "id": "x"}}, ("fixed-value", ".method")),
        ({"note": [{"text": "x"}] * 3}, ("max", ".note")),
        ({"bodySite": {"text": "x"}}, ("max", ".bodySite")),
    ],
)
def test_a_profile_may_limit_an_element_in_many_ways(
    limited: NrcesValidator, members: Tree, fault: tuple[str, str] | None
) -> None:
    observation = {
        "resourceType": "Observation",
        "meta": {"profile": [HERE + "Limited"]},
        "status": "final",
        "code": LOINC,
        "note": [{"text": "x"}],
        **members,
    }
    found = errors(limited, observation)
    assert found == (set() if fault is None else {(fault[0], f"{AT}{fault[1]}")})


@pytest.mark.parametrize(
    ("currency", "fits"), [("INR", True), ("EUR", True), ("Rs", False), ("inr", False), ("XYZ", False)]
)
def test_currencies_are_those_of_iso_4217(validator: NrcesValidator, currency: str, fits: bool) -> None:
    invoice = {"resourceType": "Invoice", "status": "issued", "totalNet": {"value": 1, "currency": currency}}
    found = errors(validator, invoice)
    assert found == (set() if fits else {("binding-required", f"{AT}.totalNet.currency")})


@pytest.mark.parametrize(
    ("mime", "fits"),
    [
        ("application/pdf", True),
        ("application/fhir+json; charset=utf-8", True),
        ('text/plain; charset="utf-8"', True),
        ("image/svg+xml", True),
        ("pdf", False),
        ("application/", False),
        ("application/pdf;", False),
    ],
)
def test_mime_types_are_written_as_rfc_6838_says(validator: NrcesValidator, mime: str, fits: bool) -> None:
    found = errors(validator, {"resourceType": "Binary", "contentType": mime, "data": "AAAA"})
    assert found == (set() if fits else {("binding-required", f"{AT}.contentType")})
