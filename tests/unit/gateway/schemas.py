"""JSON Schemas of every body we send to the gateway, written from contract §2 and nothing else."""

from typing import Any

from hip.domain.exchanges import Flow

Schema = dict[str, Any]

MOMENT = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"}
UUID = {"type": "string", "pattern": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
ABHA_NUMBER = {"type": "string", "pattern": r"^\d{14}$"}
ABHA_ADDRESS = {"type": "string", "pattern": r"^[a-zA-Z0-9][a-zA-Z0-9_.]+[a-zA-Z0-9]@(abdm|sbx)$"}
REFERENCE = {"type": "string", "pattern": r"^[a-zA-Z0-9_\-@,. ()/:\\]{1,255}$"}
DISPLAY = {"type": "string", "pattern": r"^[a-zA-Z0-9_\-@,. \"':|()/]{1,255}$"}
TEXT = {"type": "string", "minLength": 1}
HIP_ID = {"type": "string", "pattern": r"^IN\d{10}$"}
HI_TYPE = {
    "enum": [
        "DiagnosticReport",
        "DischargeSummary",
        "HealthDocumentRecord",
        "ImmunizationRecord",
        "OPConsultation",
        "Prescription",
        "WellnessRecord",
        "Invoice",
    ]
}


def closed(required: Schema, optional: Schema | None = None) -> Schema:
    """An object with exactly these members."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


ERROR = closed({"code": {"type": "string", "pattern": r"^ABDM-\d{4}$"}, "message": TEXT})
RESPONSE = closed({"requestId": UUID})
ENTRY = closed(
    {
        "referenceNumber": REFERENCE,
        "display": DISPLAY,
        "careContexts": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": closed({"referenceNumber": REFERENCE, "display": DISPLAY}),
        },
        "hiType": HI_TYPE,
        "count": {"type": "integer", "minimum": 1, "maximum": 20},
    }
)
ENTRIES = {"type": "array", "minItems": 1, "items": ENTRY}

SCHEMAS: dict[Flow, Schema] = {
    Flow.GENERATE_TOKEN: closed(
        {
            "abhaAddress": ABHA_ADDRESS,
            "name": TEXT,
            "gender": {"enum": ["M", "F", "O", "U"]},
            "yearOfBirth": {"type": "integer", "minimum": 1900, "maximum": 2200},
        },
        {"abhaNumber": ABHA_NUMBER},
    ),
    Flow.LINK_CARE_CONTEXT: closed({"abhaAddress": ABHA_ADDRESS, "patient": ENTRIES}, {"abhaNumber": ABHA_NUMBER}),
    Flow.CONTEXT_NOTIFY: closed(
        {
            "notification": closed(
                {
                    "patient": closed({"id": ABHA_ADDRESS}),
                    "careContext": closed({"patientReference": REFERENCE, "careContextReference": REFERENCE}),
                    "hiTypes": {"type": "array", "minItems": 1, "items": HI_TYPE},
                    "date": MOMENT,
                    "hip": closed({"id": HIP_ID}, {"name": TEXT}),
                }
            )
        }
    ),
    Flow.SMS_NOTIFY: closed(
        {
            "notification": closed(
                {
                    "phoneNo": {"type": "string", "pattern": r"^(91|\+91-)?\d{10}$"},
                    "hip": closed({"id": HIP_ID, "name": TEXT}),
                }
            )
        }
    ),
    Flow.ON_DISCOVER: {
        "oneOf": [
            closed(
                {
                    "transactionId": UUID,
                    "patient": ENTRIES,
                    "matchedBy": {
                        "type": "array",
                        "items": {"enum": ["MR", "MOBILE", "ABHA_NUMBER", "ABHA_ADDRESS"]},
                    },
                    "response": RESPONSE,
                }
            ),
            closed({"transactionId": UUID, "error": ERROR, "response": RESPONSE}),
        ]
    },
    Flow.ON_INIT: {
        "oneOf": [
            closed(
                {
                    "transactionId": UUID,
                    "link": closed(
                        {
                            "referenceNumber": UUID,
                            "authenticationType": {"enum": ["DIRECT", "MEDIATED"]},
                            "meta": closed(
                                {
                                    "communicationMedium": {"enum": ["MOBILE", "EMAIL"]},
                                    "communicationHint": {"type": "string", "pattern": r"^\*{6}\d{4}$"},
                                    "communicationExpiry": MOMENT,
                                }
                            ),
                        }
                    ),
                    "response": RESPONSE,
                }
            ),
            closed({"transactionId": UUID, "error": ERROR, "response": RESPONSE}),
        ]
    },
    Flow.ON_SHARE: {
        "oneOf": [
            closed(
                {
                    "acknowledgement": closed(
                        {
                            "status": {"const": "SUCCESS"},
                            "abhaAddress": ABHA_ADDRESS,
                            "profile": closed(
                                {
                                    "context": TEXT,
                                    "tokenNumber": {"type": "string", "pattern": r"^\d{4,}$"},
                                    "expiry": {"type": "integer", "minimum": 0},
                                }
                            ),
                        }
                    ),
                    "response": RESPONSE,
                }
            ),
            closed(
                {
                    "acknowledgement": closed({"status": {"const": "FAILED"}, "abhaAddress": ABHA_ADDRESS}),
                    "error": ERROR,
                    "response": RESPONSE,
                }
            ),
        ]
    },
    Flow.ON_CONFIRM: {
        "oneOf": [
            closed({"patient": ENTRIES, "response": RESPONSE}),
            closed({"error": ERROR, "response": RESPONSE}),
        ]
    },
    Flow.CONSENT_ON_NOTIFY: {
        "oneOf": [
            closed({"acknowledgement": closed({"status": {"const": "OK"}, "consentId": UUID}), "response": RESPONSE}),
            closed(
                {
                    "acknowledgement": closed({"status": {"const": "ERROR"}, "consentId": UUID}),
                    "error": ERROR,
                    "response": RESPONSE,
                }
            ),
        ]
    },
    Flow.ON_DEACTIVATE: closed({"acknowledgement": closed({"status": {"const": "OK"}}), "response": RESPONSE}),
    Flow.HEALTH_INFORMATION_ON_REQUEST: {
        "oneOf": [
            closed(
                {
                    "hiRequest": closed({"transactionId": UUID, "sessionStatus": {"const": "ACKNOWLEDGED"}}),
                    "response": RESPONSE,
                }
            ),
            closed({"error": ERROR, "response": RESPONSE}),
        ]
    },
    Flow.HEALTH_INFORMATION_NOTIFY: closed(
        {
            "notification": closed(
                {
                    "consentId": UUID,
                    "transactionId": UUID,
                    "doneAt": MOMENT,
                    "notifier": closed({"type": {"const": "HIP"}, "id": HIP_ID}),
                    "statusNotification": closed(
                        {
                            "sessionStatus": {"enum": ["TRANSFERRED", "FAILED"]},
                            "hipId": HIP_ID,
                            "statusResponses": {
                                "type": "array",
                                "items": closed(
                                    {
                                        "careContextReference": REFERENCE,
                                        "hiStatus": {"enum": ["DELIVERED", "ERRORED"]},
                                    },
                                    {"description": {"type": "string"}},
                                ),
                            },
                        }
                    ),
                }
            )
        }
    ),
}

SESSIONS = closed({"clientId": TEXT, "clientSecret": TEXT, "grantType": {"const": "client_credentials"}})
BRIDGE_URL = closed({"url": {"type": "string", "pattern": "^https://"}})

KEY_MATERIAL = closed(
    {
        "cryptoAlg": {"const": "ECDH"},
        "curve": {"const": "Curve25519"},
        "dhPublicKey": closed({"expiry": MOMENT, "parameters": TEXT, "keyValue": TEXT}),
        "nonce": TEXT,
    }
)
PAGE = closed(
    {
        "pageNumber": {"type": "integer", "minimum": 0},
        "pageCount": {"type": "integer", "minimum": 1},
        "transactionId": UUID,
        "entries": {
            "type": "array",
            "minItems": 1,
            "items": closed(
                {
                    "content": TEXT,
                    "media": {"const": "application/fhir+json"},
                    "checksum": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                    "careContextReference": REFERENCE,
                }
            ),
        },
        "keyMaterial": KEY_MATERIAL,
    }
)
"""Contract §2.11: the body of a push."""
