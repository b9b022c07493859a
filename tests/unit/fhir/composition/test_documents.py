"""The eight documents: sections, codes and entries as the profiles want them (profiles.md §1, §2)."""

import base64
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from tests.builders.visits import CLINIC, JPEG, PDF, PNG, a_bare_visit, a_visit, visits

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.clinical import Complaint, Measurement
from hip.domain.clinical_documents import Attachment, Document
from hip.domain.clinical_invoices import ChargeKind, Invoice, InvoiceKind, InvoiceLine
from hip.domain.clinical_reports import ImagingReport, Immunization, ImmunizationDue, LabReport, LabResult
from hip.domain.clinical_vitals import Vitals, Wellness
from hip.domain.hi_types import HiType
from hip.domain.recorded import Concept
from hip.domain.visits import VisitRecord

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "visits").glob("*.json"))
PROFILES = "https://nrces.in/ndhm/fhir/r4/StructureDefinition/"

# HI type → profile, type code, and the sections in order with the resources each may refer to (profiles.md §1, §2).
SECTIONS: dict[HiType, tuple[str, str | None, dict[str, set[str]]]] = {
    HiType.OP_CONSULTATION: (
        "OPConsultRecord",
        "371530004",
        {
            "422843007": {"Condition"},
            "425044008": {"Observation"},
            "722446000": {"AllergyIntolerance"},
            "371529009": {"Condition", "Procedure"},
            "422432008": {"FamilyMemberHistory"},
            "721963009": {"ServiceRequest"},
            "721912009": {"MedicationStatement", "MedicationRequest"},
            "390906007": {"Appointment"},
            "371525003": {"Procedure"},
            "306206005": {"ServiceRequest"},
            "404684003": {"Observation"},
            "371530004": {"DocumentReference"},
        },
    ),
    HiType.DISCHARGE_SUMMARY: (
        "DischargeSummaryRecord",
        "373942005",
        {
            "422843007": {"Condition"},
            "425044008": {"Observation"},
            "722446000": {"AllergyIntolerance"},
            "1003642006": {"Condition", "Procedure"},
            "422432008": {"FamilyMemberHistory"},
            "721981007": {"DiagnosticReport"},
            "1003606003": {"MedicationRequest"},
            "1003640003": {"Procedure"},
            "734163000": {"CarePlan"},
            "373942005": {"DocumentReference"},
        },
    ),
    HiType.PRESCRIPTION: ("PrescriptionRecord", "440545006", {"440545006": {"MedicationRequest", "Binary"}}),
    HiType.DIAGNOSTIC_REPORT: (
        "DiagnosticReportRecord",
        "721981007",
        {code: {"DiagnosticReport", "DocumentReference"} for code in ("4241000179101", "4201000179104", "721981007")},
    ),
    HiType.IMMUNIZATION_RECORD: (
        "ImmunizationRecord",
        "41000179103",
        {"41000179103": {"Immunization", "ImmunizationRecommendation", "DocumentReference"}},
    ),
    HiType.HEALTH_DOCUMENT_RECORD: ("HealthDocumentRecord", "419891008", {"419891008": {"DocumentReference"}}),
    HiType.WELLNESS_RECORD: (
        "WellnessRecord",
        None,
        {
            "Vital Signs": {"ObservationVitalSigns"},
            "Body Measurement": {"ObservationBodyMeasurement"},
            "Physical Activity": {"ObservationPhysicalActivity"},
            "General Assessment": {"ObservationGeneralAssessment"},
            "Women Health": {"ObservationWomenHealth"},
            "Lifestyle": {"ObservationLifestyle"},
            "Other Observations": {"Observation"},
            "Document Reference": {"DocumentReference"},
        },
    ),
    HiType.INVOICE: ("InvoiceRecord", None, {"Invoice": {"Invoice"}}),
}
TYPED = {HiType.PRESCRIPTION, HiType.DIAGNOSTIC_REPORT, HiType.IMMUNIZATION_RECORD, HiType.INVOICE}
ONE_SECTION = TYPED | {HiType.HEALTH_DOCUMENT_RECORD}


def composed(visit: VisitRecord, hi_type: HiType) -> dict[str, Any]:
    return json.loads(FhirComposer().compose(visit, hi_type, facility=CLINIC))


def of_kind(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def check_document(bundle: dict[str, Any], hi_type: HiType) -> None:
    """The document rules of profiles.md §2 and §3 that do not depend on what the visit holds."""
    profile, code, sections = SECTIONS[hi_type]
    composition = bundle["entry"][0]["resource"]
    held = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    assert len(held) == len(bundle["entry"])
    assert bundle["type"] == "document"
    assert bundle["identifier"]["system"]
    assert bundle["identifier"]["value"]
    assert composition["resourceType"] == "Composition"
    assert composition["meta"]["profile"] == [PROFILES + profile]
    assert [each["code"] for each in composition["type"].get("coding", [])] == ([] if code is None else [code])
    _check_sections(composition["section"], sections, held, hi_type)
    _check_references(composition, held)


def _check_sections(written: list[Any], sections: dict[str, set[str]], held: dict[str, Any], hi_type: HiType) -> None:
    assert written
    assert hi_type not in ONE_SECTION or len(written) == 1
    order = list(sections)
    places = []
    for section in written:
        assert section["title"]
        assert section["text"]["div"].startswith('<div xmlns="http://www.w3.org/1999/xhtml">')
        name = section["code"]["coding"][0]["code"] if "code" in section else section["title"]
        places.append(order.index(name) if name in order else len(order))
        for entry in section.get("entry", []):
            target = held[entry["reference"]]
            assert ("type" in entry) == (hi_type in TYPED)
            assert entry.get("type", target["resourceType"]) == target["resourceType"]
            if name in sections:
                profile = target["meta"]["profile"][0].removeprefix(PROFILES)
                assert {target["resourceType"], profile} & sections[name]
    assert places == sorted(places)
    assert len(set(places) - {len(order)}) == len([place for place in places if place < len(order)])


def _check_references(composition: dict[str, Any], held: dict[str, Any]) -> None:
    """Every reference resolves inside the bundle, and every entry is reached from the Composition."""
    reached = {f"urn:uuid:{composition['id']}"}
    waiting = [composition]
    while waiting:
        for url in _urls(waiting.pop()):
            assert url in held
            if url not in reached:
                reached.add(url)
                waiting.append(held[url])
    assert reached == set(held)


def _urls(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["reference"]] if isinstance(value.get("reference"), str) else []
        return own + [url for each in value.values() for url in _urls(each)]
    return [url for each in value for url in _urls(each)] if isinstance(value, list) else []


@given(visits())
@settings(max_examples=20, deadline=None)
def test_every_bundle_of_any_visit_keeps_the_profiles_and_loads_in_r4b(visit):
    check_visit(visit)


@pytest.mark.soak
@pytest.mark.timeout(1_200)
@given(visits())
@settings(max_examples=2_000, deadline=None)
def test_two_thousand_visits_keep_the_profiles(visit):
    check_visit(visit)


def check_visit(visit: VisitRecord) -> None:
    for hi_type in HiType:
        if visit.has_data_for(hi_type):
            content = FhirComposer().compose(visit, hi_type, facility=CLINIC)
            check_document(json.loads(content), hi_type)
            Bundle.model_validate_json(content)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_bundle_of_the_examples_keeps_the_profiles_and_loads_in_r4b(example):
    visit = VisitRecordReader().read(example.read_bytes())
    for hi_type in visit.required_hi_types:
        content = FhirComposer().compose(visit, hi_type, facility=CLINIC)
        check_document(json.loads(content), hi_type)
        Bundle.model_validate_json(content)


def test_the_examples_show_all_eight_types():
    shown = {each for path in EXAMPLES for each in VisitRecordReader().read(path.read_bytes()).required_hi_types}
    assert shown == set(HiType)


def test_all_slices_of_a_consultation_are_filled_when_the_data_is_there():
    visit = VisitRecordReader().read(EXAMPLES[-1].read_bytes())
    codes = {
        section["code"]["coding"][0]["code"]
        for section in composed(visit, HiType.DISCHARGE_SUMMARY)["entry"][0]["resource"]["section"]
        if "code" in section
    }
    assert set(SECTIONS[HiType.DISCHARGE_SUMMARY][2]) - codes == {"373942005"}


def test_narratives_are_escaped():
    visit = a_bare_visit(complaints=(Complaint(text="<script>alert('x')</script> & \"pain\""),), notes="a < b\nc")
    sections = composed(visit, HiType.OP_CONSULTATION)["entry"][0]["resource"]["section"]
    assert "&lt;script&gt;alert('x')&lt;/script&gt; &amp; \"pain\"" in sections[0]["text"]["div"]
    assert "<p>a &lt; b<br/>c</p>" in sections[-1]["text"]["div"]


def test_other_blanks_become_spaces():
    """FHIR strings know no other blank than space, tab and line ends."""
    visit = a_bare_visit(complaints=(Complaint(text="sore\u00a0throat\u2003since\u3000Monday \u0928"),))
    assert (
        of_kind(composed(visit, HiType.OP_CONSULTATION), "Condition")[0]["code"]["text"] == "sore throat since Monday न"
    )


def test_notes_alone_make_a_consultation():
    bundle = composed(a_bare_visit(notes="Advised rest"), HiType.OP_CONSULTATION)
    (section,) = bundle["entry"][0]["resource"]["section"]
    assert section["title"] == "Notes"
    assert "entry" not in section


@pytest.mark.parametrize(("data", "kind"), [(PDF, "application/pdf"), (JPEG, "image/jpeg"), (PNG, "image/png")])
def test_a_health_document_carries_its_file_unchanged(data, kind):
    visit = a_bare_visit(documents=(Document(title="Scan", data=data, kind=Concept(text="Old records")),))
    (made,) = of_kind(composed(visit, HiType.HEALTH_DOCUMENT_RECORD), "DocumentReference")
    attachment = made["content"][0]["attachment"]
    assert (attachment["contentType"], base64.b64decode(attachment["data"])) == (kind, data)
    assert made["type"] == {"text": "Old records"}


def test_a_scanned_prescription_is_a_binary():
    scan = Document(title="Scan", data=JPEG, belongs_to=HiType.PRESCRIPTION)
    bundle = composed(a_bare_visit(documents=(scan,)), HiType.PRESCRIPTION)
    (binary,) = of_kind(bundle, "Binary")
    assert (binary["contentType"], base64.b64decode(binary["data"])) == ("image/jpeg", JPEG)
    check_document(bundle, HiType.PRESCRIPTION)


def _lab(name: str, value: str = "9.5") -> LabReport:
    return LabReport(
        text=name, results=(LabResult(text=f"{name} result", value=Decimal(value)),), conclusion=f"{name} seen"
    )


def test_several_reports_become_one_with_panels():
    """The profile has room for one DiagnosticReport; nothing may be lost."""
    imaging = ImagingReport(text="Chest X-ray", findings="Clear", images=(Attachment(title="Film", data=JPEG),))
    visit = a_bare_visit(lab_reports=(_lab("Blood count"), _lab("Lipids")), imaging_reports=(imaging,))
    bundle = composed(visit, HiType.DIAGNOSTIC_REPORT)
    (report,) = of_kind(bundle, "DiagnosticReport")
    assert report["meta"]["profile"] == [PROFILES + "DiagnosticReportLab"]
    assert report["conclusion"].splitlines() == [
        "Blood count: Blood count seen",
        "Lipids: Lipids seen",
        "Chest X-ray: Clear",
    ]
    assert len(report["result"]) == 4
    assert len(report["media"]) == 1
    panels = [each for each in of_kind(bundle, "Observation") if "hasMember" in each]
    assert [each["code"]["text"] for each in panels] == ["Blood count", "Lipids"]
    check_document(bundle, HiType.DIAGNOSTIC_REPORT)


def test_a_single_report_is_itself():
    bundle = composed(a_bare_visit(lab_reports=(_lab("Blood count"),)), HiType.DIAGNOSTIC_REPORT)
    (report,) = of_kind(bundle, "DiagnosticReport")
    assert (report["code"], report["conclusion"]) == ({"text": "Blood count"}, "Blood count seen")
    assert bundle["entry"][0]["resource"]["section"][0]["title"] == "Laboratory report"


def test_an_imaging_report_without_images_carries_its_words_as_media():
    """DiagnosticReportImaging demands a Media with content; the words are the only content there is."""
    visit = a_bare_visit(imaging_reports=(ImagingReport(text="USG abdomen", findings="सामान्य", modality="US"),))
    bundle = composed(visit, HiType.DIAGNOSTIC_REPORT)
    (media,) = of_kind(bundle, "Media")
    assert media["content"]["contentType"].startswith("text/plain")
    assert base64.b64decode(media["content"]["data"]).decode() == "USG abdomen\nसामान्य"
    assert of_kind(bundle, "DiagnosticReport")[0]["meta"]["profile"] == [PROFILES + "DiagnosticReportImaging"]


def test_a_discharge_summary_keeps_reports_apart():
    visit = a_bare_visit(lab_reports=(_lab("Blood count"), _lab("Lipids")))
    assert len(of_kind(composed(visit, HiType.DISCHARGE_SUMMARY), "DiagnosticReport")) == 2


def test_two_imaging_reports_of_an_admission_share_no_image():
    film = Attachment(title="Film", data=JPEG)
    visit = a_bare_visit(
        imaging_reports=(ImagingReport(text="X-ray", images=(film,)), ImagingReport(text="CT", images=(film,)))
    )
    bundle = composed(visit, HiType.DISCHARGE_SUMMARY)
    assert len({each["id"] for each in of_kind(bundle, "Media")}) == 2


def test_a_dicom_study_is_named_by_its_uid():
    visit = a_bare_visit(
        imaging_reports=(ImagingReport(text="CT", conclusion="Normal", modality="CT", study_uid="1.2.3"),)
    )
    (study,) = of_kind(composed(visit, HiType.DIAGNOSTIC_REPORT), "ImagingStudy")
    assert study["identifier"] == [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}]
    assert study["modality"][0]["code"] == "CT"


def test_vaccines_given_and_due():
    given_dose = Immunization(
        text="BCG", snomed="836402002", brand="Tubervac", lot_number="A1", dose_number=1, series_doses=1
    )
    due = ImmunizationDue(text="OPV", due=date(2026, 4, 9), dose_number=1)
    bundle = composed(a_bare_visit(immunizations=(given_dose,), immunizations_due=(due,)), HiType.IMMUNIZATION_RECORD)
    (made,) = of_kind(bundle, "Immunization")
    assert made["extension"] == [{"url": PROFILES + "BrandName", "valueString": "Tubervac"}]
    assert made["protocolApplied"] == [{"doseNumberPositiveInt": 1, "seriesDosesPositiveInt": 1}]
    (recommendation,) = of_kind(bundle, "ImmunizationRecommendation")
    assert recommendation["recommendation"][0]["dateCriterion"][0]["value"] == "2026-04-09"
    assert recommendation["recommendation"][0]["forecastStatus"]["coding"][0]["code"] == "due"


def test_wellness_figures_stand_under_their_titles():
    wellness = Wellness(
        steps=Decimal(8200),
        waist_cm=Decimal(88),
        smoking=Concept(text="Never smoked"),
        last_period=date(2026, 3, 1),
        wellbeing=Concept(text="Feels well"),
        other=(Measurement(text="Grip strength", value=Decimal(31), unit="kg"),),
    )
    bundle = composed(a_bare_visit(vitals=Vitals(pulse=Decimal(70)), wellness=wellness), HiType.WELLNESS_RECORD)
    composition = bundle["entry"][0]["resource"]
    assert composition["type"] == {"text": "Wellness Record"}
    assert [section["title"] for section in composition["section"]] == list(SECTIONS[HiType.WELLNESS_RECORD][2])[:7]
    by_code = {
        each["code"]["coding"][0]["code"]: each for each in of_kind(bundle, "Observation") if "coding" in each["code"]
    }
    assert by_code["55423-8"]["valueQuantity"]["code"] == "{steps}"
    assert by_code["365981007"]["valueCodeableConcept"] == {"text": "Never smoked"}
    assert by_code["8665-2"]["valueString"] == "2026-03-01"


def test_invoice_lines_carry_tax_and_add_up():
    medicine = InvoiceLine(
        text="Paracetamol 500 mg",
        kind=ChargeKind.MEDICINES,
        quantity=Decimal(10),
        unit="tablets",
        rate=Decimal("1.50"),
        mrp=Decimal(2),
        discount=Decimal(1),
        cgst=Decimal("0.84"),
        sgst=Decimal("0.84"),
        hsn="30049063",
        batch="B1",
        expires=date(2027, 1, 31),
    )
    fee = InvoiceLine(text="Consultation", kind=ChargeKind.CONSULTATION, rate=Decimal(300))
    visit = a_bare_visit(invoice=Invoice(number="INV-1", kind=InvoiceKind.OPD, lines=(medicine, fee)))
    bundle = composed(visit, HiType.INVOICE)
    (bill,) = of_kind(bundle, "Invoice")
    assert bill["totalNet"] == {"value": 314, "currency": "INR"}
    assert bill["totalGross"] == {"value": 315.68, "currency": "INR"}
    components = {each["code"]["coding"][0]["display"]: each for each in bill["lineItem"][0]["priceComponent"]}
    assert {name: (each["type"], each["amount"]["value"]) for name, each in components.items()} == {
        "Rate": ("base", 15),
        "MRP": ("informational", 2),
        "Discount": ("discount", 1),
        "CGST": ("tax", 0.84),
        "SGST": ("tax", 0.84),
    }
    (sold,) = of_kind(bundle, "Medication")
    assert sold["identifier"][0]["value"] == "30049063"
    assert sold["batch"] == {"lotNumber": "B1", "expirationDate": "2027-01-31"}
    assert [each["code"]["coding"][0]["code"] for each in of_kind(bundle, "ChargeItem")] == ["05", "00"]
    assert of_kind(bundle, "ChargeItem")[1]["productCodeableConcept"] == {"text": "Consultation"}


def test_a_consultation_repeats_no_entry_the_visit_does_not_have():
    bundle = composed(a_visit(), HiType.OP_CONSULTATION)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds.count("Condition") == 2
    assert kinds.count("Observation") == 3
    assert kinds.count("MedicationRequest") == 1
