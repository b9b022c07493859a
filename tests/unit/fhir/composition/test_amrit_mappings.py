"""Each wrong mapping of AMRIT's FHIR-API (amrit.md §4) is right here."""

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.builders.visits import CLINIC, IST, MEERA, PDF, a_bare_visit, a_visit

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.domain.clinical import (
    Allergy,
    AllergyCategory,
    Diagnosis,
    FamilyCondition,
    FamilyMember,
    FollowUp,
    Measurement,
)
from hip.domain.clinical_medications import Medication
from hip.domain.clinical_reports import Immunization, LabReport, LabResult, ReferenceRange
from hip.domain.clinical_vitals import Vitals
from hip.domain.hi_types import HiType
from hip.domain.visits import Practitioner, VisitClass, VisitRecord

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def composed(visit: VisitRecord, hi_type: HiType = HiType.OP_CONSULTATION, **of: Any) -> dict[str, Any]:
    return json.loads(FhirComposer(**of).compose(visit, hi_type, facility=CLINIC))


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def resource(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = resources(bundle, kind)
    return found


def observation(bundle: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [
        each for each in resources(bundle, "Observation") if code in [c["code"] for c in each["code"].get("coding", [])]
    ]
    return found


@pytest.mark.parametrize("hi_type", [HiType.OP_CONSULTATION, HiType.PRESCRIPTION, HiType.WELLNESS_RECORD])
def test_the_security_code_stands_in_code(hi_type):
    """AMRIT swapped code and display."""
    bundle = composed(a_visit(), hi_type)
    (label,) = bundle["meta"]["security"]
    assert (label["code"], label["display"]) == ("R", "restricted")
    assert label["system"] == "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    assert resource(bundle, "Composition")["confidentiality"] == "R"


def test_ids_are_fhir_ids_and_full_urls_are_urns():
    """AMRIT's ids hold a colon and change at every build; its full URLs are relative."""
    bundle = composed(a_visit())
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", bundle["id"])
    for entry in bundle["entry"]:
        assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", entry["resource"]["id"])
        assert entry["fullUrl"] == f"urn:uuid:{entry['resource']['id']}"


def test_ids_never_change_when_the_content_does():
    before, after = composed(a_visit()), composed(a_visit(diagnoses=(Diagnosis(text="Dengue"),)))
    assert before["id"] == after["id"]
    assert [entry["fullUrl"] for entry in before["entry"]] == [entry["fullUrl"] for entry in after["entry"]]


def test_the_abha_number_is_the_value_of_a_typed_identifier():
    """AMRIT put it into coding.display, without value, and left out the ABHA address."""
    patient = resource(composed(a_visit()), "Patient")
    by_type = {each["type"]["coding"][0]["code"]: each for each in patient["identifier"]}
    assert by_type["ABHA"]["value"] == "91-1234-5678-9012"
    assert by_type["ABHA"]["system"].startswith("https://")
    assert by_type["HIN"]["value"] == "meera.k01@sbx"
    assert by_type["MR"]["value"] == "PAT-20417"
    assert "91" not in json.dumps([each["type"] for each in patient["identifier"]])
    assert patient["telecom"][0]["value"] == "+919876543210"
    assert patient["meta"]["profile"] == ["https://nrces.in/ndhm/fhir/r4/StructureDefinition/Patient"]


def test_the_practitioner_carries_the_hpr_id():
    person = Practitioner(id="EMP-7", name="Ravi Rao", hpr_id="21-1521-3828-3227", registration_number="MMC-1")
    identifiers = resource(composed(a_visit(practitioner=person)), "Practitioner")["identifier"]
    assert [each["type"]["coding"][0]["code"] for each in identifiers] == ["HPID", "MD", "PRN"]
    assert [each["value"] for each in identifiers] == ["21-1521-3828-3227", "MMC-1", "EMP-7"]


def test_the_facility_registry_is_not_hard_coded():
    """AMRIT always wrote the sandbox's."""
    sandbox = composed(a_visit(), facility_registry="https://facilitysbx.abdm.gov.in")
    assert resource(sandbox, "Organization")["identifier"][0]["system"] == "https://facilitysbx.abdm.gov.in"
    assert resource(composed(a_visit()), "Organization")["identifier"][0]["system"] == "https://facility.abdm.gov.in"


@pytest.mark.parametrize("hi_type", [HiType.OP_CONSULTATION, HiType.PRESCRIPTION, HiType.WELLNESS_RECORD])
def test_the_encounter_is_in_the_bundle_and_referred_to(hi_type):
    """AMRIT built it and never put it in."""
    bundle = composed(a_visit(), hi_type)
    encounter = resource(bundle, "Encounter")
    assert resource(bundle, "Composition")["encounter"]["reference"] == f"urn:uuid:{encounter['id']}"
    assert encounter["class"] == {
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
        "code": "AMB",
        "display": "ambulatory",
    }
    assert encounter["period"] == {"start": "2026-03-12T10:05:00+05:30", "end": "2026-03-12T10:25:00+05:30"}


@pytest.mark.parametrize(
    ("visit_class", "ended", "status"),
    [("AMB", True, "finished"), ("AMB", False, "finished"), ("IMP", True, "finished"), ("IMP", False, "in-progress")],
)
def test_an_admission_without_an_end_is_in_progress(visit_class, ended, status):
    end = datetime(2026, 3, 13, 9, 0, tzinfo=IST) if ended else None
    visit = a_visit(visit_class=VisitClass(visit_class), end=end)
    assert resource(composed(visit, HiType.PRESCRIPTION), "Encounter")["status"] == status


def test_several_diagnoses_are_several_conditions():
    """AMRIT made one coding of a text with several values."""
    found = (Diagnosis(text="Diabetes", snomed="44054006", icd10="E11.9"), Diagnosis(text="Hypertension"))
    bundle = composed(a_visit(complaints=(), diagnoses=found))
    conditions = resources(bundle, "Condition")
    assert [each["code"]["text"] for each in conditions] == ["Diabetes", "Hypertension"]
    assert [each["system"] for each in conditions[0]["code"]["coding"]] == [SNOMED, "http://hl7.org/fhir/sid/icd-10"]
    assert "coding" not in conditions[1]["code"]
    assert all(each["recordedDate"] == "2026-03-12T10:05:00+05:30" for each in conditions)
    assert len(resource(bundle, "Encounter")["diagnosis"]) == 2


def test_diagnoses_are_not_called_physical_examination():
    sections = resource(composed(a_visit(vitals=None)), "Composition")["section"]
    assert "425044008" not in [section["code"]["coding"][0]["code"] for section in sections]
    assert sections[-1]["title"] == "Diagnosis"


def test_all_complaints_stand_in_one_section():
    """AMRIT wrote a section a condition; the slice may stand once."""
    visit = a_visit(complaints=a_visit().complaints * 3)
    codes = [each["code"]["coding"][0]["code"] for each in resource(composed(visit), "Composition")["section"]]
    assert len(codes) == len(set(codes))


def test_two_allergies_of_a_kind_are_two_resources_both_complete():
    """AMRIT gave both one id, and patient, recorder and encounter to the last only; uncoded ones were dropped."""
    food = Allergy(text="Peanut", snomed="91935009", category=AllergyCategory.FOOD)
    bundle = composed(a_visit(allergies=(food, Allergy(text="Some mushroom", category=AllergyCategory.FOOD))))
    allergies = resources(bundle, "AllergyIntolerance")
    assert len({each["id"] for each in allergies}) == 2
    for each in allergies:
        assert {"patient", "recorder", "encounter"} <= set(each)
        verification = each["verificationStatus"]["coding"][0]["system"]
        assert verification == "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
    assert allergies[1]["code"] == {"text": "Some mushroom"}


def test_each_relative_is_a_resource_of_its_own():
    """AMRIT made one for all, with codings that had no system, even without any relative."""
    diabetes = FamilyCondition(text="Diabetes", snomed="44054006", onset_age=48)
    family = (
        FamilyMember(relationship="Mother", conditions=(diabetes,)),
        FamilyMember(relationship="family friend", conditions=(FamilyCondition(text="Asthma"),)),
    )
    relatives = resources(composed(a_visit(family_history=family)), "FamilyMemberHistory")
    assert [each["relationship"]["coding"][0]["code"] for each in relatives] == ["MTH", "FAMMEMB"]
    assert relatives[0]["status"] == "completed"
    assert relatives[0]["condition"][0]["onsetAge"] == {"value": 48, "unit": "years", "system": UCUM, "code": "a"}
    assert resources(composed(a_visit()), "FamilyMemberHistory") == []


def test_a_medicine_keeps_strength_quantity_route_and_timing():
    """AMRIT dropped form, strength and quantity and structured nothing."""
    medicine = Medication(
        text="Amoxicillin 500 mg capsule",
        dose="1 capsule",
        frequency="TDS",
        route="oral",
        duration="5 days",
        instruction="after food",
        quantity=Decimal(15),
        quantity_unit="capsules",
    )
    request = resource(composed(a_visit(medications=(medicine,)), HiType.PRESCRIPTION), "MedicationRequest")
    assert request["medicationCodeableConcept"] == {"text": "Amoxicillin 500 mg capsule"}
    (dosage,) = request["dosageInstruction"]
    assert dosage["text"] == "1 capsule, TDS, oral, 5 days, after food"
    assert dosage["timing"]["repeat"] == {
        "boundsDuration": {"value": 5, "unit": "days", "system": UCUM, "code": "d"},
        "frequency": 3,
        "period": 1,
        "periodUnit": "d",
    }
    assert dosage["route"]["coding"][0]["code"] == "26643006"
    assert dosage["doseAndRate"] == [{"doseQuantity": {"value": 1, "unit": "capsule"}}]
    assert request["dispenseRequest"]["quantity"] == {"value": 15, "unit": "capsules"}


def test_no_coding_is_ever_blank():
    """AMRIT wrote the SNOMED code " " for medicines taken."""
    text = json.dumps(composed(a_visit()))
    assert '"code": ""' not in text
    assert '"code": " "' not in text


@pytest.mark.parametrize(
    ("field", "loinc", "unit"),
    [
        ("temperature_f", "8310-5", "[degF]"),
        ("pulse", "8867-4", "/min"),
        ("respiratory_rate", "9279-1", "/min"),
        ("weight_kg", "29463-7", "kg"),
        ("height_cm", "8302-2", "cm"),
        ("bmi", "39156-5", "kg/m2"),
        ("spo2", "2708-6", "%"),
        ("glucose_fasting", "1558-6", "mg/dL"),
        ("glucose_random", "2339-0", "mg/dL"),
    ],
)
def test_vital_signs_are_quantities_with_loinc_and_ucum(field, loinc, unit):
    """AMRIT: text only, valueString "98.6 [degF]", no subject, glucose dropped."""
    value = Decimal("98.6") if field in ("temperature_f", "height_cm") else Decimal("61.5")
    found = observation(composed(a_bare_visit(vitals=Vitals(**{field: value}))), loinc)
    assert found["valueQuantity"] == {
        "value": float(value),
        "unit": found["valueQuantity"]["unit"],
        "system": UCUM,
        "code": unit,
    }
    assert found["code"]["coding"][0]["system"] == LOINC
    assert {"subject", "encounter", "effectiveDateTime", "performer", "category"} <= set(found)
    assert "valueString" not in found


def test_blood_pressure_is_one_panel_with_its_status():
    vitals = Vitals(systolic=Decimal(142), diastolic=Decimal(90), blood_pressure_status="Raised")
    panel = observation(composed(a_bare_visit(vitals=vitals)), "85354-9")
    readings = {each["code"]["coding"][0]["code"]: each["valueQuantity"] for each in panel["component"]}
    assert readings["8480-6"] == {"value": 142, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}
    assert readings["8462-4"]["value"] == 90
    assert "valueQuantity" not in panel
    assert panel["interpretation"] == [{"text": "Raised"}]


def test_half_a_blood_pressure_says_what_is_missing():
    panel = observation(composed(a_bare_visit(vitals=Vitals(systolic=Decimal(142)))), "85354-9")
    assert panel["component"][1]["dataAbsentReason"]["coding"][0]["code"] == "unknown"


def test_a_lab_result_has_quantity_range_interpretation_and_loincs_system():
    """AMRIT: LOINC without system, value as text, the patient as performer, the range dropped."""
    limits = ReferenceRange(low=Decimal(12), high=Decimal("15.5"))
    result = LabResult(text="Haemoglobin", loinc="718-7", value=Decimal("9.80"), unit="gm%", reference_range=limits)
    bundle = composed(a_bare_visit(lab_reports=(LabReport(text="CBC", results=(result,)),)), HiType.DIAGNOSTIC_REPORT)
    found = observation(bundle, "718-7")
    assert found["code"]["coding"] == [{"system": LOINC, "code": "718-7", "display": "Haemoglobin"}]
    assert found["valueQuantity"] == {"value": 9.8, "unit": "gm%", "system": UCUM, "code": "g/dL"}
    assert found["referenceRange"][0]["low"] == {"value": 12, "unit": "gm%", "system": UCUM, "code": "g/dL"}
    assert found["referenceRange"][0]["high"]["value"] == 15.5
    assert found["interpretation"][0]["coding"][0]["code"] == "L"
    assert found["performer"][0]["reference"] == f"urn:uuid:{resource(bundle, 'Organization')['id']}"


def test_a_report_has_category_interpreter_and_a_conclusion():
    """AMRIT: code.text only and conclusion ""."""
    report = LabReport(text="CBC", loinc="58410-2", results=(LabResult(text="Hb", value=Decimal(9)),))
    bundle = composed(a_bare_visit(lab_reports=(report,)), HiType.DIAGNOSTIC_REPORT)
    made = resource(bundle, "DiagnosticReport")
    assert made["category"][0]["coding"][0]["system"] == SNOMED
    assert made["code"]["coding"][0]["system"] == LOINC
    assert made["conclusion"].strip()
    assert made["resultsInterpreter"]


def test_a_vaccine_that_was_not_given_still_has_its_date():
    """AMRIT's not-done rows lack occurrence[x], which FHIR demands."""
    refused = Immunization(text="Polio vaccine", given=False, reason_not_given="Fever")
    made = resource(composed(a_bare_visit(immunizations=(refused,)), HiType.IMMUNIZATION_RECORD), "Immunization")
    assert (made["status"], made["occurrenceDateTime"]) == ("not-done", "2026-03-12T10:05:00+05:30")
    assert made["statusReason"] == {"text": "Fever"}


@pytest.mark.parametrize("hi_type", list(HiType))
def test_displays_have_no_stray_backtick(hi_type):
    from hip.adapters.fhir.composition.layouts import LAYOUTS

    code = LAYOUTS[hi_type].code
    assert code is None or "`" not in code.display


def test_every_date_is_the_visits():
    """AMRIT dated documents "now", so every rebuild changed them."""
    bundle = composed(a_visit())
    assert bundle["timestamp"] == bundle["meta"]["lastUpdated"] == "2026-03-12T10:25:00+05:30"
    assert resource(bundle, "Composition")["date"] == "2026-03-12T10:25:00+05:30"
    assert set(re.findall(r'"(\d{4}-\d\d-\d\d)T', json.dumps(bundle))) == {"2026-03-12"}


def test_an_appointment_is_the_agreed_one():
    """AMRIT wrote test values and start = now."""
    start = datetime(2026, 3, 20, 10, 0, tzinfo=IST)
    made = resource(composed(a_visit(follow_ups=(FollowUp(start=start, text="Review"),))), "Appointment")
    assert (made["status"], made["start"], made["end"]) == (
        "booked",
        "2026-03-20T10:00:00+05:30",
        "2026-03-20T10:15:00+05:30",
    )


def test_an_appointment_for_a_day_is_proposed_for_all_of_it():
    made = resource(
        composed(a_visit(follow_ups=(FollowUp(day=datetime(2026, 3, 20, tzinfo=IST).date()),))), "Appointment"
    )
    assert (made["status"], made["start"][:16], made["end"][:16]) == (
        "proposed",
        "2026-03-20T00:00",
        "2026-03-20T23:59",
    )


def test_a_discharge_bundle_holds_what_it_refers_to():
    """AMRIT's refers to MedicationRequests that are not in it."""
    visit = a_visit(visit_class=VisitClass.INPATIENT)
    bundle = composed(visit, HiType.DISCHARGE_SUMMARY)
    held = {entry["fullUrl"] for entry in bundle["entry"]}
    referred = set(re.findall(r"urn:uuid:[0-9a-f-]{36}", json.dumps(resource(bundle, "Composition"))))
    assert resources(bundle, "MedicationRequest")
    assert referred <= held | {f"urn:uuid:{resource(bundle, 'Composition')['id']}"}


def test_two_patients_composed_in_turn_share_nothing():
    """AMRIT's singletons with mutable fields let data of one patient reach another."""
    composer = FhirComposer()
    alone = composer.compose(a_visit(), HiType.OP_CONSULTATION, facility=CLINIC)
    other = a_visit(allergies=(Allergy(text="Peanut"),), examination=(Measurement(text="Chest", value="Clear"),))
    composer.compose(other, HiType.OP_CONSULTATION, facility=CLINIC)
    assert composer.compose(a_visit(), HiType.OP_CONSULTATION, facility=CLINIC) == alone


def test_a_document_bundle_never_carries_anothers_files():
    from hip.domain.clinical_documents import Document

    visit = a_visit(documents=(Document(title="Old papers", data=PDF),))
    assert resources(composed(visit), "DocumentReference") == []
    assert len(resources(composed(visit, HiType.HEALTH_DOCUMENT_RECORD), "DocumentReference")) == 1


def test_a_patient_without_abha_has_the_hospitals_number_only():
    import dataclasses

    unknown = dataclasses.replace(MEERA, abha_address=None, abha_number=None, phone=None)
    patient = resource(composed(a_visit(patient=unknown)), "Patient")
    assert [each["type"]["coding"][0]["code"] for each in patient["identifier"]] == ["MR"]
    assert "telecom" not in patient
