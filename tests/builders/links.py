"""Link tokens, link requests, care contexts and discoveries for tests."""

from typing import Any

from tests.builders.moments import DAY, MINUTE, NOW

from hip.domain.discovery import DiscoveryRequest
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    AbhaNumber,
    CareContextReference,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.link_attempts import AttemptState, LinkAttempt, OfferedContext
from hip.domain.links import CareContext, LinkRequest, LinkStatus, LinkToken
from hip.domain.otp import HashedOtp

HIP = HipId("IN0410000123")
OTHER_HIP = HipId("IN0410000999")
MEERA_ADDRESS = AbhaAddress("meera.k01@sbx")


def a_link_token(**changes: Any) -> LinkToken:
    """Meera's token, good for a month."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "abha_address": MEERA_ADDRESS,
        "abha_number": AbhaNumber("91123456789012"),
        "value": "eyJhbGciOiJSUzUxMiJ9.canary-link-token.c2lnbmF0dXJl",
        "expires_at": NOW + 30 * DAY,
    }
    return LinkToken(**(values | changes))


def a_link_request(**changes: Any) -> LinkRequest:
    """The request for visit 88120, waiting for its token."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "reference": LinkReference("link-1"),
        "visit_code": VisitCode("88120"),
        "patient_reference": PatientReference("PAT-20417"),
        "abha_address": MEERA_ADDRESS,
        "status": LinkStatus.AWAITING_TOKEN,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return LinkRequest(**(values | changes))


def a_care_context(**changes: Any) -> CareContext:
    """Visit 88120 as a care context with a consultation and a prescription, linked to nobody."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "reference": CareContextReference("88120"),
        "patient_reference": PatientReference("PAT-20417"),
        "visit_code": VisitCode("88120"),
        "display": "OPD visit 12 Mar 2026",
        "clinical_date": NOW,
        "hi_types": (HiType.OP_CONSULTATION, HiType.PRESCRIPTION),
    }
    return CareContext(**(values | changes))


def a_discovery(**changes: Any) -> DiscoveryRequest:
    """A discovery that found Meera."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "transaction_id": TransactionId("discovery-1"),
        "abha_address": MEERA_ADDRESS,
        "patient_reference": PatientReference("PAT-20417"),
        "received_at": NOW,
    }
    return DiscoveryRequest(**(values | changes))


OTP = "482913"
HASHED = HashedOtp.of(OTP, salt=b"sixteen of salt!")


def a_link_attempt(**changes: Any) -> LinkAttempt:
    """Meera picked visit 88120, and its OTP 482913 is on her telephone for five minutes."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "reference": LinkReference("attempt-1"),
        "transaction_id": TransactionId("discovery-1"),
        "request_id": RequestId("init-1"),
        "abha_address": MEERA_ADDRESS,
        "patient_reference": PatientReference("PAT-20417"),
        "chosen": (
            OfferedContext(reference=CareContextReference("88120"), hi_type=HiType.OP_CONSULTATION),
            OfferedContext(reference=CareContextReference("88120"), hi_type=HiType.PRESCRIPTION),
        ),
        "number_key": "a-number",
        "hint": "******3210",
        "otp": HASHED,
        "state": AttemptState.OTP_SENT,
        "created_at": NOW,
        "updated_at": NOW,
        "expires_at": NOW + 5 * MINUTE,
    }
    return LinkAttempt(**(values | changes))
