"""Which Struct of the JSON form stands for which value of the domain. Field names agree; a test holds it."""

import msgspec

from hip.adapters.visit_records import report_structs, structs
from hip.domain import (
    clinical,
    clinical_documents,
    clinical_invoices,
    clinical_medications,
    clinical_reports,
    clinical_vitals,
    recorded,
    visits,
)

DOMAIN_OF: dict[type[msgspec.Struct], type[recorded.Recorded]] = {
    report_structs.CodedText: recorded.Concept,
    report_structs.Measurement: clinical.Measurement,
    report_structs.Attachment: clinical_documents.Attachment,
    report_structs.ReferenceRange: clinical_reports.ReferenceRange,
    report_structs.LabResult: clinical_reports.LabResult,
    report_structs.Specimen: clinical_reports.Specimen,
    report_structs.LabReport: clinical_reports.LabReport,
    report_structs.ImagingReport: clinical_reports.ImagingReport,
    report_structs.Immunization: clinical_reports.Immunization,
    report_structs.ImmunizationDue: clinical_reports.ImmunizationDue,
    report_structs.InvoiceLine: clinical_invoices.InvoiceLine,
    report_structs.Invoice: clinical_invoices.Invoice,
    structs.Practitioner: visits.Practitioner,
    structs.Complaint: clinical.Complaint,
    structs.Diagnosis: clinical.Diagnosis,
    structs.PastCondition: clinical.PastCondition,
    structs.Allergy: clinical.Allergy,
    structs.Procedure: clinical.Procedure,
    structs.FamilyCondition: clinical.FamilyCondition,
    structs.FamilyMember: clinical.FamilyMember,
    structs.InvestigationAdvice: clinical.InvestigationAdvice,
    structs.Referral: clinical.Referral,
    structs.FollowUp: clinical.FollowUp,
    structs.CarePlan: clinical.CarePlan,
    structs.Vitals: clinical_vitals.Vitals,
    structs.Wellness: clinical_vitals.Wellness,
    structs.Medication: clinical_medications.Medication,
    structs.MedicationTaken: clinical_medications.MedicationTaken,
    structs.Document: clinical_documents.Document,
}

STRUCT_OF: dict[type[recorded.Recorded], type[msgspec.Struct]] = {value: key for key, value in DOMAIN_OF.items()}
