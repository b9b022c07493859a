"""References: found inside the bundle however they are written, and pointing to what the profiles allow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.fhir.validation.documents import HERE, document, element, errors, profile, typed, url_of, validator_for

from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.domain.bundles import Severity

Tree = dict[str, Any]
NRCES = "https://nrces.in/ndhm/fhir/r4/StructureDefinition/"
AT = "Bundle.entry[1].resource"


def encounter(reference: str, **members: Any) -> Tree:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": reference, **members},
    }


def patient(**members: Any) -> Tree:
    return {"resourceType": "Patient", "name": [{"text": "Asha"}], **members}


def test_a_urn_nobody_has_is_an_error_anywhere(validator: NrcesValidator) -> None:
    found = errors(validator, encounter("urn:uuid:00000000-0000-4000-8000-00000000dead"))
    assert found == {("reference-unresolved", f"{AT}.subject")}


def test_an_address_outside_is_a_warning_except_in_the_composition(validator: NrcesValidator) -> None:
    report = validator.validate(document(encounter("https://example.org/Patient/1")))
    assert report.valid
    assert ("reference-unresolved", Severity.WARNING) in {(one.rule, one.severity) for one in report.issues}
    bundle = document(patient())
    bundle["entry"][0]["resource"]["custodian"] = {"reference": "https://example.org/Organization/1"}
    assert [(one.rule, one.path) for one in validator.validate(bundle).errors] == [
        ("reference-unresolved", "Bundle.entry[0].resource.custodian")
    ]


def test_relative_references_are_found_beside_a_restful_full_url(validator: NrcesValidator) -> None:
    bundle = document(encounter("Patient/p1"), patient(id="p1"))
    bundle["entry"][1] |= {"fullUrl": "https://example.org/fhir/Encounter/e1"}
    bundle["entry"][1]["resource"]["id"] = "e1"
    bundle["entry"][2]["fullUrl"] = "https://example.org/fhir/Patient/p1"
    entries = bundle["entry"][0]["resource"]["section"][0]["entry"]
    entries[0]["reference"] = "https://example.org/fhir/Encounter/e1"
    entries[1]["reference"] = "https://example.org/fhir/Patient/p1/_history/3"
    assert validator.validate(bundle).errors == ()
    bundle["entry"][2]["fullUrl"] = "https://elsewhere.org/fhir/Patient/p1"
    assert "reference-unresolved" in {one.rule for one in validator.validate(bundle).errors}


def test_words_are_no_reference(validator: NrcesValidator) -> None:
    assert ("reference-format", f"{AT}.subject.reference") in errors(validator, encounter("the patient"))


def test_a_contained_resource_is_judged_like_any_other_target(validator: NrcesValidator) -> None:
    contained = {**encounter("#p"), "contained": [patient(id="p")]}
    assert errors(validator, contained) == set()
    wrong = {**encounter("#o"), "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]}
    assert errors(validator, wrong) == {("reference-target-type", f"{AT}.subject")}


def test_a_contained_resource_is_checked_itself(validator: NrcesValidator) -> None:
    bent = {**encounter("#p"), "contained": [patient(id="p", gender="F")]}
    assert errors(validator, bent) == {("binding-required", f"{AT}.contained[0].gender")}


def test_contained_resources_have_ids_of_their_own(validator: NrcesValidator) -> None:
    both = {**encounter("#p"), "contained": [patient(id="p"), patient(id="p")]}
    assert errors(validator, both) == {("contained-id", f"{AT}.contained[1].id")}
    nameless = {**encounter("#p"), "contained": [patient(id="p"), patient()]}
    assert ("contained-id", f"{AT}.contained[1]") in errors(validator, nameless)


def test_the_type_beside_a_reference_agrees_with_the_target(validator: NrcesValidator) -> None:
    assert errors(validator, encounter(url_of(2), type="Patient"), patient()) == set()
    found = errors(validator, encounter(url_of(2), type="Group"), patient())
    assert found == {("reference-type", f"{AT}.subject.type")}


def test_a_target_is_held_to_the_profile_though_it_claims_none(
    validator: NrcesValidator, base: Callable[[str], Tree]
) -> None:
    """Patient.identifier is required by the guide, not by base R4; the fault stands at the patient, and says why."""
    bundle = base("full-prescription")
    number = next(n for n, e in enumerate(bundle["entry"]) if e["resource"]["resourceType"] == "Patient")
    resource = bundle["entry"][number]["resource"]
    del resource["meta"]["profile"], resource["identifier"]
    resource["meta"]["versionId"] = "1"
    found = {(one.rule, one.path): one for one in validator.validate(bundle).errors}
    missing = found["min", f"Bundle.entry[{number}].resource.identifier"]
    assert missing.profile == NRCES + "Patient"
    assert found["reference-target-profile", "Bundle.entry[0].resource.subject"].expected == NRCES + "Patient"


def test_one_of_several_target_profiles_is_enough(tmp_path: Path) -> None:
    named = profile("Named", "Patient", element("Patient.name", 1, "*", type=typed("HumanName")))
    active = profile(
        "Active",
        "Patient",
        element("Patient.active", 1, type=typed("boolean")),
        element("Patient.name", 0, "*", type=typed("HumanName")),
    )
    either = [HERE + "Named", HERE + "Active"]
    visit = profile(
        "Visit",
        "Encounter",
        element("Encounter.class", 1, type=typed("Coding")),
        element("Encounter.subject", 1, type=typed("Reference", target=either)),
    )
    validator = validator_for(tmp_path, named, active, visit)
    pointing = {**encounter(url_of(2)), "meta": {"profile": [HERE + "Visit"]}}
    assert errors(validator, pointing, patient()) == set()
    assert errors(validator, pointing, {"resourceType": "Patient", "active": True}) == set()
    found = errors(validator, pointing, {"resourceType": "Patient", "gender": "other"})
    assert ("reference-target-profile", f"{AT}.subject") in found


def test_resources_that_refer_to_each_other_are_judged_once(tmp_path: Path) -> None:
    ring = profile(
        "Ring", "Patient", element("Patient.link", 1, "*", type=typed("BackboneElement")),
        element("Patient.link.type", 1, type=typed("code")),
        element("Patient.link.other", 1, type=typed("Reference", target=[HERE + "Ring"])),
    )  # fmt: skip
    visit = profile(
        "Visit",
        "Encounter",
        element("Encounter.class", 1, type=typed("Coding")),
        element("Encounter.subject", 1, type=typed("Reference", target=[HERE + "Ring"])),
    )
    validator = validator_for(tmp_path, ring, visit)
    pointing = {**encounter(url_of(2)), "meta": {"profile": [HERE + "Visit"]}}

    def link(to: int) -> Tree:
        return {"resourceType": "Patient", "link": [{"type": "seealso", "other": {"reference": url_of(to)}}]}

    assert errors(validator, pointing, link(3), link(2)) == set()
    assert ("reference-target-profile", f"{AT}.subject") in errors(validator, pointing, {"resourceType": "Patient"})
