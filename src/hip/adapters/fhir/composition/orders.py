"""Medicines, and what is to happen next: investigations, referrals, appointments, care plan."""

from datetime import datetime, time, timedelta
from typing import Any

from hip.adapters.fhir.composition import wording
from hip.adapters.fhir.composition.codes import ADVICE_CATEGORIES, CARE_PLAN, FOLLOW_UP, REFERRAL, SNOMED
from hip.adapters.fhir.composition.dosage import dosage
from hip.adapters.fhir.composition.draft import Draft, Part, Resource, codeable
from hip.adapters.fhir.composition.observations import quantity
from hip.domain.clinical import FollowUp

_SLOT = timedelta(minutes=15)


def prescribed(draft: Draft) -> list[Part]:
    """One N:MedicationRequest a medicine, with structured timing beside the text."""
    parts = []
    for index, each in enumerate(draft.record.medications):
        made: Resource = {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": codeable(each, SNOMED),
            "subject": draft.patient,
            "encounter": draft.encounter,
            "authoredOn": draft.record.start.isoformat(),
            "requester": draft.practitioner,
            "dosageInstruction": [dosage(each)],
        }
        if each.reason is not None:
            made["reasonCode"] = [codeable(each.reason, SNOMED)]
        if each.quantity is not None:
            made["dispenseRequest"] = {"quantity": quantity(each.quantity, each.quantity_unit, None)}
        reference = draft.add(made, "medication", index, profile="MedicationRequest")
        parts.append(Part(reference, wording.medication(each)))
    return parts


def taken(draft: Draft) -> list[Part]:
    """One N:MedicationStatement a medicine the patient takes already."""
    parts = []
    for index, each in enumerate(draft.record.current_medications):
        made: Resource = {
            "resourceType": "MedicationStatement",
            "status": "stopped" if each.stopped else "active",
            "medicationCodeableConcept": codeable(each, SNOMED),
            "subject": draft.patient,
            "context": draft.encounter,
            "dateAsserted": draft.record.start.isoformat(),
        }
        if each.since is not None:
            made["effectivePeriod"] = {"start": each.since}
        if each.dosage is not None:
            made["dosage"] = [{"text": each.dosage.strip()}]
        reference = draft.add(made, "current-medication", index, profile="MedicationStatement")
        parts.append(Part(reference, wording.medication_taken(each)))
    return parts


def investigations(draft: Draft) -> list[Part]:
    """One N:ServiceRequest an investigation advised."""
    parts = []
    for index, each in enumerate(draft.record.investigations):
        made = _request(draft, codeable(each, SNOMED))
        category = ADVICE_CATEGORIES.get(each.kind)
        if category is not None:
            made["category"] = [category.concept()]
        if each.note is not None:
            made["note"] = [{"text": each.note.strip()}]
        reference = draft.add(made, "investigation", index, profile="ServiceRequest")
        parts.append(Part(reference, wording.with_notes(each.text, each.note)))
    return parts


def referrals(draft: Draft) -> list[Part]:
    """One N:ServiceRequest a referral; "Referral to service" where no code says more."""
    parts = []
    for index, each in enumerate(draft.record.referrals):
        code = codeable(each, SNOMED)
        code.setdefault("coding", [REFERRAL.coding()])
        made = _request(draft, code)
        if each.to is not None:
            made["performer"] = [{"display": each.to.strip()}]
        if each.reason is not None:
            made["reasonCode"] = [{"text": each.reason.strip()}]
        reference = draft.add(made, "referral", index, profile="ServiceRequest")
        parts.append(Part(reference, wording.referral(each)))
    return parts


def follow_ups(draft: Draft) -> list[Part]:
    """One N:Appointment a follow-up: booked for an hour, or proposed for a day."""
    parts = []
    for index, each in enumerate(draft.record.follow_ups):
        start, end = _slot(draft, each)
        made: Resource = {
            "resourceType": "Appointment",
            "status": "proposed" if each.start is None else "booked",
            "appointmentType": FOLLOW_UP.concept(),
            "start": start.isoformat(),
            "end": end.isoformat(),
            "participant": [
                {"actor": draft.patient, "status": "accepted"},
                {"actor": draft.practitioner, "status": "accepted"},
            ],
        }
        if each.text is not None:
            made["description"] = each.text.strip()
        parts.append(Part(draft.add(made, "follow-up", index, profile="Appointment"), wording.follow_up(each)))
    return parts


def care_plan(draft: Draft) -> list[Part]:
    """The N:CarePlan, its activities in words."""
    plan = draft.record.care_plan
    if plan is None:
        return []
    made: Resource = {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "category": [CARE_PLAN.concept() if plan.category is None else codeable(plan.category, SNOMED)],
        "title": plan.title.strip(),
        "subject": draft.patient,
        "encounter": draft.encounter,
        "created": draft.moment.isoformat(),
        "author": draft.practitioner,
    }
    if plan.description is not None:
        made["description"] = plan.description.strip()
    if plan.activities:
        made["activity"] = [
            {"detail": {"status": "not-started", "description": activity.strip()}} for activity in plan.activities
        ]
    return [Part(draft.add(made, "care-plan", profile="CarePlan"), wording.care_plan(plan))]


def _request(draft: Draft, code: dict[str, Any]) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": code,
        "subject": draft.patient,
        "encounter": draft.encounter,
        "authoredOn": draft.record.start.isoformat(),
        "requester": draft.practitioner,
    }


def _slot(draft: Draft, each: FollowUp) -> tuple[datetime, datetime]:
    """Start and end, both of which FHIR wants (app-2): a quarter of an hour, or the whole day at the hospital."""
    if each.start is not None:
        return each.start, each.end or each.start + _SLOT
    assert each.day is not None
    here = draft.record.start.tzinfo
    start = datetime.combine(each.day, time(), here)
    return start, start + timedelta(hours=23, minutes=59)
