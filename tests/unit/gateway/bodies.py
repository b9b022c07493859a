"""Callback bodies as the contract shows them, and the paths they come on."""

import copy
import json
from collections.abc import Mapping
from typing import Any

REQUEST_ID = "3d6e0f0a-7c5f-4b86-9a53-0b7b1f6f2a11"
TRANSACTION_ID = "5f0d5a0e-2f7b-49d8-9a9f-3a5c4b0d7e21"
CONSENT_ID = "7a1d0c3e-6f2b-4f08-8f5e-1b9d2c7a4e60"

TOKEN_PATH = "/api/v3/hip/token/on-generate-token"
LINK_PATH = "/api/v3/link/on_carecontext"
CONTEXT_PATH = "/api/v3/links/context/on-notify"
SMS_PATH = "/api/v3/patients/sms/on-notify"
DISCOVER_PATH = "/api/v3/hip/patient/care-context/discover"
INIT_PATH = "/api/v3/hip/link/care-context/init"
CONFIRM_PATH = "/api/v3/hip/link/care-context/confirm"
CONSENT_PATH = "/api/v3/consent/request/hip/notify"
REQUEST_PATH = "/api/v3/hip/health-information/request"

SHARE_PATH = "/api/v3/hip/patient/share"
STATUS_PATH = "/api/v3/patients/status/notify"

TOKEN: dict[str, Any] = {
    "abhaAddress": "meera.k01@sbx",
    "linkToken": "eyJhbGciOiJSUzUxMiJ9.e30.c2ln",
    "response": {"requestId": REQUEST_ID},
}
TOKEN_ERROR: dict[str, Any] = {
    "error": {"code": "ABDM-1207", "message": "Demographic details are invalid"},
    "response": {"requestId": REQUEST_ID},
}
LINK: dict[str, Any] = {
    "abhaAddress": "meera.k01@sbx",
    "status": "Successfully Linked care context",
    "response": {"requestId": REQUEST_ID},
}
CONTEXT: dict[str, Any] = {
    "acknowledgement": {"status": "SUCCESS"},
    "error": None,
    "response": {"requestId": REQUEST_ID},
}
SMS: dict[str, Any] = {
    "requestId": None,
    "timestamp": None,
    "status": "ACKNOWLEDGED",
    "error": None,
    "resp": {"requestId": REQUEST_ID},
}
DISCOVER: dict[str, Any] = {
    "transactionId": TRANSACTION_ID,
    "patient": {
        "id": "meera.k01@sbx",
        "name": "Meera Kulkarni",
        "gender": "F",
        "yearOfBirth": 1984,
        "verifiedIdentifiers": [
            {"type": "MOBILE", "value": "+919876543210"},
            {"type": "ABHA_NUMBER", "value": "91-1234-5678-9012"},
            {"type": "abhaAddress", "value": "meera.k01@sbx"},
        ],
        "unverifiedIdentifiers": [{"type": "MR", "value": "PAT-20417"}],
    },
}
INIT: dict[str, Any] = {
    "transactionId": TRANSACTION_ID,
    "abhaAddress": "meera.k01@sbx",
    "patient": [
        {
            "referenceNumber": "PAT-20417",
            "careContexts": [{"referenceNumber": "adm-5512"}],
            "hiType": "DischargeSummary",
            "count": 1,
        }
    ],
}
INIT_ERROR: dict[str, Any] = {
    "transactionId": TRANSACTION_ID,
    "error": {"code": "ABDM-1056", "message": "This care contexts has been already linked"},
}
CONFIRM: dict[str, Any] = {
    "requestId": None,
    "timestamp": None,
    "confirmation": {"token": "482913", "linkRefNumber": "0a9a2b61-2b1d-4a8e-9c5f-7d1e0c8b6a45"},
}
GRANTED: dict[str, Any] = {
    "notification": {
        "status": "GRANTED",
        "consentId": CONSENT_ID,
        "consentDetail": {
            "schemaVersion": "v3",
            "consentId": CONSENT_ID,
            "createdAt": "2026-03-14T06:50:11.125Z",
            "patient": {"id": "meera.k01@sbx"},
            "careContexts": [{"patientReference": "PAT-20417", "careContextReference": "adm-5512"}],
            "purpose": {"text": "Self Requested", "code": "PATRQT", "refUri": None},
            "hip": {"id": "IN0410000123", "name": "Demo Clinic"},
            "consentManager": {"id": "sbx"},
            "hiTypes": ["DischargeSummary", "PRESCRIPTION", "DentalChart"],
            "permission": {
                "accessMode": "VIEW",
                "dateRange": {"from": "2020-01-01T00:00:00.000Z", "to": "2026-03-14T06:50:00.000Z"},
                "dataEraseAt": "2026-03-15T06:50:00.000Z",
                "frequency": {"unit": "HOUR", "value": 1, "repeats": 0},
            },
        },
        "signature": "c2lnbmF0dXJlLW1hZGUtdXA=",
        "grantAcknowledgement": False,
    }
}
REVOKED: dict[str, Any] = {"notification": {"status": "REVOKED", "consentId": CONSENT_ID}}
REQUEST: dict[str, Any] = {
    "requestId": "",
    "timestamp": "",
    "transactionId": "d2a0f2de-5a3f-4f0d-8a5a-0d7e7f3c9b21",
    "hiRequest": {
        "consent": {"id": CONSENT_ID},
        "dateRange": {"from": "2020-01-01T00:00:00.000Z", "to": "2026-03-14T06:50:00.000Z"},
        "dataPushUrl": "https://hiu.example.org/v3/transfer/",
        "keyMaterial": {
            "cryptoAlg": "ECDH",
            "curve": "Curve25519",
            "dhPublicKey": {
                "expiry": "2026-03-15T06:50:00.000Z",
                "parameters": "Curve25519/32byte random key",
                "keyValue": "BAheD5rUqTy4V5xR4/6HWmYpopu5CO+KO8BECS0udNqUTSNo91TIqIIy1A4Vh+F94c+n9vAcwXU2bGcfsI5f69Y=",
            },
            "nonce": "6uj1RdDUbcpI3lVMZvijkMC8Te20O4Bcyz0SyivX8Eg=",
        },
    },
}

CLOSED: dict[str, Any] = {"notification": {"status": "DEACTIVATED", "patient": {"id": "meera.k01@sbx"}}}

EVERY: list[tuple[str, dict[str, Any]]] = [
    (TOKEN_PATH, TOKEN),
    (TOKEN_PATH, TOKEN_ERROR),
    (LINK_PATH, LINK),
    (CONTEXT_PATH, CONTEXT),
    (SMS_PATH, SMS),
    (DISCOVER_PATH, DISCOVER),
    (INIT_PATH, INIT),
    (INIT_PATH, INIT_ERROR),
    (CONFIRM_PATH, CONFIRM),
    (CONSENT_PATH, GRANTED),
    (CONSENT_PATH, REVOKED),
    (REQUEST_PATH, REQUEST),
    (STATUS_PATH, CLOSED),
]

MISSING = object()


def changed(body: Mapping[str, Any], place: str, value: Any = MISSING) -> bytes:
    """``body`` as JSON with the member at the dotted ``place`` replaced, or taken out."""
    content = copy.deepcopy(dict(body))
    *parents, last = [int(name) if name.isdigit() else name for name in place.split(".")]
    holder: Any = content
    for name in parents:
        holder = holder[name]
    if value is MISSING:
        del holder[last]
    else:
        holder[last] = value
    return json.dumps(content).encode()


SHARE: dict[str, Any] = {
    "intent": "PROFILE_SHARE",
    "metaData": {
        "hipId": "IN0410000123",
        "context": "counter1",
        "hprId": None,
        "latitude": "18.5204",
        "longitude": "73.8567",
    },
    "profile": {
        "patient": {
            "abhaNumber": "91-1234-5678-9012",
            "abhaAddress": "meera.k01@sbx",
            "name": "Meera Kulkarni",
            "gender": "F",
            "dayOfBirth": "9",
            "monthOfBirth": "4",
            "yearOfBirth": "1984",
            "address": {"line": "12 Park Road", "district": "PUNE", "state": "MAHARASHTRA", "pincode": "411001"},
            "phoneNumber": "9876543210",
        }
    },
}
"""Contract §2.8."""
