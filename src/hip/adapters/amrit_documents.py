"""AMRIT's documents as AMRIT itself writes them: plain, without any field of ours (amrit.md §5)."""

from datetime import UTC
from hashlib import sha256
from typing import Any

from hip.domain.bundles import BundleRecord
from hip.domain.links import CareContext
from hip.domain.patients import Patient


def document_key(*parts: str) -> bytes:
    """The twelve bytes of an ObjectId, which older readers expect of an ``_id``; the same for the same thing."""
    return sha256("\n".join(parts).encode()).digest()[:12]


def bundle_fields(patient: Patient, record: BundleRecord, content: bytes) -> dict[str, Any]:
    composed = record.composed_at
    return {
        "BeneficiaryID": _number(patient.reference),
        "NationalHealthID": None if patient.abha_number is None else patient.abha_number.digits,
        "VisitCode": _number(record.key.visit_code),
        "ResourceType": record.key.hi_type.value,
        "ResourceJson": content.decode(),
        "CreateDate": composed.replace(microsecond=composed.microsecond // 1000 * 1000),  # MongoDB's dates have no more
    }


def patient_fields(patient: Patient) -> dict[str, Any]:
    """All but ``identifier`` and the list."""
    return {
        "caseReferenceNumber": patient.reference,
        "phoneNumber": patient.phone,
        "email": patient.email,
        "name": patient.name,
        "Gender": patient.gender.value,
        "yearOfBirth": str(patient.birth_year),
        "HealthNumber": None if patient.abha_number is None else patient.abha_number.digits,
        "HealthId": None if patient.abha_address is None else patient.abha_address.text,
    }


def context_fields(context: CareContext) -> dict[str, Any]:
    linked = context.linked_at
    return {
        "ReferenceNumber": context.reference,
        "Display": context.display,
        "careContextLinkedDate": None if linked is None else linked.astimezone(UTC).isoformat(timespec="milliseconds"),
        "abdmFacilityId": context.hip_id,
    }


def _number(text: str) -> int | str:
    """AMRIT has whole numbers here; a reference that is none stays text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text
