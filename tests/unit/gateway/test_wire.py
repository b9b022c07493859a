"""What leaves for the gateway, byte for byte as contract §2 wants it."""

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.gateway import calls
from tests.unit.gateway.schemas import SCHEMAS

from hip.adapters.gateway import wire
from hip.application.gateway_calls import GatewayCall
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.patients import Gender, IdentifierType


def sent(call: GatewayCall) -> dict[str, Any]:
    content = json.loads(wire.body(call, hip_id=calls.HIP))
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("call", calls.EVERY_CALL, ids=lambda call: call.flow.value)
def test_every_body_fits_the_schema_written_from_the_contract(call: GatewayCall) -> None:
    jsonschema.Draft202012Validator(SCHEMAS[call.flow]).validate(sent(call))


@given(
    hi_types=st.lists(st.sampled_from(HiType), min_size=1, max_size=8, unique=True),
    contexts=st.integers(1, 20),
    number=st.sampled_from([None, calls.NUMBER]),
)
@settings(max_examples=30)
def test_every_link_body_fits_its_schema_and_counts_its_contexts(
    hi_types: list[HiType], contexts: int, number: Any
) -> None:
    call = replace(
        calls.LINK, abha_number=number, entries=tuple(calls.entry(hi_type, contexts=contexts) for hi_type in hi_types)
    )
    content = sent(call)
    jsonschema.Draft202012Validator(SCHEMAS[call.flow]).validate(content)
    assert [one["count"] for one in content["patient"]] == [contexts] * len(hi_types)


def test_generate_token_is_the_contracts_example() -> None:
    assert sent(calls.GENERATE_TOKEN) == {
        "abhaNumber": "91123456789012",
        "abhaAddress": "meera.k01@sbx",
        "name": "Meera Kulkarni",
        "gender": "F",
        "yearOfBirth": 1984,
    }


def test_an_unknown_abha_number_is_left_out_not_null() -> None:
    assert "abhaNumber" not in sent(replace(calls.GENERATE_TOKEN, abha_number=None))
    assert "abhaNumber" not in sent(replace(calls.LINK, abha_number=None))


@pytest.mark.parametrize("gender", list(Gender))
def test_each_gender_is_sent_as_its_letter(gender: Gender) -> None:
    assert sent(replace(calls.GENERATE_TOKEN, gender=gender))["gender"] in {"M", "F", "O", "U"}


def test_link_has_one_entry_per_hi_type_with_a_text_hi_type_and_its_true_count() -> None:
    content = sent(calls.LINK)
    assert [(one["hiType"], one["count"]) for one in content["patient"]] == [("OPConsultation", 1), ("Prescription", 1)]


def test_link_never_carries_the_link_token_in_its_body() -> None:
    assert calls.LINK_TOKEN.encode() not in wire.body(calls.LINK, hip_id=calls.HIP)


@pytest.mark.parametrize("contexts", [0, 21])
def test_an_entry_with_no_context_or_more_than_twenty_is_refused_before_it_leaves(contexts: int) -> None:
    with pytest.raises(InvalidValue) as refusal:
        sent(replace(calls.LINK, entries=(calls.entry(contexts=contexts),)))
    assert (refusal.value.field, refusal.value.code) == ("patient[0].careContexts", "ABDM-1037")


def test_a_context_notify_names_one_care_context_in_the_singular() -> None:
    notification = sent(calls.CONTEXT_NOTIFY)["notification"]
    assert notification["careContext"] == {"patientReference": "PAT-20417", "careContextReference": "visit-88120"}
    assert notification["date"] == "2026-03-14T06:20:00.000Z"
    assert notification["hip"]["id"] == "IN0410000123"


def test_an_sms_notify_names_the_facility() -> None:
    assert sent(calls.SMS_NOTIFY) == {
        "notification": {"phoneNo": "9876543210", "hip": {"id": "IN0410000123", "name": "Demo Clinic"}}
    }


def test_on_discover_with_an_error_omits_patient_and_matched_by() -> None:
    assert sent(calls.ON_DISCOVER_ERROR) == {
        "transactionId": calls.TRANSACTION,
        "error": {"code": "ABDM-1010", "message": "Patient not found"},
        "response": {"requestId": calls.INBOUND},
    }


def test_matched_by_leaves_out_what_the_gateway_has_no_word_for() -> None:
    content = sent(replace(calls.ON_DISCOVER, matched_by=(IdentifierType.EMAIL, IdentifierType.ABHA_ADDRESS)))
    assert content["matchedBy"] == ["ABHA_ADDRESS"]


def test_consent_on_notify_says_ok_or_error() -> None:
    assert sent(calls.CONSENT_ON_NOTIFY)["acknowledgement"]["status"] == "OK"
    refused = sent(calls.CONSENT_ON_NOTIFY_ERROR)
    assert (refused["acknowledgement"]["status"], refused["error"]["code"]) == ("ERROR", "ABDM-1035")


def test_on_request_with_an_error_omits_the_acknowledgement() -> None:
    assert sent(calls.ON_REQUEST_ERROR).keys() == {"error", "response"}


def test_a_transfer_notify_says_each_context_once() -> None:
    notification = sent(calls.TRANSFER_NOTIFY)["notification"]
    assert notification["doneAt"] == "2026-03-14T06:53:02.410Z"
    assert notification["statusNotification"]["sessionStatus"] == "TRANSFERRED"
    assert [
        (one["careContextReference"], one["hiStatus"]) for one in notification["statusNotification"]["statusResponses"]
    ] == [
        ("adm-5512", "DELIVERED"),
        ("adm-5513", "ERRORED"),
    ]
