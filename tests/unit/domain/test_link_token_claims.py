"""LINK-01: a link token that names somebody else is never used, whatever its claims are called."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip.domain.errors import LinkTokenRefused
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId
from hip.domain.link_token_claims import claims_of, contradiction
from hip.domain.links import LinkToken

HIP, ADDRESS, NUMBER = HipId("IN0410000123"), AbhaAddress.parse("meera.k01@sbx"), AbhaNumber.parse("91123456789012")
NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzUxMiJ9.{body}.c2ln"


def told(number: AbhaNumber | None = NUMBER, **claims: Any) -> str | None:
    return contradiction(jwt(**claims), hip_id=HIP, abha_address=ADDRESS, abha_number=number)


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"hipId": "IN0410000999"}, "ABDM-1063"),
        ({"requesterType": "HIP", "requesterId": "IN0410000999"}, "ABDM-1063"),
        ({"abhaAddress": "ravi@sbx"}, "ABDM-1038"),
        ({"patientId": "ravi@sbx"}, "ABDM-1038"),
        ({"sub": "ravi@sbx"}, "ABDM-1038"),
        ({"abhaNumber": "91-9999-9999-9999"}, "ABDM-1062"),
        ({"abhaNumber": 91999999999999}, "ABDM-1062"),
        ({"hipId": HIP, "abhaAddress": "MEERA.K01@sbx", "abhaNumber": "91-1234-5678-9012"}, None),
        ({"hipId": None, "abhaAddress": "", "abhaNumber": True, "sub": "8d1f", "patientId": ["x"]}, None),
        ({"requesterType": "HIP", "requesterId": "SBXID_012345"}, None),
        ({}, None),
    ],
)
def test_each_claim_is_compared_with_what_was_asked_for(claims: dict[str, Any], code: str | None) -> None:
    assert told(**claims) == code


def test_a_number_that_we_did_not_send_contradicts_nothing() -> None:
    assert told(number=None, abhaNumber="91999999999999") is None


def test_a_token_that_contradicts_itself_or_is_over_does_not_fit() -> None:
    for claims, code in (({"hipId": "IN0410000999"}, "ABDM-1063"), ({"exp": NOW.timestamp()}, "ABDM-1026")):
        token = LinkToken.issued(jwt(**claims), hip_id=HIP, abha_address=ADDRESS, abha_number=NUMBER, now=NOW)
        assert token.unusable(now=NOW) == code
        with pytest.raises(LinkTokenRefused) as refused:
            token.require_fit(hip_id=HIP, abha_address=ADDRESS, abha_number=NUMBER, now=NOW)
        assert refused.value.code == code
    good = LinkToken.issued(jwt(hipId=HIP), hip_id=HIP, abha_address=ADDRESS, abha_number=NUMBER, now=NOW)
    assert good.unusable(now=NOW) is None
    assert good.unusable(now=NOW + timedelta(days=200)) == "ABDM-1026"


@given(st.text() | st.binary().map(lambda raw: f"a.{base64.urlsafe_b64encode(raw).decode()}.c"))
def test_nothing_that_stands_in_the_place_of_a_token_upsets_the_reader(text: str) -> None:
    assert isinstance(claims_of(text), dict)
    contradiction(text, hip_id=HIP, abha_address=ADDRESS, abha_number=NUMBER)
