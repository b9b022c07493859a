"""Profiles that patients share at counters, and the queue tokens they get."""

from typing import Any

from tests.builders.links import HIP, MEERA_ADDRESS
from tests.builders.moments import NOW

from hip.application.gateway_events import ProfileShared
from hip.domain.identifiers import AbhaNumber, RequestId
from hip.domain.patients import Address, Gender
from hip.domain.shares import QueueToken, SharedProfile


def a_profile(**changes: Any) -> SharedProfile:
    """Meera's, whole."""
    values: dict[str, Any] = {
        "abha_address": MEERA_ADDRESS,
        "abha_number": AbhaNumber("91123456789012"),
        "name": "Meera Kulkarni",
        "gender": Gender.FEMALE,
        "birth_year": 1984,
        "birth_month": 4,
        "birth_day": 9,
        "phone": "9876543210",
        "address": Address(line="12 Park Road", district="PUNE", state="MAHARASHTRA", pincode="411001"),
    }
    return SharedProfile(**(values | changes))


def a_share(**changes: Any) -> ProfileShared:
    """Meera scanned counter1."""
    values: dict[str, Any] = {"intent": "PROFILE_SHARE", "hip_id": HIP, "counter": "counter1", "profile": a_profile()}
    return ProfileShared(**(values | changes))


def a_queue_token(**changes: Any) -> QueueToken:
    """Meera's place at counter1, the first of the day."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "counter": "counter1",
        "number": 1,
        "request_id": RequestId("share-1"),
        "now": NOW,
    }
    return QueueToken.issue(changes.pop("profile", a_profile()), **(values | changes))
