"""What goes into each of the eight documents: one function an HI type, sections in the order of its profile."""

from collections.abc import Callable

from hip.adapters.fhir.composition import (
    documents,
    findings,
    immunizations,
    invoices,
    layouts,
    observations,
    orders,
    reports,
)
from hip.adapters.fhir.composition.codes import REPORT_SECTIONS
from hip.adapters.fhir.composition.draft import Draft, Part
from hip.adapters.fhir.composition.layouts import Heading
from hip.adapters.fhir.composition.measures import GROUPS
from hip.domain.hi_types import HiType


def op_consultation(draft: Draft, diagnoses: list[Part]) -> None:
    """N:OPConsultRecord: all twelve slices, then diagnoses and notes, which the guide has no slice for."""
    record = draft.record
    examined = observations.vital_signs(draft) + observations.measurements(draft, record.examination, "examination")
    draft.section(layouts.CHIEF_COMPLAINTS, findings.complaints(draft))
    draft.section(layouts.PHYSICAL_EXAMINATION, examined)
    draft.section(layouts.ALLERGIES, findings.allergies(draft))
    draft.section(layouts.CONSULT_HISTORY, findings.history(draft))
    draft.section(layouts.FAMILY_HISTORY, findings.family_history(draft))
    draft.section(layouts.CONSULT_INVESTIGATIONS, orders.investigations(draft))
    draft.section(layouts.CONSULT_MEDICATIONS, orders.taken(draft) + orders.prescribed(draft))
    draft.section(layouts.CONSULT_FOLLOW_UP, orders.follow_ups(draft))
    draft.section(layouts.CONSULT_PROCEDURES, findings.procedures(draft))
    draft.section(layouts.CONSULT_REFERRAL, orders.referrals(draft))
    other = observations.measurements(draft, record.observations, "observation")
    draft.section(layouts.CONSULT_OBSERVATIONS, other)
    draft.section(layouts.CONSULT_DOCUMENTS, documents.document_references(draft))
    draft.section(layouts.DIAGNOSES, diagnoses)
    draft.section(layouts.NOTES, [], text=record.notes)


def discharge_summary(draft: Draft, diagnoses: list[Part]) -> None:
    """N:DischargeSummaryRecord: all ten slices, then what the guide has no slice for."""
    record = draft.record
    examined = (
        observations.vital_signs(draft)
        + observations.measurements(draft, record.examination, "examination")
        + observations.measurements(draft, record.observations, "observation")
    )
    draft.section(layouts.CHIEF_COMPLAINTS, findings.complaints(draft))
    draft.section(layouts.PHYSICAL_EXAMINATION, examined)
    draft.section(layouts.ALLERGIES, findings.allergies(draft))
    draft.section(layouts.DISCHARGE_HISTORY, findings.history(draft))
    draft.section(layouts.FAMILY_HISTORY, findings.family_history(draft))
    draft.section(layouts.DISCHARGE_INVESTIGATIONS, reports.each_report(draft))
    draft.section(layouts.DISCHARGE_MEDICATIONS, orders.prescribed(draft))
    draft.section(layouts.DISCHARGE_PROCEDURES, findings.procedures(draft))
    draft.section(layouts.DISCHARGE_CARE_PLAN, orders.care_plan(draft))
    draft.section(layouts.DISCHARGE_DOCUMENTS, documents.document_references(draft))
    draft.section(layouts.DIAGNOSES, diagnoses)
    draft.section(layouts.HOME_MEDICATIONS, orders.taken(draft))
    advised = orders.investigations(draft) + orders.referrals(draft) + orders.follow_ups(draft)
    draft.section(layouts.ADVICE_AT_DISCHARGE, advised)
    draft.section(layouts.NOTES, [], text=record.notes)


def prescription(draft: Draft) -> None:
    """N:PrescriptionRecord: one section, entries typed; at most one Binary."""
    draft.section(layouts.PRESCRIPTION, orders.prescribed(draft) + documents.scanned_prescription(draft), typed=True)


def diagnostic_report(draft: Draft) -> None:
    """N:DiagnosticReportRecord: one section with one report and at most one document, entries typed."""
    labs, imagings = draft.record.lab_reports, draft.record.imaging_reports
    kind = "both" if bool(labs) == bool(imagings) else "laboratory" if labs else "imaging"
    code = REPORT_SECTIONS[kind]
    parts = reports.one_report(draft) + documents.document_references(draft)
    draft.section(Heading(code.display, code), parts, typed=True)


def immunization_record(draft: Draft) -> None:
    """N:ImmunizationRecord: one section, entries typed; at most one recommendation."""
    given = immunizations.given(draft)
    parts = given + immunizations.due(draft, given) + documents.document_references(draft)
    draft.section(layouts.IMMUNIZATIONS, parts, typed=True)


def health_document(draft: Draft) -> None:
    """N:HealthDocumentRecord: one section of documents."""
    draft.section(layouts.HEALTH_DOCUMENTS, documents.document_references(draft))


def wellness_record(draft: Draft) -> None:
    """N:WellnessRecord: sections known by their titles, each with the observation profile of its group."""
    for group in GROUPS:
        parts = observations.vital_signs(draft, group) + observations.wellness(draft, group)
        draft.section(Heading(group.title, None), parts)
    held = draft.record.wellness
    other = () if held is None else held.other
    draft.section(layouts.WELLNESS_OTHER, observations.measurements(draft, other, "wellness"))
    draft.section(layouts.WELLNESS_DOCUMENTS, documents.document_references(draft))


def invoice_record(draft: Draft) -> None:
    """N:InvoiceRecord: one section with the invoice, typed."""
    draft.section(layouts.INVOICE, invoices.invoice(draft), typed=True)


# The two that tell the whole visit also carry its diagnoses, and the Encounter then names them.
NARRATIVE_RECORDS: dict[HiType, Callable[[Draft, list[Part]], None]] = {
    HiType.OP_CONSULTATION: op_consultation,
    HiType.DISCHARGE_SUMMARY: discharge_summary,
}
RECORDS: dict[HiType, Callable[[Draft], None]] = {
    HiType.PRESCRIPTION: prescription,
    HiType.DIAGNOSTIC_REPORT: diagnostic_report,
    HiType.IMMUNIZATION_RECORD: immunization_record,
    HiType.HEALTH_DOCUMENT_RECORD: health_document,
    HiType.WELLNESS_RECORD: wellness_record,
    HiType.INVOICE: invoice_record,
}
