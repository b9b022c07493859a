"""The eight documents and their sections: codes and titles exactly as the profiles fix them (profiles.md §1, §2)."""

from typing import NamedTuple

from hip.adapters.fhir.composition.codes import SNOMED, Code
from hip.domain.hi_types import HiType

PROFILES = "https://nrces.in/ndhm/fhir/r4/StructureDefinition/"


class Layout(NamedTuple):
    """A document: its profile, type, title, and ``type.text`` where the guide fixes that instead of a code."""

    profile: str
    title: str
    code: Code | None
    text: str


LAYOUTS: dict[HiType, Layout] = {
    HiType.OP_CONSULTATION: Layout(
        "OPConsultRecord",
        "Consultation Report",
        Code(SNOMED, "371530004", "Clinical consultation report"),
        "Clinical Consultation report",
    ),
    HiType.PRESCRIPTION: Layout(
        "PrescriptionRecord", "Prescription", Code(SNOMED, "440545006", "Prescription record"), "Prescription record"
    ),
    HiType.DISCHARGE_SUMMARY: Layout(
        "DischargeSummaryRecord",
        "Discharge Summary",
        Code(SNOMED, "373942005", "Discharge summary"),
        "Discharge Summary",
    ),
    HiType.DIAGNOSTIC_REPORT: Layout(
        "DiagnosticReportRecord",
        "Diagnostic Report",
        Code(SNOMED, "721981007", "Diagnostic studies report"),
        "Diagnostic Report",
    ),
    HiType.IMMUNIZATION_RECORD: Layout(
        "ImmunizationRecord",
        "Immunization Record",
        Code(SNOMED, "41000179103", "Immunization record"),
        "Immunization record",
    ),
    HiType.HEALTH_DOCUMENT_RECORD: Layout(
        "HealthDocumentRecord", "Health Document", Code(SNOMED, "419891008", "Record artifact"), "Record artifact"
    ),
    HiType.WELLNESS_RECORD: Layout("WellnessRecord", "Wellness Record", None, "Wellness Record"),
    HiType.INVOICE: Layout("InvoiceRecord", "Invoice", None, "Invoice Record"),
}


class Heading(NamedTuple):
    """A section's title and code."""

    title: str
    code: Code | None


def _snomed(title: str, code: str, display: str) -> Heading:
    return Heading(title, Code(SNOMED, code, display))


CHIEF_COMPLAINTS = _snomed("Chief Complaints", "422843007", "Chief complaint section")
PHYSICAL_EXAMINATION = _snomed("Physical Examination", "425044008", "Physical exam section")
ALLERGIES = _snomed("Allergies", "722446000", "Allergy record")
FAMILY_HISTORY = _snomed("Family History", "422432008", "Family history section")

CONSULT_HISTORY = _snomed("Medical History", "371529009", "History and physical report")
CONSULT_INVESTIGATIONS = _snomed("Investigation Advice", "721963009", "Order document")
CONSULT_MEDICATIONS = _snomed("Medications", "721912009", "Medication summary document")
CONSULT_FOLLOW_UP = _snomed("Follow Up", "390906007", "Follow-up encounter")
CONSULT_PROCEDURES = _snomed("Procedure", "371525003", "Clinical procedure report")
CONSULT_REFERRAL = _snomed("Referral", "306206005", "Referral to service")
CONSULT_OBSERVATIONS = _snomed("Other Observations", "404684003", "Clinical finding")
CONSULT_DOCUMENTS = _snomed("Document Reference", "371530004", "Clinical consultation report")

DISCHARGE_HISTORY = _snomed("Medical History", "1003642006", "Past medical history section")
DISCHARGE_INVESTIGATIONS = _snomed("Investigations", "721981007", "Diagnostic studies report")
DISCHARGE_MEDICATIONS = _snomed("Medications", "1003606003", "Medication history section")
DISCHARGE_PROCEDURES = _snomed("Procedures", "1003640003", "History of past procedure section")
DISCHARGE_CARE_PLAN = _snomed("Care Plan", "734163000", "Care plan")
DISCHARGE_DOCUMENTS = _snomed("Document Reference", "373942005", "Discharge summary")

# Sections beyond the guide's slices stand after them (openAtEnd): it has no place of its own for these.
DIAGNOSES = _snomed("Diagnosis", "439401001", "Diagnosis")
HOME_MEDICATIONS = Heading("Medications before admission", None)
ADVICE_AT_DISCHARGE = Heading("Advice at discharge", None)
NOTES = Heading("Notes", None)

PRESCRIPTION = _snomed("Prescription", "440545006", "Prescription record")
IMMUNIZATIONS = _snomed("Immunization record", "41000179103", "Immunization record")
HEALTH_DOCUMENTS = _snomed("Health Document", "419891008", "Record artifact")
WELLNESS_OTHER = Heading("Other Observations", None)
WELLNESS_DOCUMENTS = Heading("Document Reference", None)
INVOICE = Heading("Invoice", None)
