"""Rules of a document: full URLs, the Composition first, everything connected, claims that hold."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.fhir.validation.documents import document, url_of

from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.domain.bundles import Severity

Tree = dict[str, Any]
PATIENT: Tree = {"resourceType": "Patient", "id": "p1", "name": [{"text": "Asha"}]}


def found(validator: NrcesValidator, bundle: Tree) -> set[tuple[str, str]]:
    return {(issue.rule, issue.path) for issue in validator.validate(bundle).errors}


def test_a_small_document_is_valid(validator: NrcesValidator) -> None:
    assert found(validator, document()) == set()
    assert found(validator, document(PATIENT)) == set()


def test_every_entry_has_an_absolute_full_url(validator: NrcesValidator) -> None:
    bundle = document(PATIENT)
    del bundle["entry"][1]["fullUrl"]
    assert ("entry-fullurl", "Bundle.entry[1].fullUrl") in found(validator, bundle)
    bundle["entry"][1]["fullUrl"] = "Patient/p1"
    assert ("entry-fullurl", "Bundle.entry[1].fullUrl") in found(validator, bundle)


@pytest.mark.parametrize("url", ["https://example.org/Patient/p2", "https://example.org/Group/p1"])
def test_a_restful_full_url_agrees_with_the_resource(validator: NrcesValidator, url: str) -> None:
    bundle = document(PATIENT)
    bundle["entry"][1]["fullUrl"] = url
    bundle["entry"][0]["resource"]["section"][0]["entry"][0]["reference"] = url
    assert found(validator, bundle) == {("entry-fullurl", "Bundle.entry[1].fullUrl")}


def test_what_nothing_leads_to_is_an_orphan(validator: NrcesValidator) -> None:
    bundle = document(PATIENT)
    bundle["entry"].append({"fullUrl": url_of(2), "resource": {**PATIENT, "id": "p2"}})
    assert found(validator, bundle) == {("document-orphan", "Bundle.entry[2]")}


def test_an_entry_may_hang_on_by_what_it_refers_to(validator: NrcesValidator) -> None:
    bundle = document(PATIENT)
    provenance = {
        "resourceType": "Provenance",
        "target": [{"reference": url_of(1)}],
        "recorded": "2024-05-01T10:00:00+05:30",
        "agent": [{"who": {"display": "x"}}],
    }
    bundle["entry"].append({"fullUrl": url_of(2), "resource": provenance})
    assert found(validator, bundle) == set()


def test_an_entry_may_be_reached_by_the_url_of_an_attachment(validator: NrcesValidator) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "x"},
        "presentedForm": [{"contentType": "application/pdf", "url": url_of(2)}],
    }
    bundle = document(report)
    bundle["entry"].append(
        {"fullUrl": url_of(2), "resource": {"resourceType": "Binary", "contentType": "application/pdf", "data": "AAAA"}}
    )
    assert found(validator, bundle) == set()


def test_a_first_entry_without_resource_is_no_composition(validator: NrcesValidator) -> None:
    bundle = document(PATIENT)
    del bundle["entry"][0]["resource"]
    rules = found(validator, bundle)
    assert {("document-first-entry", "Bundle.entry[0]"), ("bdl-5", "Bundle.entry[0]"), ("bdl-11", "Bundle")} <= rules


def test_a_claim_the_guide_does_not_know_is_a_warning(validator: NrcesValidator) -> None:
    bundle = document({**PATIENT, "meta": {"profile": ["http://example.org/StructureDefinition/Patient"]}})
    report = validator.validate(bundle)
    assert report.valid
    assert ("unknown-profile", Severity.WARNING, "Bundle.entry[1].resource.meta.profile[0]") in {
        (issue.rule, issue.severity, issue.path) for issue in report.issues
    }


def test_a_claim_for_another_type_is_an_error(validator: NrcesValidator) -> None:
    claim = "https://nrces.in/ndhm/fhir/r4/StructureDefinition/Observation"
    bundle = document({**PATIENT, "meta": {"profile": [claim]}})
    assert found(validator, bundle) == {("profile-type", "Bundle.entry[1].resource.meta.profile[0]")}


def test_a_claim_with_a_version_is_the_same_claim(validator: NrcesValidator, base: Callable[[str], Tree]) -> None:
    bundle = base("full-opconsult")
    for entry in bundle["entry"]:
        meta = entry["resource"]["meta"]
        meta["profile"] = [f"{url}|6.0.0" for url in meta["profile"]]
    assert found(validator, bundle) == set()
    del bundle["entry"][0]["resource"]["encounter"]
    assert ("min", "Bundle.entry[0].resource.encounter") in found(validator, bundle)


def test_a_composition_that_claims_another_record_is_told_which_one_it_is(
    validator: NrcesValidator, base: Callable[[str], Tree]
) -> None:
    bundle = base("min-prescription")
    claims = bundle["entry"][0]["resource"]["meta"]["profile"]
    claims[0] = claims[0].replace("PrescriptionRecord", "ImmunizationRecord")
    issue = next(one for one in validator.validate(bundle).errors if one.rule == "wrong-profile")
    assert (issue.path, issue.expected) == ("Bundle.entry[0].resource", "PrescriptionRecord")


def test_what_apps_have_nothing_to_show_for_is_said(validator: NrcesValidator) -> None:
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
    }
    report = validator.validate(document(observation))
    assert report.valid
    assert {"Bundle.entry[1].resource", "Bundle.entry[1].resource.code"} == {
        issue.path for issue in report.issues if issue.rule == "shown-as-na"
    }


def test_a_code_outside_an_extensible_value_set_is_a_warning(
    validator: NrcesValidator, base: Callable[[str], Tree]
) -> None:
    bundle = base("full-wellness")
    number, vital = next(
        (number, entry["resource"])
        for number, entry in enumerate(bundle["entry"])
        if any("VitalSigns" in url for url in entry["resource"]["meta"]["profile"])
    )
    vital["code"]["coding"][0]["code"] = "1234-5"
    report = validator.validate(bundle)
    assert report.valid
    places = {issue.path for issue in report.issues if issue.rule == "binding-extensible"}
    assert any(path.startswith(f"Bundle.entry[{number}].resource.code") for path in places)


def test_issues_come_in_the_order_of_the_document(validator: NrcesValidator, base: Callable[[str], Tree]) -> None:
    bundle = base("full-discharge")
    bundle["entry"].reverse()
    bundle.pop("timestamp")
    numbers = [
        int(issue.path[len("Bundle.entry[") :].partition("]")[0]) if issue.path.startswith("Bundle.entry[") else -1
        for issue in validator.validate(bundle).issues
    ]
    assert numbers == sorted(numbers)
