"""One broken example for each error-severity invariant that can apply to a document of the guide."""

from collections.abc import Callable
from typing import Any

import pytest

from hip.adapters.fhir.validation.validator import NrcesValidator

Tree = dict[str, Any]
UCUM = "http://unitsofmeasure.org"


def entry_of(bundle: Tree, resource_type: str) -> tuple[int, Tree]:
    for number, entry in enumerate(bundle["entry"]):
        if entry["resource"]["resourceType"] == resource_type:
            return number, entry["resource"]
    raise LookupError(resource_type)


def extension(**value: Any) -> Tree:
    return {"extension": [{"url": "http://example.org/x", **value}]}


def verified(code: str, system: str) -> Tree:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


# invariant, bundle, resource type, members that break it, where below the resource
IN_RESOURCES: list[tuple[str, str, str, Tree, str]] = [
    (
        "age-1",
        "full-opconsult",
        "FamilyMemberHistory",
        {"ageAge": {"value": -1, "code": "a", "system": UCUM}},
        ".ageAge",
    ),
    ("ait-1", "full-opconsult", "AllergyIntolerance", {"clinicalStatus": None}, ""),
    (
        "ait-2",
        "full-opconsult",
        "AllergyIntolerance",
        {"verificationStatus": verified("entered-in-error", "allergyintolerance-verification")},
        "",
    ),
    ("app-1", "full-opconsult", "Appointment", {"participant": [{"status": "accepted"}]}, ".participant[0]"),
    ("app-2", "full-opconsult", "Appointment", {"end": None}, ""),
    ("app-3", "full-opconsult", "Appointment", {"status": "booked", "start": None, "end": None}, ""),
    ("app-4", "full-opconsult", "Appointment", {"status": "booked", "cancelationReason": {"text": "ill"}}, ""),
    (
        "att-1",
        "full-healthdoc",
        "DocumentReference",
        {"content": [{"attachment": {"data": "AAAA"}}]},
        ".content[0].attachment",
    ),
    ("cmp-1", "min-opconsult", "Composition", {"section": [{"title": "x"}]}, ".section[0]"),
    (
        "cmp-2",
        "min-opconsult",
        "Composition",
        {"section": [{"emptyReason": {"text": "x"}, "entry": [{"reference": "PATIENT"}]}]},
        ".section[0]",
    ),
    (
        "cnt-3",
        "full-opconsult",
        "Encounter",
        extension(valueCount={"value": 1.5, "code": "1", "system": UCUM}),
        ".extension[0].valueCount",
    ),
    ("con-1", "full-opconsult", "Condition", {"stage": [{"type": {"text": "x"}}]}, ".stage[0]"),
    ("con-2", "full-opconsult", "Condition", {"evidence": [{"id": "x", **extension(valueCode="x")}]}, ".evidence[0]"),
    ("con-4", "full-opconsult", "Condition", {"abatementString": "gone"}, ""),
    (
        "con-5",
        "full-opconsult",
        "Condition",
        {"verificationStatus": verified("entered-in-error", "condition-ver-status")},
        "",
    ),
    (
        "cpl-3",
        "full-discharge",
        "CarePlan",
        {"activity": [{"reference": {"display": "x"}, "detail": {"status": "scheduled"}}]},
        ".activity[0]",
    ),
    ("cpt-2", "full-opconsult", "Patient", {"telecom": [{"value": "1"}]}, ".telecom[0]"),
    (
        "dis-1",
        "full-opconsult",
        "Encounter",
        extension(valueDistance={"value": 1, "code": "km", "system": "x:y"}),
        ".extension[0].valueDistance",
    ),
    (
        "dom-2",
        "full-opconsult",
        "Patient",
        {
            "contained": [
                {
                    "resourceType": "Organization",
                    "id": "o",
                    "name": "x",
                    "contained": [{"resourceType": "Basic", "id": "b", "code": {"text": "x"}}],
                }
            ],
            "managingOrganization": {"reference": "#o"},
        },
        "",
    ),
    (
        "dom-3",
        "full-opconsult",
        "Patient",
        {"contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]},
        "",
    ),
    (
        "dom-4",
        "full-opconsult",
        "Patient",
        {
            "contained": [{"resourceType": "Organization", "id": "o", "name": "x", "meta": {"versionId": "1"}}],
            "managingOrganization": {"reference": "#o"},
        },
        "",
    ),
    (
        "dom-5",
        "full-opconsult",
        "Patient",
        {
            "contained": [
                {"resourceType": "Organization", "id": "o", "name": "x", "meta": {"security": [{"code": "R"}]}}
            ],
            "managingOrganization": {"reference": "#o"},
        },
        "",
    ),
    ("drt-1", "full-opconsult", "Encounter", {"length": {"value": 3, "code": "min"}}, ".length"),
    ("ext-1", "full-opconsult", "Patient", extension(), ".extension[0]"),
    (
        "ext-1",
        "full-opconsult",
        "Patient",
        extension(valueCode="x", extension=[{"url": "y", "valueCode": "z"}]),
        ".extension[0]",
    ),
    ("fhs-1", "full-opconsult", "FamilyMemberHistory", {"ageString": "50", "bornDate": "1950"}, ""),
    ("fhs-2", "full-opconsult", "FamilyMemberHistory", {"estimatedAge": True}, ""),
    ("imm-1", "full-immunization", "Immunization", {"education": [{"publicationDate": "2020"}]}, ".education[0]"),
    ("obs-3", "full-opconsult", "Observation", {"referenceRange": [{"type": {"text": "x"}}]}, ".referenceRange[0]"),
    ("obs-6", "full-diagnostic-lab", "Observation", {"dataAbsentReason": {"text": "x"}}, ""),
    ("org-1", "full-opconsult", "Organization", {"name": None, "identifier": None}, ""),
    ("org-2", "full-opconsult", "Organization", {"address": [{"use": "home", "text": "x"}]}, ".address[0]"),
    (
        "org-3",
        "full-opconsult",
        "Organization",
        {"telecom": [{"system": "phone", "value": "1", "use": "home"}]},
        ".telecom[0]",
    ),
    ("pat-1", "full-opconsult", "Patient", {"contact": [{"gender": "male"}]}, ".contact[0]"),
    ("per-1", "full-opconsult", "Encounter", {"period": {"start": "2024-05-02", "end": "2024-05-01"}}, ".period"),
    ("prr-1", "full-opconsult", "ServiceRequest", {"code": None, "orderDetail": [{"text": "x"}]}, ""),
    ("qty-3", "full-diagnostic-lab", "Observation", {"valueQuantity": {"value": 1, "code": "mg"}}, ".valueQuantity"),
    (
        "rat-1",
        "full-diagnostic-lab",
        "Observation",
        {"valueQuantity": None, "valueRatio": {"numerator": {"value": 1}}},
        ".valueRatio",
    ),
    ("ref-1", "full-opconsult", "Encounter", {"serviceProvider": {"reference": "#nobody"}}, ".serviceProvider"),
    (
        "rng-2",
        "full-diagnostic-lab",
        "Observation",
        {"valueQuantity": None, "valueRange": {"low": {"value": 2}, "high": {"value": 1}}},
        ".valueRange",
    ),
    (
        "sqty-1",
        "full-diagnostic-lab",
        "Observation",
        {"referenceRange": [{"low": {"value": 1, "comparator": "<"}}]},
        ".referenceRange[0].low",
    ),
    (
        "txt-1",
        "min-opconsult",
        "Patient",
        {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'}},
        ".text.div",
    ),
    (
        "txt-2",
        "min-opconsult",
        "Patient",
        {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"> </div>'}},
        ".text.div",
    ),
]

TIMINGS: list[tuple[str, Tree]] = [
    ("tim-1", {"duration": 1}),
    ("tim-2", {"period": 1}),
    ("tim-4", {"duration": -1, "durationUnit": "h"}),
    ("tim-5", {"period": -1, "periodUnit": "d"}),
    ("tim-6", {"periodMax": 2, "periodUnit": "d"}),
    ("tim-7", {"durationMax": 2, "durationUnit": "d"}),
    ("tim-8", {"countMax": 2}),
    ("tim-9", {"offset": 5}),
    ("tim-9", {"offset": 5, "when": ["C"]}),
    ("tim-10", {"timeOfDay": ["08:00:00"], "when": ["MORN"]}),
]

IN_BUNDLES: list[tuple[str, Callable[[Tree], object], str]] = [
    ("bdl-1", lambda bundle: bundle.update(total=1), "Bundle"),
    ("bdl-2", lambda bundle: bundle["entry"][1].update(search={"mode": "match"}), "Bundle"),
    ("bdl-3", lambda bundle: bundle["entry"][1].update(request={"method": "GET", "url": "Patient/1"}), "Bundle"),
    ("bdl-4", lambda bundle: bundle["entry"][1].update(response={"status": "200"}), "Bundle"),
    ("bdl-5", lambda bundle: bundle["entry"].append({"fullUrl": "urn:oid:1.2"}), "Bundle.entry[6]"),
    ("bdl-7", lambda bundle: bundle["entry"][2].update(fullUrl=bundle["entry"][1]["fullUrl"]), "Bundle"),
    ("bdl-8", lambda bundle: bundle["entry"][2].update(fullUrl="https://x.in/Patient/1/_history/1"), "Bundle.entry[2]"),
    ("bdl-9", lambda bundle: bundle["identifier"].pop("system"), "Bundle"),
    ("bdl-10", lambda bundle: bundle.pop("timestamp"), "Bundle"),
    ("bdl-11", lambda bundle: bundle["entry"].reverse(), "Bundle"),
    ("bdl-12", lambda bundle: bundle.update(type="message"), "Bundle"),
]


@pytest.mark.parametrize(("key", "name", "resource_type", "members", "below"), IN_RESOURCES)
def test_a_resource_that_breaks_an_invariant_is_reported_there(
    validator: NrcesValidator,
    base: Callable[[str], Tree],
    key: str,
    name: str,
    resource_type: str,
    members: Tree,
    below: str,
) -> None:
    bundle = base(name)
    number, resource = entry_of(bundle, resource_type)
    for member, value in members.items():
        resource.pop(member, None)
        if value is not None:
            resource[member] = value
    found = {(issue.rule, issue.path) for issue in validator.validate(bundle).errors}
    assert (key, f"Bundle.entry[{number}].resource{below}") in found


@pytest.mark.parametrize(("key", "repeat"), TIMINGS)
def test_a_timing_that_breaks_an_invariant_is_reported_there(
    validator: NrcesValidator, base: Callable[[str], Tree], key: str, repeat: Tree
) -> None:
    bundle = base("full-prescription")
    number, order = entry_of(bundle, "MedicationRequest")
    order["dosageInstruction"] = [{"text": "x", "timing": {"repeat": repeat}}]
    found = {(issue.rule, issue.path) for issue in validator.validate(bundle).errors}
    assert (key, f"Bundle.entry[{number}].resource.dosageInstruction[0].timing.repeat") in found


@pytest.mark.parametrize(("key", "bend", "path"), IN_BUNDLES)
def test_a_bundle_that_breaks_an_invariant_is_reported_there(
    validator: NrcesValidator, base: Callable[[str], Tree], key: str, bend: Callable[[Tree], object], path: str
) -> None:
    bundle = base("min-opconsult")
    bend(bundle)
    assert (key, path) in {(issue.rule, issue.path) for issue in validator.validate(bundle).errors}


def test_an_observation_and_its_component_do_not_share_code_and_value(
    validator: NrcesValidator, base: Callable[[str], Tree]
) -> None:
    """obs-7."""
    bundle = base("full-diagnostic-lab")
    number, observation = entry_of(bundle, "Observation")
    observation["component"] = [{"code": observation["code"]}]
    found = {(issue.rule, issue.path) for issue in validator.validate(bundle).errors}
    assert ("obs-7", f"Bundle.entry[{number}].resource") in found


def test_a_recommendation_names_a_vaccine_or_a_disease(validator: NrcesValidator, base: Callable[[str], Tree]) -> None:
    """imr-1."""
    bundle = base("full-immunization")
    number, resource = entry_of(bundle, "ImmunizationRecommendation")
    resource["recommendation"][0].pop("vaccineCode")
    found = {(issue.rule, issue.path) for issue in validator.validate(bundle).errors}
    assert ("imr-1", f"Bundle.entry[{number}].resource.recommendation[0]") in found


def test_every_error_invariant_of_a_guide_profile_has_words_and_an_example(validator: NrcesValidator) -> None:
    """What the profiles of clinical documents can meet is in the tables above; the list comes from the definitions."""
    guide = validator.guide
    documents = {"Composition", "Patient", "Practitioner", "PractitionerRole", "Organization", "Encounter", "Condition",
                 "Observation", "MedicationRequest", "Medication", "MedicationStatement", "DiagnosticReport", "Binary",
                 "ServiceRequest", "Specimen", "Procedure", "AllergyIntolerance", "Immunization", "CarePlan", "Media",
                 "ImmunizationRecommendation", "Appointment", "DocumentReference", "ImagingStudy", "ChargeItem",
                 "FamilyMemberHistory", "Invoice", "Bundle"}  # fmt: skip
    waiting = [one.root for one in guide.profiles.values() if one.type in documents and "nrces" in one.url]
    seen: set[int] = set()
    keys: set[str] = set()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        node = guide.nodes[at]
        keys |= {guide.invariants[one][0] for one in node.get("holds", ()) if guide.invariants[one][1] == "error"}
        waiting.extend((*node.get("children", {}).values(), *node.get("slices", {}).values()))
        for entry in node.get("types", ()):
            definition = guide.of_type(entry[0])
            if definition is not None and definition.kind == "complex-type" and entry[0] != "Extension":
                waiting.append(definition.root)
    shown = {key for key, *_ in (*IN_RESOURCES, *TIMINGS, *IN_BUNDLES)} | {"obs-7", "imr-1"}
    assert keys - shown == set()
