"""Link tokens: their life, read from the JWT, and what they fit (LINK-01, LINK-03)."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.links import HIP, MEERA_ADDRESS, OTHER_HIP, a_link_token
from tests.builders.moments import DAY, NOW, SECOND

from hip.domain.errors import LinkTokenRefused
from hip.domain.identifiers import AbhaAddress, AbhaNumber
from hip.domain.links import MAX_CONTEXTS_PER_ENTRY, LinkToken

MEERAS_NUMBER = AbhaNumber("91123456789012")
OTHER_NUMBER = AbhaNumber("91999999999999")
ENDLESS = b'{"exp": ' + b"9" * 10_000 + b"}"
MICROSECOND = timedelta(microseconds=1)
FALLBACK = NOW + 175 * DAY
LONGEST = NOW + 180 * DAY


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def a_jwt(claims: Any) -> str:
    return f"{part(b'{}')}.{part(json.dumps(claims).encode())}.{part(b'signature')}"


def issued(value: str) -> LinkToken:
    return LinkToken.issued(value, hip_id=HIP, abha_address=MEERA_ADDRESS, abha_number=MEERAS_NUMBER, now=NOW)


def test_the_expiry_is_the_tokens_own_link_01() -> None:
    exp = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
    token = issued(a_jwt({"exp": int(exp.timestamp()), "iss": "gateway"}))
    assert token.expires_at == exp
    assert token.expires_at.tzinfo is UTC
    assert (token.hip_id, token.abha_address, token.abha_number) == (HIP, MEERA_ADDRESS, MEERAS_NUMBER)


def test_a_fractional_expiry_is_read() -> None:
    exp = datetime(2026, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    assert issued(a_jwt({"exp": exp.timestamp()})).expires_at == exp


def test_a_padded_payload_is_read() -> None:
    exp = int((NOW + DAY).timestamp())
    payload = base64.urlsafe_b64encode(json.dumps({"exp": exp, "a": "?>é"}).encode()).decode()
    assert issued(f"h.{payload}.s").expires_at == datetime.fromtimestamp(exp, UTC)


def test_an_expiry_in_the_past_is_believed() -> None:
    token = issued(a_jwt({"exp": int((NOW - DAY).timestamp())}))
    assert token.expires_at < NOW
    assert token.life(now=NOW) == timedelta(0)


@pytest.mark.parametrize("exp", [int((LONGEST + DAY).timestamp()), 253_402_300_799])
def test_no_token_is_trusted_for_longer_than_180_days(exp: int) -> None:
    assert issued(a_jwt({"exp": exp})).expires_at == LONGEST


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": None},
        {"exp": True},
        {"exp": "1780000000"},
        {"exp": [1780000000]},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**300},
        {"exp": int(NOW.timestamp()) * 1_000_000},
        [1780000000],
        "exp",
        None,
    ],
)
def test_a_token_that_does_not_say_lives_six_months_less_a_week(claims: Any) -> None:
    assert issued(a_jwt(claims)).expires_at == FALLBACK


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "...",
        "opaque",
        "a.b",
        "a.%%%.c",
        "a.é.c",
        "a.\ud800.c",
        f"a.{part(b'not json')}.c",
        f"a.{part(bytes(range(128, 256)))}.c",
        f"a.{part(b'[' * 100_000)}.c",
        f"a.{part(ENDLESS)}.c",
    ],
)
def test_what_is_no_jwt_is_a_token_all_the_same(value: str) -> None:
    token = issued(value)
    assert (token.value, token.expires_at) == (value, FALLBACK)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["exp", "iat", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
garbage = st.one_of(
    st.text(max_size=60),
    st.lists(st.binary(max_size=30).map(part), min_size=1, max_size=4).map(".".join),
    json_values.map(a_jwt),
    (st.integers() | st.floats()).map(lambda exp: a_jwt({"exp": exp})),
)


@given(garbage)
@settings(max_examples=50, deadline=None)
def test_reading_a_token_never_fails_and_never_trusts_it_too_long(value: str) -> None:
    token = issued(value)
    assert token.expires_at.tzinfo is UTC
    assert token.expires_at <= LONGEST
    assert timedelta(0) <= token.life(now=NOW) <= 180 * DAY


@given(st.integers(-5, 5))
@settings(max_examples=11, deadline=None)
def test_life_is_what_is_left_and_never_negative(seconds: int) -> None:
    token = a_link_token(expires_at=NOW + seconds * SECOND)
    assert token.life(now=NOW) == max(seconds, 0) * SECOND


def fits(token: LinkToken, **changes: Any) -> str | None:
    """The code of the refusal, None when it fits."""
    values = {"hip_id": HIP, "abha_address": MEERA_ADDRESS, "abha_number": MEERAS_NUMBER, "now": NOW} | changes
    try:
        token.require_fit(**values)
    except LinkTokenRefused as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"now": NOW + 30 * DAY - MICROSECOND}, None),
        ({"now": NOW + 30 * DAY}, "ABDM-1026"),
        ({"now": NOW + 31 * DAY}, "ABDM-1026"),
        ({"hip_id": OTHER_HIP}, "ABDM-1063"),
        ({"abha_address": AbhaAddress("meera.k02@sbx")}, "ABDM-1038"),
        ({"abha_address": AbhaAddress("meera.k01@abdm")}, "ABDM-1038"),
        ({"abha_number": OTHER_NUMBER}, "ABDM-1062"),
        ({"abha_number": None}, "ABDM-1062"),
        ({"abha_address": AbhaAddress.parse("MEERA.K01@SBX")}, None),
    ],
)
def test_link_01_a_token_fits_its_own_hip_address_number_and_time_only(changes: Any, code: str | None) -> None:
    assert fits(a_link_token(), **changes) == code


def test_a_patient_entry_carries_at_most_twenty_care_contexts() -> None:
    """Contract §2.2: ABDM-1006, ABDM-1037."""
    assert MAX_CONTEXTS_PER_ENTRY == 20


def test_link_03_a_number_that_was_not_sent_for_the_token_does_not_fit_the_link() -> None:
    token = a_link_token(abha_number=None)
    assert fits(token, abha_number=None) is None
    assert fits(token) == "ABDM-1062"
