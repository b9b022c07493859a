"""Code systems and the codes the composer writes, as tables: hospital's word → code and display.

Displays are the code systems' own. A word that is in no table is written as text (profiles.md: text is always allowed).
"""

from typing import NamedTuple

from hip.domain.clinical import AdviceKind
from hip.domain.clinical_invoices import ChargeKind, InvoiceKind
from hip.domain.clinical_reports import ForecastStatus, Interpretation
from hip.domain.visits import VisitClass

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
UCUM = "http://unitsofmeasure.org"
DICOM = "http://dicom.nema.org/resources/ontology/DCM"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
GTS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONDITION_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
FORECAST = "http://terminology.hl7.org/CodeSystem/immunization-recommendation-status"
HL7_IDENTIFIER = "http://terminology.hl7.org/CodeSystem/v2-0203"
ABDM_IDENTIFIER = "https://nrces.in/ndhm/fhir/r4/CodeSystem/ndhm-identifier-type-code"
BILLING = "https://nrces.in/ndhm/fhir/r4/CodeSystem/ndhm-billing-codes"
PRICE_COMPONENT = "https://nrces.in/ndhm/fhir/r4/CodeSystem/ndhm-price-components"
ABHA_NUMBER_SYSTEM = "https://healthid.abdm.gov.in"
ABHA_ADDRESS_SYSTEM = "https://phr.abdm.gov.in"
HPR_SYSTEM = "https://hpr.abdm.gov.in"


class Code(NamedTuple):
    """One coding of FHIR."""

    system: str
    code: str
    display: str

    def coding(self) -> dict[str, str]:
        """As FHIR's Coding."""
        return {"system": self.system, "code": self.code, "display": self.display}

    def concept(self, text: str | None = None) -> dict[str, object]:
        """As FHIR's CodeableConcept; ``text`` is the source's word for it, the display when there is none."""
        return {"coding": [self.coding()], "text": text or self.display}


# Health records are restricted information; the code stands in `code` (amrit.md §4 found it in `display`).
RESTRICTED = Code(CONFIDENTIALITY, "R", "restricted")

IDENTIFIER_TYPES: dict[str, Code] = {
    "patient number": Code(HL7_IDENTIFIER, "MR", "Medical record number"),
    "abha number": Code(ABDM_IDENTIFIER, "ABHA", "Ayushman Bharat Health Account (ABHA) ID"),
    "abha address": Code(ABDM_IDENTIFIER, "HIN", "Health ID issued by NDHM"),
    "practitioner number": Code(HL7_IDENTIFIER, "PRN", "Provider number"),
    "council registration": Code(HL7_IDENTIFIER, "MD", "Medical License number"),
    "hpr id": Code(ABDM_IDENTIFIER, "HPID", "Healthcare Professional ID (HPID)"),
    "facility": Code(HL7_IDENTIFIER, "PRN", "Provider number"),
    "hsn": Code(ABDM_IDENTIFIER, "HSN", "Harmonized System of Nomenclature"),
}

VISIT_CLASSES: dict[VisitClass, Code] = {
    VisitClass.AMBULATORY: Code(ACT_CODE, "AMB", "ambulatory"),
    VisitClass.INPATIENT: Code(ACT_CODE, "IMP", "inpatient encounter"),
    VisitClass.EMERGENCY: Code(ACT_CODE, "EMER", "emergency"),
    VisitClass.DAY_CARE: Code(ACT_CODE, "SS", "short stay"),
    VisitClass.OBSERVATION: Code(ACT_CODE, "OBSENC", "observation encounter"),
    VisitClass.HOME: Code(ACT_CODE, "HH", "home health"),
    VisitClass.VIRTUAL: Code(ACT_CODE, "VR", "virtual"),
    VisitClass.FIELD: Code(ACT_CODE, "FLD", "field"),
}

CLINICAL_DIAGNOSIS = Code(SNOMED, "39154008", "Clinical diagnosis")
PROVISIONAL_DIAGNOSIS = Code(SNOMED, "148006", "Preliminary diagnosis")
PROBLEM = Code(CONDITION_CATEGORY, "problem-list-item", "Problem List Item")
ENCOUNTER_DIAGNOSIS = Code(CONDITION_CATEGORY, "encounter-diagnosis", "Encounter Diagnosis")

ADVICE_CATEGORIES: dict[AdviceKind, Code] = {
    AdviceKind.LABORATORY: Code(SNOMED, "108252007", "Laboratory procedure"),
    AdviceKind.IMAGING: Code(SNOMED, "363679005", "Imaging"),
}
REFERRAL = Code(SNOMED, "306206005", "Referral to service")
FOLLOW_UP = Code(SNOMED, "185389009", "Follow-up visit")
CARE_PLAN = Code(SNOMED, "734163000", "Care plan")
VACCINE_DUE = Code(LOINC, "30980-7", "Date vaccine due")

RELATIONSHIPS: dict[str, Code] = {
    "father": Code(ROLE_CODE, "FTH", "father"),
    "mother": Code(ROLE_CODE, "MTH", "mother"),
    "brother": Code(ROLE_CODE, "BRO", "brother"),
    "sister": Code(ROLE_CODE, "SIS", "sister"),
    "sibling": Code(ROLE_CODE, "SIB", "sibling"),
    "son": Code(ROLE_CODE, "SON", "natural son"),
    "daughter": Code(ROLE_CODE, "DAU", "natural daughter"),
    "child": Code(ROLE_CODE, "CHILD", "child"),
    "husband": Code(ROLE_CODE, "HUSB", "husband"),
    "wife": Code(ROLE_CODE, "WIFE", "wife"),
    "spouse": Code(ROLE_CODE, "SPS", "spouse"),
    "grandfather": Code(ROLE_CODE, "GRFTH", "grandfather"),
    "grandmother": Code(ROLE_CODE, "GRMTH", "grandmother"),
    "paternal grandfather": Code(ROLE_CODE, "PGRFTH", "paternal grandfather"),
    "paternal grandmother": Code(ROLE_CODE, "PGRMTH", "paternal grandmother"),
    "maternal grandfather": Code(ROLE_CODE, "MGRFTH", "maternal grandfather"),
    "maternal grandmother": Code(ROLE_CODE, "MGRMTH", "maternal grandmother"),
    "uncle": Code(ROLE_CODE, "UNCLE", "uncle"),
    "paternal uncle": Code(ROLE_CODE, "PUNCLE", "paternal uncle"),
    "maternal uncle": Code(ROLE_CODE, "MUNCLE", "maternal uncle"),
    "aunt": Code(ROLE_CODE, "AUNT", "aunt"),
    "paternal aunt": Code(ROLE_CODE, "PAUNT", "paternal aunt"),
    "maternal aunt": Code(ROLE_CODE, "MAUNT", "maternal aunt"),
    "cousin": Code(ROLE_CODE, "COUSN", "cousin"),
}
FAMILY_MEMBER = Code(ROLE_CODE, "FAMMEMB", "family member")

INTERPRETATIONS: dict[Interpretation, Code] = {
    Interpretation.NORMAL: Code(INTERPRETATION, "N", "Normal"),
    Interpretation.LOW: Code(INTERPRETATION, "L", "Low"),
    Interpretation.HIGH: Code(INTERPRETATION, "H", "High"),
    Interpretation.CRITICALLY_LOW: Code(INTERPRETATION, "LL", "Critical low"),
    Interpretation.CRITICALLY_HIGH: Code(INTERPRETATION, "HH", "Critical high"),
    Interpretation.ABNORMAL: Code(INTERPRETATION, "A", "Abnormal"),
    Interpretation.POSITIVE: Code(INTERPRETATION, "POS", "Positive"),
    Interpretation.NEGATIVE: Code(INTERPRETATION, "NEG", "Negative"),
}

FORECASTS: dict[ForecastStatus, Code] = {
    ForecastStatus.DUE: Code(FORECAST, "due", "Due"),
    ForecastStatus.OVERDUE: Code(FORECAST, "overdue", "Overdue"),
    ForecastStatus.IMMUNE: Code(FORECAST, "immune", "Immune"),
    ForecastStatus.CONTRAINDICATED: Code(FORECAST, "contraindicated", "Contraindicated"),
    ForecastStatus.COMPLETE: Code(FORECAST, "complete", "Complete"),
}

INVOICE_TYPES: dict[InvoiceKind, Code] = {
    InvoiceKind.CONSULTATION: Code(BILLING, "00", "Consultation"),
    InvoiceKind.PHARMACY: Code(BILLING, "01", "Pharmacy"),
    InvoiceKind.IPD: Code(BILLING, "02", "IPD"),
    InvoiceKind.OPD: Code(BILLING, "03", "OPD"),
    InvoiceKind.OTHER: Code(BILLING, "99", "Others"),
}
CHARGE_TYPES: dict[ChargeKind, Code] = {
    ChargeKind.CONSULTATION: Code(BILLING, "00", "Consultation"),
    ChargeKind.PHARMACY: Code(BILLING, "01", "Pharmacy"),
    ChargeKind.IPD: Code(BILLING, "02", "IPD"),
    ChargeKind.OPD: Code(BILLING, "03", "OPD"),
    ChargeKind.PATHOLOGY: Code(BILLING, "04", "Pathology"),
    ChargeKind.MEDICINES: Code(BILLING, "05", "Medicines"),
    ChargeKind.NURSING: Code(BILLING, "06", "Nursing Charges"),
    ChargeKind.HANDLING: Code(BILLING, "07", "Handling Charges"),
    ChargeKind.DELIVERY: Code(BILLING, "08", "Delivery Charges"),
    ChargeKind.OTHER: Code(BILLING, "99", "Others"),
}
# Field of an invoice line → price component type of FHIR, and the guide's code.
PRICE_COMPONENTS: tuple[tuple[str, str, Code], ...] = (
    ("price", "base", Code(PRICE_COMPONENT, "01", "Rate")),
    ("mrp", "informational", Code(PRICE_COMPONENT, "00", "MRP")),
    ("discount", "discount", Code(PRICE_COMPONENT, "02", "Discount")),
    ("cgst", "tax", Code(PRICE_COMPONENT, "03", "CGST")),
    ("sgst", "tax", Code(PRICE_COMPONENT, "04", "SGST")),
)

REPORT_SECTIONS: dict[str, Code] = {
    "laboratory": Code(SNOMED, "4241000179101", "Laboratory report"),
    "imaging": Code(SNOMED, "4201000179104", "Imaging report"),
    "both": Code(SNOMED, "721981007", "Diagnostic studies report"),
}
REPORT_CATEGORIES: dict[str, Code] = {
    "laboratory": Code(SNOMED, "708184003", "Clinical pathology service"),
    "imaging": Code(SNOMED, "708175003", "Diagnostic imaging service"),
}

ROUTES: dict[str, Code] = {
    **dict.fromkeys(("oral", "po", "p.o.", "by mouth", "per oral"), Code(SNOMED, "26643006", "Oral route")),
    **dict.fromkeys(("iv", "i.v.", "intravenous"), Code(SNOMED, "47625008", "Intravenous route")),
    **dict.fromkeys(("im", "i.m.", "intramuscular"), Code(SNOMED, "78421000", "Intramuscular route")),
    **dict.fromkeys(("sc", "s.c.", "subcutaneous"), Code(SNOMED, "34206005", "Subcutaneous route")),
    **dict.fromkeys(("id", "i.d.", "intradermal"), Code(SNOMED, "372464004", "Intradermal route")),
    **dict.fromkeys(("topical", "local application", "l/a"), Code(SNOMED, "6064005", "Topical route")),
    **dict.fromkeys(("inhalation", "inhaled", "nebulisation"), Code(SNOMED, "447694001", "Respiratory tract route")),
    **dict.fromkeys(("nasal", "intranasal"), Code(SNOMED, "46713006", "Nasal route")),
    **dict.fromkeys(("ophthalmic", "eye"), Code(SNOMED, "54485002", "Ophthalmic route")),
    **dict.fromkeys(("otic", "ear"), Code(SNOMED, "10547007", "Otic route")),
    **dict.fromkeys(("rectal", "per rectum", "pr"), Code(SNOMED, "37161004", "Rectal route")),
    **dict.fromkeys(("vaginal", "per vaginum", "pv"), Code(SNOMED, "16857009", "Vaginal route")),
    **dict.fromkeys(("sublingual", "sl", "s.l."), Code(SNOMED, "37839007", "Sublingual route")),
    **dict.fromkeys(("buccal",), Code(SNOMED, "54471007", "Buccal route")),
    **dict.fromkeys(("transdermal",), Code(SNOMED, "45890007", "Transdermal route")),
}
INSTRUCTIONS: dict[str, Code] = {
    **dict.fromkeys(
        ("after food", "after meals", "with food", "with or after food", "pc"),
        Code(SNOMED, "311504000", "With or after food"),
    ),
}
