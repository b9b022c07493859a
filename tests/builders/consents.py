"""Consents and their artefacts for tests."""

from typing import Any

from tests.builders.links import HIP, MEERA_ADDRESS
from tests.builders.moments import DAY, NOW

from hip.domain.consents import (
    Consent,
    ConsentArtefact,
    ConsentedContext,
    ConsentStatus,
    DateRange,
    SignatureState,
)
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, PatientReference

THE_YEAR = DateRange(start=NOW - 300 * DAY, end=NOW + DAY)


def an_artefact(**changes: Any) -> ConsentArtefact:
    """Meera lets an HIU see visit 88120: two HI types, a year of dates, for 90 days."""
    values: dict[str, Any] = {
        "consent_id": ConsentId("consent-1"),
        "hip_id": HIP,
        "hiu_id": "IN0510000001",
        "patient": MEERA_ADDRESS,
        "care_contexts": (
            ConsentedContext(
                patient_reference=PatientReference("PAT-20417"),
                care_context_reference=CareContextReference("88120"),
            ),
        ),
        "hi_types": frozenset({HiType.OP_CONSULTATION, HiType.PRESCRIPTION}),
        "purpose": "CAREMGT",
        "access_mode": "VIEW",
        "date_range": THE_YEAR,
        "data_erase_at": NOW + 90 * DAY,
        "frequency": ("HOUR", 1, 5),
    }
    return ConsentArtefact(**(values | changes))


def a_consent(**changes: Any) -> Consent:
    """That consent, granted, with the fingerprint of the artefact it is given."""
    artefact: ConsentArtefact | None = changes.get("artefact", an_artefact())
    values: dict[str, Any] = {
        "hip_id": HIP,
        "consent_id": ConsentId("consent-1"),
        "status": ConsentStatus.GRANTED,
        "artefact": artefact,
        "artefact_hash": "ab" * 32,
        "terms_hash": None if artefact is None else artefact.fingerprint,
        "signature_state": SignatureState.UNVERIFIED,
        "received_at": NOW,
        "updated_at": NOW,
    }
    return Consent(**(values | changes))
