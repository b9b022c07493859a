"""Conditions, allergies, procedures and family history."""

from hip.adapters.fhir.composition import wording
from hip.adapters.fhir.composition.codes import (
    ALLERGY_CLINICAL,
    ALLERGY_VERIFICATION,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
    ENCOUNTER_DIAGNOSIS,
    FAMILY_MEMBER,
    ICD10,
    PROBLEM,
    RELATIONSHIPS,
    SNOMED,
    UCUM,
    Code,
)
from hip.adapters.fhir.composition.draft import Draft, Part, Resource, codeable
from hip.domain.clinical import Certainty, Procedure
from hip.domain.recorded import Concept

_ACTIVE = Code(CONDITION_CLINICAL, "active", "Active")
_RESOLVED = Code(CONDITION_CLINICAL, "resolved", "Resolved")
_CERTAINTIES = {
    Certainty.PROVISIONAL: Code(CONDITION_VERIFICATION, "provisional", "Provisional"),
    Certainty.DIFFERENTIAL: Code(CONDITION_VERIFICATION, "differential", "Differential"),
    Certainty.CONFIRMED: Code(CONDITION_VERIFICATION, "confirmed", "Confirmed"),
}
_ALLERGY_ACTIVE = Code(ALLERGY_CLINICAL, "active", "Active")
_ALLERGY_CONFIRMED = Code(ALLERGY_VERIFICATION, "confirmed", "Confirmed")


def complaints(draft: Draft) -> list[Part]:
    """One N:Condition a complaint, category problem-list-item."""
    parts = []
    for index, each in enumerate(draft.record.complaints):
        made = _condition(draft, each, PROBLEM)
        note = "; ".join(text.strip() for text in (each.duration, each.note) if text)
        if note:
            made["note"] = [{"text": note}]
        parts.append(Part(draft.add(made, "complaint", index, profile="Condition"), wording.complaint(each)))
    return parts


def diagnoses(draft: Draft) -> list[Part]:
    """One N:Condition a diagnosis, category encounter-diagnosis, with how sure it is when that was said."""
    parts = []
    for index, each in enumerate(draft.record.diagnoses):
        made = _condition(draft, each, ENCOUNTER_DIAGNOSIS)
        if each.certainty is not None:
            made["verificationStatus"] = _CERTAINTIES[each.certainty].concept()
        if each.note is not None:
            made["note"] = [{"text": each.note.strip()}]
        parts.append(Part(draft.add(made, "diagnosis", index, profile="Condition"), wording.diagnosis(each)))
    return parts


def history(draft: Draft) -> list[Part]:
    """Past conditions, then past procedures."""
    parts = []
    for index, each in enumerate(draft.record.history):
        made = _condition(draft, each, PROBLEM)
        if each.resolved:
            made["clinicalStatus"] = _RESOLVED.concept()
        if each.since is not None:
            made["onsetDateTime"] = each.since
        if each.note is not None:
            made["note"] = [{"text": each.note.strip()}]
        parts.append(Part(draft.add(made, "history", index, profile="Condition"), wording.past_condition(each)))
    return parts + _procedures(draft, draft.record.past_procedures, "past-procedure", at_visit=False)


def procedures(draft: Draft) -> list[Part]:
    """What was done at this visit."""
    return _procedures(draft, draft.record.procedures, "procedure", at_visit=True)


def allergies(draft: Draft) -> list[Part]:
    """One N:AllergyIntolerance an allergy, each with patient, recorder and encounter."""
    parts = []
    for index, each in enumerate(draft.record.allergies):
        made: Resource = {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": _ALLERGY_ACTIVE.concept(),
            "verificationStatus": _ALLERGY_CONFIRMED.concept(),
            "code": codeable(each, SNOMED),
            "patient": draft.patient,
            "encounter": draft.encounter,
            "recordedDate": draft.record.start.isoformat(),
            "recorder": draft.practitioner,
        }
        if each.category is not None:
            made["category"] = [each.category]
        if each.criticality is not None:
            made["criticality"] = each.criticality
        if each.reactions:
            reaction: Resource = {"manifestation": [codeable(one, SNOMED) for one in each.reactions]}
            if each.severity is not None:
                reaction["severity"] = each.severity
            made["reaction"] = [reaction]
        if each.note is not None:
            made["note"] = [{"text": each.note.strip()}]
        parts.append(Part(draft.add(made, "allergy", index, profile="AllergyIntolerance"), wording.allergy(each)))
    return parts


def family_history(draft: Draft) -> list[Part]:
    """One N:FamilyMemberHistory a relative (amrit.md §4: never one for all)."""
    parts = []
    for index, each in enumerate(draft.record.family_history):
        words = each.relationship.strip()
        conditions = []
        for condition in each.conditions:
            one: Resource = {"code": codeable(condition, SNOMED)}
            if condition.onset_age is not None:
                one["onsetAge"] = {"value": condition.onset_age, "unit": "years", "system": UCUM, "code": "a"}
            conditions.append(one)
        made: Resource = {
            "resourceType": "FamilyMemberHistory",
            "status": "completed",
            "patient": draft.patient,
            "relationship": RELATIONSHIPS.get(words.casefold(), FAMILY_MEMBER).concept(words),
            "condition": conditions,
        }
        if each.note is not None:
            made["note"] = [{"text": each.note.strip()}]
        reference = draft.add(made, "family-member", index, profile="FamilyMemberHistory")
        parts.append(Part(reference, wording.family_member(each)))
    return parts


def _condition(draft: Draft, concept: Concept, category: Code) -> Resource:
    return {
        "resourceType": "Condition",
        "clinicalStatus": _ACTIVE.concept(),
        "category": [category.concept()],
        "code": codeable(concept, SNOMED, ICD10),
        "subject": draft.patient,
        "encounter": draft.encounter,
        "recordedDate": draft.record.start.isoformat(),
        "recorder": draft.practitioner,
    }


def _procedures(draft: Draft, done: tuple[Procedure, ...], kind: str, *, at_visit: bool) -> list[Part]:
    parts = []
    for index, each in enumerate(done):
        made: Resource = {
            "resourceType": "Procedure",
            "status": "completed",
            "code": codeable(each, SNOMED),
            "subject": draft.patient,
        }
        if at_visit:
            made["encounter"] = draft.encounter
            made["performer"] = [{"actor": draft.practitioner}]
        if each.performed is not None:
            made["performedDateTime"] = each.performed
        elif at_visit:
            made["performedDateTime"] = draft.record.start.isoformat()
        if each.body_site is not None:
            made["bodySite"] = [codeable(each.body_site, SNOMED)]
        if each.outcome is not None:
            made["outcome"] = codeable(each.outcome, SNOMED)
        if each.note is not None:
            made["note"] = [{"text": each.note.strip()}]
        parts.append(Part(draft.add(made, kind, index, profile="Procedure"), wording.procedure(each)))
    return parts
