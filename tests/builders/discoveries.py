"""Patients who are searched for, and what their app says of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.builders.links import MEERA_ADDRESS
from tests.builders.visits import MEERA

from hip.domain.discovery import DiscoveryQuery, PatientIdentifiers
from hip.domain.identifiers import AbhaAddress, TransactionId
from hip.domain.patients import Gender, Patient

STRANGER = AbhaAddress("somebody.else@sbx")


def a_patient(**changes: Any) -> Patient:
    """Meera, known here by MR, mobile, ABHA address and number; then ``changes``."""
    return replace(MEERA, **changes)


def a_patient_without_abha(**changes: Any) -> Patient:
    """Meera, who never told us her ABHA."""
    return a_patient(**{"abha_address": None, "abha_number": None, **changes})


def a_query(**changes: Any) -> DiscoveryQuery:
    """Meera's app: her own ABHA address and her verified mobile."""
    values: dict[str, Any] = {
        "transaction_id": TransactionId("discovery-1"),
        "abha_address": MEERA_ADDRESS,
        "name": "Meera Kulkarni",
        "gender": Gender.FEMALE,
        "birth_year": 1984,
        "verified": PatientIdentifiers(mobiles=frozenset({"9876543210"})),
        "unverified": PatientIdentifiers(),
    }
    return DiscoveryQuery(**(values | changes))


def exactly(one: str, other: str) -> float:
    """1.0 for the same name, else 0.0."""
    return float(one == other)


def always(likeness: float) -> Callable[[str, str], float]:
    """Any two names are this alike."""
    return lambda one, other: likeness
