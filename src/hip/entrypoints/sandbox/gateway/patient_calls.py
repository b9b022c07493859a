"""The patient's side of the gateway: who is signed in, and what a PHR app asks for (contract §2.16).

The published contract gives the paths and callbacks of the PHR side but not all bodies; those here are of the
sandbox's own making.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hip.entrypoints.sandbox.gateway.calls import Call
from hip.entrypoints.sandbox.gateway.entries import ChosenEntry
from hip.entrypoints.sandbox.gateway.refusals import Refusal, bad
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.parties import Patient


class Identifier(msgspec.Struct):
    """What a patient typed to be found by, usually a hospital number (``MR``)."""

    type: str
    value: str


class HipBody(msgspec.Struct):
    """Where to search."""

    id: str


class DiscoverBody(msgspec.Struct, rename="camel"):
    """A search."""

    hip: HipBody
    unverified_identifiers: list[Identifier] | None = None


class InitBody(msgspec.Struct, rename="camel"):
    """What the patient picked of a discovery."""

    transaction_id: str
    patient: list[ChosenEntry]


class Confirmation(msgspec.Struct, rename="camel"):
    """The OTP."""

    link_ref_number: str
    token: str


class ConfirmBody(msgspec.Struct):
    """Link confirm."""

    confirmation: Confirmation


class ShareMeta(msgspec.Struct, rename="camel"):
    """What the QR code and the telephone add; ``context`` is the counter."""

    hip_id: str
    context: str
    hpr_id: str | None = None
    latitude: str | None = None
    longitude: str | None = None


class ShareBody(msgspec.Struct, rename="camel"):
    """Scan and share."""

    intent: str
    meta_data: ShareMeta


@dataclass(slots=True)
class SignedIn:
    """The patients' user tokens (X-AUTH-TOKEN)."""

    registry: Registry
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)

    def sign_in(self, abha_address: str) -> str | None:
        """A user token for a known account."""
        patient = self.registry.patient(abha_address)
        if patient is None:
            return None
        token = uuid.uuid4().hex
        self._tokens[token] = patient.abha_address
        return token

    def patient(self, call: Call) -> Patient:
        """Who calls. Raises Refusal ABDM-1065 for an unknown user token, 403 for a client that is no PHR app."""
        if not call.caller.has("PHR"):
            raise Refusal(403, "ABDM-1065", "Not a PHR app")
        patient = self.registry.patient(self._tokens.get(call.headers.get("x-auth-token", ""), ""))
        if patient is None:
            raise bad("ABDM-1065", "Invalid X-Auth token")
        return patient


def phr_service(call: Call) -> str:
    """The service id of the calling PHR app."""
    return next(service.id for service in call.caller.services if "PHR" in service.types)


def dashed(abha_number: str) -> str:
    """``91-1234-5678-9012``."""
    return "-".join((abha_number[:2], abha_number[2:6], abha_number[6:10], abha_number[10:]))


def searched_for(patient: Patient, unverified: list[Identifier] | None, *, null: bool) -> dict[str, Any]:
    """The ``patient`` of a discovery; ``null`` sends null where nothing was typed, an empty array otherwise."""
    verified = [{"type": "MOBILE", "value": f"+91{patient.mobile}"}]
    if patient.abha_number:
        verified.append({"type": "ABHA_NUMBER", "value": dashed(patient.abha_number)})
    verified.append({"type": "abhaAddress", "value": patient.abha_address})
    typed = [{"type": each.type, "value": each.value} for each in unverified or ()]
    return {
        "id": patient.abha_address,
        "name": patient.name,
        "gender": patient.gender,
        "yearOfBirth": patient.year_of_birth,
        "verifiedIdentifiers": verified,
        "unverifiedIdentifiers": typed or (None if null else []),
    }


def profile_of(patient: Patient) -> dict[str, Any]:
    """The ``profile`` of scan and share: birth parts are texts, the ABHA number is dashed."""
    return {
        "patient": {
            "abhaNumber": dashed(patient.abha_number) if patient.abha_number else None,
            "abhaAddress": patient.abha_address,
            "name": patient.name,
            "gender": patient.gender,
            "dayOfBirth": str(patient.day_of_birth) if patient.day_of_birth else None,
            "monthOfBirth": str(patient.month_of_birth) if patient.month_of_birth else None,
            "yearOfBirth": str(patient.year_of_birth),
            "address": {"line": "12 Park Road", "district": "PUNE", "state": "MAHARASHTRA", "pincode": "411001"},
            "phoneNumber": patient.mobile,
        }
    }
