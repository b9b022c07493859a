"""Values of the visit record as the one line a person reads in a narrative."""

from datetime import date
from decimal import Decimal

from hip.adapters.fhir.composition.dosage import dosage_text
from hip.domain.clinical import (
    Allergy,
    CarePlan,
    Complaint,
    Diagnosis,
    FamilyMember,
    FollowUp,
    Measurement,
    PastCondition,
    Procedure,
    Referral,
)
from hip.domain.clinical_medications import Medication, MedicationTaken
from hip.domain.clinical_reports import Immunization, ImmunizationDue, Interpretation, LabResult
from hip.domain.recorded import Concept, plain

_READ_AS = {
    Interpretation.LOW: "low",
    Interpretation.HIGH: "high",
    Interpretation.CRITICALLY_LOW: "critically low",
    Interpretation.CRITICALLY_HIGH: "critically high",
    Interpretation.ABNORMAL: "abnormal",
}


def day(moment: date) -> str:
    """``12 Mar 2026``, whatever the locale."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{moment.day:02d} {months[moment.month - 1]} {moment.year}"


def number(value: Decimal) -> str:
    """A figure without exponent or trailing zeros."""
    return format(plain(value), "f")


def with_notes(first: str, *notes: str | None) -> str:
    """``first``, and what is known besides, in brackets."""
    known = [note.strip() for note in notes if note]
    return f"{first.strip()} ({'; '.join(known)})" if known else first.strip()


def complaint(each: Complaint) -> str:
    return with_notes(each.text, each.duration, each.note)


def diagnosis(each: Diagnosis) -> str:
    return with_notes(each.text, each.certainty, each.note)


def past_condition(each: PastCondition) -> str:
    since = f"since {each.since}" if each.since else None
    return with_notes(each.text, since, "resolved" if each.resolved else None, each.note)


def procedure(each: Procedure) -> str:
    site = each.body_site.text if each.body_site else None
    outcome = each.outcome.text if each.outcome else None
    return with_notes(each.text, each.performed, site, outcome, each.note)


def allergy(each: Allergy) -> str:
    reactions = ", ".join(reaction.text for reaction in each.reactions) or None
    return with_notes(each.text, each.category, reactions, each.severity, each.note)


def family_member(each: FamilyMember) -> str:
    conditions = ", ".join(
        f"{condition.text} at {condition.onset_age}" if condition.onset_age else condition.text
        for condition in each.conditions
    )
    return with_notes(f"{each.relationship.strip()}: {conditions}", each.note)


def measurement(each: Measurement) -> str:
    return with_notes(f"{each.text.strip()}: {_value(each)}" if each.value is not None else each.text, each.note)


def lab_result(each: LabResult) -> str:
    said = f"{each.text.strip()}: {_value(each)}" if each.value is not None else each.text
    limits = each.reference_range
    normal = None
    if limits is not None:
        low, high = (None if limit is None else number(limit) for limit in (limits.low, limits.high))
        both = f"{low}-{high}" if low and high else (f"from {low}" if low else f"up to {high}" if high else None)
        normal = f"normal {limits.text or both}"
    read_as = each.read_as
    return with_notes(said, None if read_as is None else _READ_AS.get(read_as), normal, each.note)


def medication(each: Medication) -> str:
    dispensed = None
    if each.quantity is not None:
        dispensed = f"quantity {number(each.quantity)}{' ' + each.quantity_unit.strip() if each.quantity_unit else ''}"
    said = ": ".join(part for part in (each.text.strip(), dosage_text(each)) if part)
    return with_notes(said, each.reason.text if each.reason else None, dispensed)


def medication_taken(each: MedicationTaken) -> str:
    since = f"since {each.since}" if each.since else None
    return with_notes(each.text, each.dosage, since, "stopped" if each.stopped else None)


def referral(each: Referral) -> str:
    return with_notes(f"{each.text.strip()} to {each.to.strip()}" if each.to else each.text, each.reason)


def follow_up(each: FollowUp) -> str:
    if each.start is not None:
        when = f"{day(each.start)} {each.start:%H:%M}"
    else:
        assert each.day is not None
        when = day(each.day)
    return with_notes(when, each.text)


def care_plan(each: CarePlan) -> str:
    return with_notes(each.title, each.description, *each.activities)


def immunization(each: Immunization) -> str:
    dose = f"dose {each.dose_number}" if each.dose_number else None
    refused = None if each.given else f"not given{': ' + each.reason_not_given if each.reason_not_given else ''}"
    lot = f"lot {each.lot_number}" if each.lot_number else None
    return with_notes(each.text, refused, each.occurred, dose, each.brand, lot, each.note)


def immunization_due(each: ImmunizationDue) -> str:
    dose = f"dose {each.dose_number}" if each.dose_number else None
    return with_notes(f"{each.text.strip()}: {each.status}", day(each.due) if each.due else None, dose)


def concept(each: Concept) -> str:
    return each.text.strip()


def _value(each: Measurement) -> str:
    if isinstance(each.value, Decimal):
        return f"{number(each.value)} {each.unit or each.ucum or ''}".strip()
    return "" if each.value is None else each.value.strip()
