"""Transfers and pages for tests."""

from typing import Any

from tests.builders.consents import THE_YEAR
from tests.builders.links import HIP
from tests.builders.moments import DAY, MINUTE, NOW

from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, RequestId, TransactionId, VisitCode
from hip.domain.key_material import KeyMaterial
from hip.domain.pages import Page
from hip.domain.transfers import HealthInformationRequest, Transfer, TransferState
from hip.domain.waiting_entries import WaitingEntry

PUSH_URL = "https://canary-hiu.example/data/push?for=meera"


def a_health_information_request(**changes: Any) -> HealthInformationRequest:
    """Asks for a year, to be pushed to PUSH_URL."""
    values: dict[str, Any] = {
        "date_range": THE_YEAR,
        "data_push_url": PUSH_URL,
        "key_material": KeyMaterial(public_key="BFBVQklU", nonce="bm9uY2U=", expires_at=NOW + DAY),
        "requester": "IN0510000001",
    }
    return HealthInformationRequest(**(values | changes))


def a_transfer(**changes: Any) -> Transfer:
    """A transfer that was just asked for."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "transaction_id": TransactionId("transfer-1"),
        "consent_id": ConsentId("consent-1"),
        "request_id": RequestId("request-of-transfer-1"),
        "request": a_health_information_request(),
        "state": TransferState.REQUESTED,
        "requested_at": NOW,
        "updated_at": NOW,
        "deadline": NOW + 20 * MINUTE,
    }
    return Transfer(**(values | changes))


def a_page(number: int = 1, **changes: Any) -> Page:
    """A page of that transfer, to be pushed."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "transaction_id": TransactionId("transfer-1"),
        "number": number,
        "push": number,
        "care_context_reference": CareContextReference("88120"),
        "visit_code": VisitCode("88120"),
        "hi_type": HiType.PRESCRIPTION,
    }
    return Page(**(values | changes))


def a_waiting_entry(**changes: Any) -> WaitingEntry:
    """The entry of that page, left to be fetched."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "information_id": "entry-1",
        "transaction_id": TransactionId("transfer-1"),
        "consent_id": ConsentId("consent-1"),
        "number": 1,
        "content": "c2VhbGVk",
        "token": "ab" * 32,
        "created_at": NOW,
    }
    return WaitingEntry(**(values | changes))
