"""Which elements of a resource an app shows, in which order, under which label."""

from collections.abc import Mapping
from typing import NamedTuple


class Field(NamedTuple):
    """``path`` leads from the resource through objects and lists; ``[x]`` stands for whatever type the value has.

    ``type`` is the FHIR type of the value where the path does not say it. The target of an ``Item`` is a reference
    whose resource stands below this one, that of a ``Reference`` is only named.
    """

    label: str
    path: str
    type: str = ""


_NOTE = Field("Note", "note", "Annotation")
_STATUS = Field("Status", "status")
_REASONS = (Field("Reason", "reasonCode", "CodeableConcept"), Field("Reason", "reasonReference", "Reference"))

LAYOUTS: Mapping[str, tuple[Field, ...]] = {
    "Patient": (
        Field("Name", "name", "HumanName"),
        Field("Gender", "gender"),
        Field("Born", "birthDate"),
        Field("Number", "identifier", "Identifier"),
        Field("Contact", "telecom", "ContactPoint"),
        Field("Address", "address", "Address"),
    ),
    "Practitioner": (
        Field("Name", "name", "HumanName"),
        Field("Qualification", "qualification.code", "CodeableConcept"),
        Field("Number", "identifier", "Identifier"),
        Field("Contact", "telecom", "ContactPoint"),
    ),
    "PractitionerRole": (
        Field("Name", "practitioner", "Reference"),
        Field("Role", "code", "CodeableConcept"),
        Field("Speciality", "specialty", "CodeableConcept"),
        Field("Organization", "organization", "Reference"),
    ),
    "Organization": (
        Field("Name", "name"),
        Field("Number", "identifier", "Identifier"),
        Field("Contact", "telecom", "ContactPoint"),
        Field("Address", "address", "Address"),
    ),
    "Encounter": (
        Field("Visit", "class", "Coding"),
        Field("Type", "type", "CodeableConcept"),
        Field("Time", "period", "Period"),
        _STATUS,
        Field("Reason", "reasonCode", "CodeableConcept"),
        Field("Discharge", "hospitalization.dischargeDisposition", "CodeableConcept"),
    ),
    "Condition": (
        Field("Condition", "code", "CodeableConcept"),
        Field("Severity", "severity", "CodeableConcept"),
        Field("State", "clinicalStatus", "CodeableConcept"),
        Field("Body site", "bodySite", "CodeableConcept"),
        Field("Onset", "onset[x]"),
        Field("Until", "abatement[x]"),
        _NOTE,
    ),
    "Observation": (
        Field("Observation", "code", "CodeableConcept"),
        Field("Value", "value[x]"),
        Field("Not recorded", "dataAbsentReason", "CodeableConcept"),
        Field("Interpretation", "interpretation", "CodeableConcept"),
        Field("Reference range", "referenceRange", "Range"),
        Field("Body site", "bodySite", "CodeableConcept"),
        Field("Method", "method", "CodeableConcept"),
        Field("Time", "effective[x]"),
        _NOTE,
        Field("", "hasMember", "Item"),
    ),
    "AllergyIntolerance": (
        Field("Allergy", "code", "CodeableConcept"),
        Field("State", "clinicalStatus", "CodeableConcept"),
        Field("Certainty", "verificationStatus", "CodeableConcept"),
        Field("Criticality", "criticality"),
        Field("Reaction", "reaction.manifestation", "CodeableConcept"),
        Field("Severity", "reaction.severity"),
        Field("Onset", "onset[x]"),
        _NOTE,
    ),
    "Procedure": (
        Field("Procedure", "code", "CodeableConcept"),
        _STATUS,
        Field("Time", "performed[x]"),
        Field("Body site", "bodySite", "CodeableConcept"),
        Field("Outcome", "outcome", "CodeableConcept"),
        Field("Complication", "complication", "CodeableConcept"),
        *_REASONS,
        Field("Follow-up", "followUp", "CodeableConcept"),
        _NOTE,
    ),
    "FamilyMemberHistory": (
        Field("Relative", "relationship", "CodeableConcept"),
        Field("Name", "name"),
        Field("Condition", "condition.code", "CodeableConcept"),
        Field("Onset", "condition.onset[x]"),
        Field("Outcome", "condition.outcome", "CodeableConcept"),
        _NOTE,
    ),
    "ServiceRequest": (
        Field("Advised", "code", "CodeableConcept"),
        Field("Kind", "category", "CodeableConcept"),
        Field("Priority", "priority"),
        Field("When", "occurrence[x]"),
        Field("By", "performer", "Reference"),
        *_REASONS,
        _NOTE,
    ),
    "Appointment": (
        Field("Appointment", "appointmentType", "CodeableConcept"),
        Field("About", "description"),
        Field("Service", "serviceType", "CodeableConcept"),
        Field("Speciality", "specialty", "CodeableConcept"),
        _STATUS,
        Field("From", "start"),
        Field("To", "end"),
        Field("With", "participant.actor", "Reference"),
        *_REASONS,
    ),
    "CarePlan": (
        Field("Plan", "title"),
        Field("Kind", "category", "CodeableConcept"),
        Field("About", "description"),
        Field("Time", "period", "Period"),
        Field("Activity", "activity.detail.description"),
        Field("Activity", "activity.detail.code", "CodeableConcept"),
        Field("Activity", "activity.reference", "Item"),
        Field("Goal", "goal", "Item"),
        _NOTE,
    ),
    "Goal": (Field("Goal", "description", "CodeableConcept"), Field("State", "lifecycleStatus"), _NOTE),
    "Medication": (
        Field("Medicine", "code", "CodeableConcept"),
        Field("Form", "form", "CodeableConcept"),
        Field("Manufacturer", "manufacturer", "Reference"),
        Field("Batch", "batch.lotNumber"),
        Field("Expires", "batch.expirationDate"),
    ),
    "MedicationRequest": (
        Field("Medicine", "medicationCodeableConcept", "CodeableConcept"),
        Field("Medicine", "medicationReference", "Item"),
        Field("Dosage", "dosageInstruction", "Dosage"),
        Field("Quantity", "dispenseRequest.quantity", "Quantity"),
        *_REASONS,
        Field("Prescribed", "authoredOn"),
        _STATUS,
        _NOTE,
    ),
    "MedicationStatement": (
        Field("Medicine", "medicationCodeableConcept", "CodeableConcept"),
        Field("Medicine", "medicationReference", "Item"),
        Field("Dosage", "dosage", "Dosage"),
        Field("Time", "effective[x]"),
        *_REASONS,
        _STATUS,
        _NOTE,
    ),
    "Immunization": (
        Field("Vaccine", "vaccineCode", "CodeableConcept"),
        _STATUS,
        Field("Not given because", "statusReason", "CodeableConcept"),
        Field("Given", "occurrence[x]"),
        Field("Dose", "protocolApplied.doseNumber[x]"),
        Field("Against", "protocolApplied.targetDisease", "CodeableConcept"),
        Field("Amount", "doseQuantity", "Quantity"),
        Field("Route", "route", "CodeableConcept"),
        Field("Site", "site", "CodeableConcept"),
        Field("Manufacturer", "manufacturer", "Reference"),
        Field("Batch", "lotNumber"),
        Field("Expires", "expirationDate"),
        _NOTE,
    ),
    "ImmunizationRecommendation": (
        Field("Vaccine", "recommendation.vaccineCode", "CodeableConcept"),
        Field("Against", "recommendation.targetDisease", "CodeableConcept"),
        Field("State", "recommendation.forecastStatus", "CodeableConcept"),
        Field("Due", "recommendation.dateCriterion.value"),
        Field("Dose", "recommendation.doseNumber[x]"),
        Field("About", "recommendation.description"),
    ),
    "DiagnosticReport": (
        Field("Report", "code", "CodeableConcept"),
        Field("Kind", "category", "CodeableConcept"),
        _STATUS,
        Field("Time", "effective[x]"),
        Field("Issued", "issued"),
        Field("By", "performer", "Reference"),
        Field("Interpreted by", "resultsInterpreter", "Reference"),
        Field("Conclusion", "conclusion"),
        Field("Conclusion", "conclusionCode", "CodeableConcept"),
        Field("File", "presentedForm", "Attachment"),
        Field("", "specimen", "Item"),
        Field("", "result", "Item"),
        Field("", "imagingStudy", "Item"),
        Field("", "media.link", "Item"),
    ),
    "Specimen": (
        Field("Specimen", "type", "CodeableConcept"),
        Field("Collected", "collection.collected[x]"),
        Field("Received", "receivedTime"),
        _NOTE,
    ),
    "ImagingStudy": (
        Field("Study", "description"),
        Field("Modality", "modality", "Coding"),
        Field("Procedure", "procedureCode", "CodeableConcept"),
        Field("Time", "started"),
        Field("Body site", "series.bodySite", "Coding"),
        _NOTE,
    ),
    "Media": (
        Field("Image", "content", "Attachment"),
        Field("Modality", "modality", "CodeableConcept"),
        Field("View", "view", "CodeableConcept"),
        Field("Body site", "bodySite", "CodeableConcept"),
        _NOTE,
    ),
    "DocumentReference": (
        Field("Document", "type", "CodeableConcept"),
        Field("About", "description"),
        Field("Date", "date"),
        Field("File", "content.attachment", "Attachment"),
    ),
    "Binary": (Field("File", "", "Attachment"),),
    "Invoice": (
        Field("Invoice", "type", "CodeableConcept"),
        Field("Number", "identifier", "Identifier"),
        Field("Date", "date"),
        _STATUS,
        Field("Line", "lineItem.chargeItemCodeableConcept", "CodeableConcept"),
        Field("Line", "lineItem.chargeItemReference", "Item"),
        Field("Net", "totalNet", "Money"),
        Field("Total", "totalGross", "Money"),
        _NOTE,
    ),
    "ChargeItem": (
        Field("Charge", "code", "CodeableConcept"),
        Field("Product", "productCodeableConcept", "CodeableConcept"),
        Field("Product", "productReference", "Item"),
        Field("Quantity", "quantity", "Quantity"),
        Field("Time", "occurrence[x]"),
        _NOTE,
    ),
}

# For resources the profiles give no place: whatever most have.
OTHER: tuple[Field, ...] = (
    Field("Name", "code", "CodeableConcept"),
    Field("Type", "type", "CodeableConcept"),
    Field("About", "description"),
    _STATUS,
    _NOTE,
)

COMPOSITION: tuple[Field, ...] = (
    Field("Document", "type", "CodeableConcept"),
    Field("Date", "date"),
    _STATUS,
    Field("Confidentiality", "confidentiality"),
)

PARTIES = ("subject", "encounter", "author", "custodian")
"""The references of a Composition whose resources an app shows above the sections."""

NAMED_BY: tuple[Field, ...] = (
    Field("", "name", "HumanName"),
    Field("", "name"),
    Field("", "code", "CodeableConcept"),
    Field("", "medicationCodeableConcept", "CodeableConcept"),
    Field("", "vaccineCode", "CodeableConcept"),
    Field("", "appointmentType", "CodeableConcept"),
    Field("", "type", "CodeableConcept"),
    Field("", "title"),
    Field("", "description"),
)
"""What a resource is called where another only names it; the first that has words."""
