"""Slicing in every form a guide may use: by value, pattern, type, existence and profile; closed, open and in order."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.fhir.validation.documents import HERE, document, element, errors, profile, typed, url_of, validator_for

from hip.adapters.fhir.validation.validator import NrcesValidator

Tree = dict[str, Any]
AT = "Bundle.entry[1].resource"


def observation(**members: Any) -> Tree:
    return {"resourceType": "Observation", "meta": {"profile": [HERE + "Sliced"]}, "status": "final", **members}


def sliced(
    kind: str, path: str, *slices: Tree, rules: str = "open", ordered: bool = False, name: str = "component"
) -> Tree:
    codes = "BackboneElement" if name == "component" else "Reference"
    slicing = {"discriminator": [{"type": kind, "path": path}], "rules": rules, "ordered": ordered}
    return profile(
        "Sliced",
        "Observation",
        element("Observation.code", type=typed("CodeableConcept")),
        element("Observation.subject", type=typed("Reference")),
        element(f"Observation.{name}", high="*", type=typed(codes), slicing=slicing),
        *(
            (
                element("Observation.component.code", 1, type=typed("CodeableConcept")),
                element("Observation.component.value[x]", type=typed("Quantity", "string")),
            )
            if name == "component"
            else ()
        ),
        *slices,
    )


def component(name: str, low: int = 0, high: str = "*", **code: Any) -> tuple[Tree, ...]:
    at = f"Observation.component:{name}"
    return (
        element(at, low, high, many=True, type=typed("BackboneElement")),
        element(f"{at}.code", 1, type=typed("CodeableConcept"), **code),
        element(f"{at}.value[x]", type=typed("Quantity", "string")),
    )


def text(value: str) -> Tree:
    return {"code": {"text": value}}


@pytest.fixture
def by_pattern(tmp_path: Path) -> NrcesValidator:
    slices = (
        *component("systolic", 1, "1", patternCodeableConcept={"coding": [{"code": "8480-6"}]}),
        *component("diastolic", 0, "1", patternCodeableConcept={"coding": [{"code": "8462-4"}]}),
    )
    return validator_for(tmp_path, sliced("pattern", "code", *slices))


def coded(code: str) -> Tree:
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": "more"}}


def test_a_slice_that_is_needed_must_be_there(by_pattern: NrcesValidator) -> None:
    assert errors(by_pattern, observation(component=[coded("8480-6"), coded("8462-4")])) == set()
    assert ("slice-min", f"{AT}.component") in errors(by_pattern, observation(component=[coded("8462-4")]))


def test_a_slice_may_not_repeat_more_often_than_allowed(by_pattern: NrcesValidator) -> None:
    found = errors(by_pattern, observation(component=[coded("8480-6"), coded("8462-4"), coded("8462-4")]))
    assert found == {("slice-max", f"{AT}.component[2]")}


def test_an_open_slicing_takes_what_fits_no_slice(by_pattern: NrcesValidator) -> None:
    assert errors(by_pattern, observation(component=[coded("8480-6"), coded("other")])) == set()


def test_a_closed_slicing_refuses_what_fits_no_slice(tmp_path: Path) -> None:
    definition = sliced("value", "code.text", *component("a"), rules="closed")
    definition["snapshot"]["element"].append(
        element("Observation.component:a.code.text", 1, type=typed("string"), fixedString="a")
    )
    validator = validator_for(tmp_path, definition)
    assert errors(validator, observation(component=[text("a")])) == set()
    assert errors(validator, observation(component=[text("b")])) == {("slice-closed", f"{AT}.component[0]")}


def test_an_ordered_slicing_keeps_its_order(tmp_path: Path) -> None:
    slices = (
        *component("a", patternCodeableConcept={"text": "a"}),
        *component("b", patternCodeableConcept={"text": "b"}),
    )
    validator = validator_for(tmp_path, sliced("pattern", "code", *slices, ordered=True))
    assert errors(validator, observation(component=[text("a"), text("b")])) == set()
    assert errors(validator, observation(component=[text("b"), text("a")])) == {("slice-order", f"{AT}.component[1]")}


def test_existence_tells_slices_apart(tmp_path: Path) -> None:
    at = "Observation.component"
    slices = (
        element(f"{at}:measured", many=True, high="1", type=typed("BackboneElement")),
        element(f"{at}:measured.code", 1, type=typed("CodeableConcept")),
        element(f"{at}:measured.value[x]", 1, type=typed("Quantity", "string")),
        element(f"{at}:named", many=True, high="*", type=typed("BackboneElement")),
        element(f"{at}:named.code", 1, type=typed("CodeableConcept")),
        element(f"{at}:named.value[x]", 0, "0", type=typed("Quantity", "string")),
    )
    validator = validator_for(tmp_path, sliced("exists", "value", *slices, rules="closed"))
    measured = {**text("x"), "valueString": "1"}
    assert errors(validator, observation(component=[measured, text("y"), text("z")])) == set()
    assert errors(validator, observation(component=[measured, measured])) == {("slice-max", f"{AT}.component[1]")}


def test_types_of_a_choice_tell_slices_apart(tmp_path: Path) -> None:
    at = "Observation.component"
    slices = (
        element(f"{at}:quantity", many=True, high="1", type=typed("BackboneElement")),
        element(f"{at}:quantity.code", 1, type=typed("CodeableConcept")),
        element(f"{at}:quantity.value[x]", 1, type=typed("Quantity")),
    )
    validator = validator_for(tmp_path, sliced("type", "value", *slices))
    quantity = {**text("x"), "valueQuantity": {"value": 1}}
    assert errors(validator, observation(component=[quantity])) == set()
    assert errors(validator, observation(component=[quantity, quantity])) == {("slice-max", f"{AT}.component[1]")}


def member(name: str, high: str, target: str) -> Tree:
    return element(f"Observation.hasMember:{name}", 0, high, many=True, type=typed("Reference", target=[target]))


def test_types_of_targets_tell_slices_apart(tmp_path: Path) -> None:
    r4 = "http://hl7.org/fhir/StructureDefinition/"
    slices = (member("patient", "1", r4 + "Patient"), member("basic", "*", r4 + "Basic"))
    validator = validator_for(tmp_path, sliced("type", "resolve()", *slices, rules="closed", name="hasMember"))
    patient: Tree = {"resourceType": "Patient"}
    basic: Tree = {"resourceType": "Basic", "code": {"text": "x"}}
    both = observation(hasMember=[{"reference": url_of(2)}, {"reference": url_of(3)}])
    assert errors(validator, both, patient, basic) == set()
    assert ("slice-max", f"{AT}.hasMember[1]") in errors(
        validator, observation(hasMember=[{"reference": url_of(2)}] * 2), patient
    )
    group: Tree = {"resourceType": "Group", "type": "person", "actual": True}
    found = errors(validator, observation(hasMember=[{"reference": url_of(2)}]), group)
    assert ("slice-closed", f"{AT}.hasMember[0]") in found


def test_profiles_of_targets_tell_slices_apart(tmp_path: Path) -> None:
    named = profile("Named", "Patient", element("Patient.name", 1, "*", type=typed("HumanName")))
    slices = (member("named", "1", HERE + "Named"),)
    validator = validator_for(
        tmp_path, named, sliced("profile", "resolve()", *slices, rules="closed", name="hasMember")
    )
    pointing = observation(hasMember=[{"reference": url_of(2)}])
    assert errors(validator, pointing, {"resourceType": "Patient", "name": [{"text": "x"}]}) == set()
    found = errors(validator, pointing, {"resourceType": "Patient", "active": True})
    assert ("slice-closed", f"{AT}.hasMember[0]") in found


def test_types_of_resources_tell_entries_apart(tmp_path: Path) -> None:
    slicing = {"discriminator": [{"type": "type", "path": "resource"}], "rules": "open"}
    bundle = profile(
        "DocumentBundle",
        "Bundle",
        *(
            element(f"Bundle.{name}", type=typed(code))
            for name, code in (("type", "code"), ("identifier", "Identifier"), ("timestamp", "instant"))
        ),
        element("Bundle.entry", 1, "*", type=typed("BackboneElement"), slicing=slicing),
        element("Bundle.entry.fullUrl", type=typed("uri")),
        element("Bundle.entry.resource", type=typed("Resource")),
        element("Bundle.entry:patient", 1, "1", many=True, type=typed("BackboneElement")),
        element("Bundle.entry:patient.fullUrl", type=typed("uri")),
        element("Bundle.entry:patient.resource", 1, type=typed("Patient")),
    )
    validator = validator_for(tmp_path, bundle)
    patient: Tree = {"resourceType": "Patient"}
    assert errors(validator, patient) == set()
    assert errors(validator, patient, patient) == {("slice-max", "Bundle.entry[2]")}
    assert ("slice-min", "Bundle.entry") in {
        (issue.rule, issue.path) for issue in validator.validate(document()).errors
    }
