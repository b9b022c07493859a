"""What we say to the gateway, as JSON: exactly the members of contract §2, in the forms §4 believes in."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hip.adapters.gateway.connection import timestamp
from hip.application.gateway_calls import (
    ConsentOnNotify,
    ContextNotify,
    GatewayCall,
    GatewayError,
    GenerateToken,
    HealthInformationNotify,
    HealthInformationOnRequest,
    LinkCareContexts,
    OnConfirm,
    OnDeactivate,
    OnDiscover,
    OnInit,
    OnShare,
    PatientEntry,
    SmsNotify,
)
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaNumber, HipId, RequestId
from hip.domain.links import MAX_CONTEXTS_PER_ENTRY
from hip.domain.patients import IdentifierType

# `matchedBy` knows no EMAIL (contract §1.13).
_MATCHED_BY = (IdentifierType.MR, IdentifierType.MOBILE, IdentifierType.ABHA_NUMBER, IdentifierType.ABHA_ADDRESS)


def body(call: GatewayCall, *, hip_id: HipId) -> bytes:
    """UTF-8 JSON of ``call``. Members that have no value are left out, never null.

    Raises InvalidValue for a patient entry without care contexts or with more than 20 (ABDM-1037).
    """
    return msgspec.json.encode(_content(call, hip_id))


def _content(call: GatewayCall, hip_id: HipId) -> Mapping[str, Any]:  # noqa: C901 - one case for each call
    match call:
        case GenerateToken():
            return _generate_token(call)
        case LinkCareContexts():
            return _link(call)
        case ContextNotify():
            return _context_notify(call, hip_id)
        case SmsNotify():
            hip = {"id": hip_id, "name": call.facility_name}
            return {"notification": {"phoneNo": call.phone, "hip": hip}}
        case OnDiscover():
            return _on_discover(call)
        case OnInit():
            return _on_init(call)
        case OnConfirm():
            return _on_confirm(call)
        case OnShare():
            return _on_share(call)
        case ConsentOnNotify():
            return _consent_on_notify(call)
        case OnDeactivate():
            return {"acknowledgement": {"status": "OK"}, "response": _answering(call.answers)}
        case HealthInformationOnRequest():
            return _on_request(call)
        case HealthInformationNotify():
            return _transfer_notify(call, hip_id)


def _generate_token(call: GenerateToken) -> dict[str, Any]:
    return {
        **_abha_number(call.abha_number),
        "abhaAddress": str(call.abha_address),
        "name": call.name,
        "gender": call.gender.value,
        "yearOfBirth": call.birth_year,
    }


def _link(call: LinkCareContexts) -> dict[str, Any]:
    return {
        **_abha_number(call.abha_number),
        "abhaAddress": str(call.abha_address),
        "patient": _entries(call.entries),
    }


def _context_notify(call: ContextNotify, hip_id: HipId) -> dict[str, Any]:
    return {
        "notification": {
            "patient": {"id": str(call.abha_address)},
            "careContext": {
                "patientReference": call.patient_reference,
                "careContextReference": call.care_context_reference,
            },
            "hiTypes": [hi_type.value for hi_type in call.hi_types],
            "date": timestamp(call.date),
            "hip": {"id": hip_id},
        }
    }


def _on_discover(call: OnDiscover) -> dict[str, Any]:
    if call.error is not None:
        return {"transactionId": call.transaction_id, "error": _error(call.error), "response": _answering(call.answers)}
    return {
        "transactionId": call.transaction_id,
        "patient": _entries(call.entries),
        "matchedBy": [kind.value for kind in call.matched_by if kind in _MATCHED_BY],
        "response": _answering(call.answers),
    }


def _on_init(call: OnInit) -> dict[str, Any]:
    if call.error is not None or call.challenge is None:
        error = call.error or GatewayError(code="ABDM-9999", message="internal error")
        return {"transactionId": call.transaction_id, "error": _error(error), "response": _answering(call.answers)}
    return {
        "transactionId": call.transaction_id,
        "link": {
            "referenceNumber": call.challenge.reference,
            "authenticationType": call.challenge.authentication.value,
            "meta": {
                "communicationMedium": "MOBILE",
                "communicationHint": call.challenge.hint,
                "communicationExpiry": timestamp(call.challenge.expires_at),
            },
        },
        "response": _answering(call.answers),
    }


def _on_confirm(call: OnConfirm) -> dict[str, Any]:
    # No transactionId here (contract §2.7).
    if call.error is not None:
        return {"error": _error(call.error), "response": _answering(call.answers)}
    return {"patient": _entries(call.entries), "response": _answering(call.answers)}


def _on_share(call: OnShare) -> dict[str, Any]:
    told: dict[str, Any] = {"status": "SUCCESS", "abhaAddress": str(call.abha_address)}
    if call.error is not None or call.token_number is None:
        error = call.error or GatewayError(code="ABDM-9999", message="internal error")
        told["status"] = "FAILED"
        return {"acknowledgement": told, "error": _error(error), "response": _answering(call.answers)}
    told["profile"] = {"context": call.counter, "tokenNumber": call.token_number, "expiry": call.seconds}
    return {"acknowledgement": told, "response": _answering(call.answers)}


def _consent_on_notify(call: ConsentOnNotify) -> dict[str, Any]:
    status = "OK" if call.error is None else "ERROR"
    content: dict[str, Any] = {"acknowledgement": {"status": status, "consentId": call.consent_id}}
    if call.error is not None:
        content["error"] = _error(call.error)
    return {**content, "response": _answering(call.answers)}


def _on_request(call: HealthInformationOnRequest) -> dict[str, Any]:
    if call.error is not None:
        return {"error": _error(call.error), "response": _answering(call.answers)}
    return {
        "hiRequest": {"transactionId": call.transaction_id, "sessionStatus": "ACKNOWLEDGED"},
        "response": _answering(call.answers),
    }


def _transfer_notify(call: HealthInformationNotify, hip_id: HipId) -> dict[str, Any]:
    return {
        "notification": {
            "consentId": call.consent_id,
            "transactionId": call.transaction_id,
            "doneAt": timestamp(call.done_at),
            "notifier": {"type": "HIP", "id": hip_id},
            "statusNotification": {
                "sessionStatus": call.outcome.value,
                "hipId": hip_id,
                "statusResponses": [
                    {
                        "careContextReference": status.care_context_reference,
                        "hiStatus": status.hi_status.value,
                        "description": status.description,
                    }
                    for status in call.statuses
                ],
            },
        }
    }


def _entries(entries: Iterable[PatientEntry]) -> list[dict[str, Any]]:
    """One element per HI type, ``hiType`` a string and ``count`` the true length (contract §2.2)."""
    written: list[dict[str, Any]] = []
    for index, entry in enumerate(entries):
        if not 1 <= len(entry.care_contexts) <= MAX_CONTEXTS_PER_ENTRY:
            raise InvalidValue(f"patient[{index}].careContexts", "1 to 20 care contexts", code="ABDM-1037")
        written.append(
            {
                "referenceNumber": entry.patient_reference,
                "display": entry.display,
                "careContexts": [
                    {"referenceNumber": context.reference, "display": context.display}
                    for context in entry.care_contexts
                ],
                "hiType": entry.hi_type.value,
                "count": len(entry.care_contexts),
            }
        )
    return written


def _abha_number(number: AbhaNumber | None) -> dict[str, str]:
    # Digits only: a dashed number is refused with an empty 400 (LINK-03).
    return {} if number is None else {"abhaNumber": number.digits}


def _answering(request_id: RequestId) -> dict[str, str]:
    return {"requestId": request_id}


def _error(error: GatewayError) -> dict[str, str]:
    return {"code": error.code, "message": error.message}
