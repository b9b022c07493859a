"""Who, where and when: Patient, Practitioner, Organization, Encounter."""

from typing import Any

from hip.adapters.fhir.composition.codes import (
    ABHA_ADDRESS_SYSTEM,
    ABHA_NUMBER_SYSTEM,
    CLINICAL_DIAGNOSIS,
    HPR_SYSTEM,
    IDENTIFIER_TYPES,
    PROVISIONAL_DIAGNOSIS,
    VISIT_CLASSES,
)
from hip.adapters.fhir.composition.draft import Draft, Part, Reference, Resource
from hip.adapters.fhir.composition.narrative import visible
from hip.domain.clinical import Certainty
from hip.domain.patients import Address, Gender

_GENDERS = {Gender.MALE: "male", Gender.FEMALE: "female", Gender.OTHER: "other", Gender.UNKNOWN: "unknown"}

# Issued by a registry; the hospital's own numbers are in everyday use.
_OFFICIAL = frozenset({"abha number", "abha address", "hpr id", "council registration", "facility"})


def identifier(kind: str, system: str, value: str) -> dict[str, Any]:
    """A typed identifier: type, system and value, as every NRCeS profile with identifiers wants it."""
    use = "official" if kind in _OFFICIAL else "usual"
    return {"use": use, "type": IDENTIFIER_TYPES[kind].concept(), "system": system, "value": visible(value)}


def add_patient(draft: Draft) -> Reference:
    """N:Patient with the hospital's number and, when known, ABHA number (dashed, in ``value``) and ABHA address."""
    patient = draft.record.patient
    identifiers = [identifier("patient number", draft.system("patients"), patient.reference)]
    if patient.abha_number is not None:
        identifiers.append(identifier("abha number", ABHA_NUMBER_SYSTEM, patient.abha_number.dashed))
    if patient.abha_address is not None:
        identifiers.append(identifier("abha address", ABHA_ADDRESS_SYSTEM, patient.abha_address.text))
    made: Resource = {
        "resourceType": "Patient",
        "identifier": identifiers,
        "name": [{"text": visible(patient.name)}],
        "gender": _GENDERS[patient.gender],
        "birthDate": f"{patient.birth_year:04d}" if patient.birth_date is None else patient.birth_date.isoformat(),
    }
    telecom = _telecom(f"+91{patient.phone}" if patient.phone else None, patient.email, "home")
    if telecom:
        made["telecom"] = telecom
    if patient.address is not None and _address(patient.address):
        made["address"] = [_address(patient.address)]
    return draft.add(made, "patient", profile="Patient")


def add_practitioner(draft: Draft) -> Reference:
    """N:Practitioner: HPR id first, then council registration, then the hospital's own number."""
    person = draft.record.practitioner
    identifiers = []
    if person.hpr_id is not None:
        identifiers.append(identifier("hpr id", HPR_SYSTEM, person.hpr_id))
    if person.registration_number is not None:
        system = draft.system("council-registrations")
        identifiers.append(identifier("council registration", system, person.registration_number))
    identifiers.append(identifier("practitioner number", draft.system("practitioners"), person.id))
    made: Resource = {
        "resourceType": "Practitioner",
        "identifier": identifiers,
        "name": [{"text": person.name.strip()}],
    }
    if person.phone is not None:
        made["telecom"] = _telecom(person.phone, None, "work")
    described = [part.strip() for part in (person.qualification, person.designation) if part]
    if described:
        made["qualification"] = [{"code": {"text": part}} for part in described]
    return draft.add(made, "practitioner", profile="Practitioner", display=person.name.strip())


def add_organization(draft: Draft) -> Reference:
    """N:Organization of the facility, identified in the Health Facility Registry."""
    facility = draft.facility
    made: Resource = {
        "resourceType": "Organization",
        "identifier": [identifier("facility", draft.root, facility.hip_id)],
        "name": facility.name.strip(),
    }
    telecom = _telecom(facility.phone, facility.email, "work")
    if telecom:
        made["telecom"] = telecom
    if facility.address is not None and _address(facility.address):
        made["address"] = [_address(facility.address)]
    return draft.add(made, "facility", profile="Organization", display=facility.name.strip())


def add_encounter(draft: Draft, diagnoses: list[Part]) -> Reference:
    """N:Encounter with class, period, doctor, facility and the diagnoses that are in this bundle."""
    record = draft.record
    ongoing = record.end is None and record.visit_class.stays
    period = {"start": record.start.isoformat()}
    if record.end is not None:
        period["end"] = record.end.isoformat()
    made: Resource = {
        "resourceType": "Encounter",
        "identifier": [{"system": draft.system("visits"), "value": visible(record.visit_code)}],
        "status": "in-progress" if ongoing else "finished",
        "class": VISIT_CLASSES[record.visit_class].coding(),
        "type": [{"text": record.category.strip()}],
        "subject": draft.patient,
        "participant": [{"individual": draft.practitioner}],
        "period": period,
    }
    if diagnoses:
        uses = (
            CLINICAL_DIAGNOSIS if each.certainty is Certainty.CONFIRMED else PROVISIONAL_DIAGNOSIS
            for each in record.diagnoses
        )
        made["diagnosis"] = [
            {"condition": part.reference, "use": use.concept()} for part, use in zip(diagnoses, uses, strict=True)
        ]
    made["serviceProvider"] = draft.organization
    return draft.add(made, "visit", profile="Encounter")


def _telecom(phone: str | None, email: str | None, use: str) -> list[dict[str, str]]:
    given = (("phone", phone), ("email", email))
    return [
        {"system": system, "value": visible(value), "use": use} for system, value in given if value and visible(value)
    ]


def _address(address: Address) -> dict[str, Any]:
    parts = {"district": address.district, "state": address.state, "postalCode": address.pincode}
    made: dict[str, Any] = {name: visible(value) for name, value in parts.items() if value and visible(value)}
    if address.line and visible(address.line):
        made = {"line": [visible(address.line)], **made}
    return {**made, "country": "India"} if made else {}
