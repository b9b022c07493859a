"""The ten shapes of a refusal (contract §1.10), and what each status means for a retry."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hip.adapters.gateway.errors import LONGEST_WAIT, clean_text, read_refusal, refused, retry_after
from hip.domain.errors import GatewayRefused, HipError, SessionRefused, Transient

NOW = datetime(2026, 3, 14, 6, 50, tzinfo=UTC)

SHAPES = [
    (400, b'{"error":{"code":"ABDM-1010","message":"Validation failed"}}', "ABDM-1010"),
    (400, b'[{"error":{"code":"ABDM-1041","message":"Invalid acknowledgement"}}]', "ABDM-1041"),
    (400, b'[{"code":"ABDM-1063","message":"Date range invalid"}]', "ABDM-1063"),
    (400, b'{"code":"ABDM-1035: ","message":"Invalid HIP id","timestamp":"t","path":"/x"}', "ABDM-1035"),
    (403, b'{"code":"900900","message":"Unclassified","description":"auth"}', "900900"),
    (404, b'{"code":"404","type":"Status report","message":"Runtime Error","description":"d"}', "404"),
    (400, b'{"timestamp":"t","path":"/x","status":400,"error":"Bad Request","requestId":"a1"}', "400"),
    (400, b'{"message":"Something","timestamp":"t"}', "400"),
    (400, b'{"hiType":"must not be an array","timestamp":"t"}', "400"),
    (403, b"Access Denied", "403"),
    (400, b"", "400"),
    (400, b'{"error":{"code":900902,"message":"Missing Credentials"}}', "900902"),
    (400, b'{"message":"ABDM-1016: invalid timestamp"}', "ABDM-1016"),
    (400, b'{"error":[{"code":"ABDM-1006"}]}', "ABDM-1006"),
    (400, b'{"code":"400","error":{"code":"ABDM-1092","message":"Duplicate"}}', "ABDM-1092"),
]


@pytest.mark.parametrize(("status", "body", "code"), SHAPES)
def test_each_shape_of_a_refusal_gives_its_code(status: int, body: bytes, code: str) -> None:
    assert read_refusal(status, body).code == code


@given(
    body=st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(str).map(str.encode)
)
def test_no_reply_of_any_kind_upsets_the_reader(body: bytes) -> None:
    assert read_refusal(502, body).code


def test_a_reply_nested_without_end_is_read_as_its_status() -> None:
    assert read_refusal(400, b'{"error":' * 50_000).code == "400"


def test_prose_loses_what_may_be_a_persons() -> None:
    text = clean_text('No user "Meera Kulkarni" with meera.k01@sbx, 91-1234-5678-9012 or 9876543210, see ABDM-1023')
    assert text == "No user … with … … or …, see ABDM-1023"


def refusal(status: int, body: bytes = b"", *, with_session: bool = True, **headers: str) -> HipError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return refused(
        call="link-care-context", status=status, headers=named, body=body, with_session=with_session, now=NOW
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
def test_what_may_pass_is_transient(status: int) -> None:
    error = refusal(status)
    assert type(error) is Transient
    assert error.code == str(status)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 302])
def test_what_will_not_change_is_a_refusal_with_code_call_and_status(status: int) -> None:
    error = refusal(status, b'{"code":"ABDM-1026","message":"Invalid link token"}')
    assert isinstance(error, GatewayRefused)
    assert (error.call, error.code, error.status) == ("link-care-context", "ABDM-1026", status)


@pytest.mark.parametrize(("status", "body"), [(401, b""), (403, b'{"code":"900901"}'), (403, b'{"code":"900902"}')])
def test_a_refused_token_is_told_apart_from_a_refused_call(status: int, body: bytes) -> None:
    assert isinstance(refusal(status, body), SessionRefused)
    assert isinstance(refusal(status, body, with_session=False), GatewayRefused)


@pytest.mark.parametrize("body", [b'{"code":"ABDM-1022"}', b'{"error":{"code":"ABDM-2429"}}'])
def test_throttling_waits_at_least_a_minute_whatever_its_status(body: bytes) -> None:
    for error in (refusal(400, body), refusal(429), refusal(429, body, retry_after="3")):
        assert isinstance(error, Transient)
        assert error.retry_after == timedelta(seconds=60)
    patient = refusal(429, retry_after="300")
    assert isinstance(patient, Transient)
    assert patient.retry_after == timedelta(seconds=300)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        (None, None),
        ("soon", None),
        ("7", timedelta(seconds=7)),
        ("99999999999999999999", LONGEST_WAIT),
        ("Sat, 14 Mar 2026 06:52:00 GMT", timedelta(minutes=2)),
        ("Sat, 14 Mar 2026 06:40:00 GMT", timedelta(0)),
        ("Sat, 14 Mar 9999 06:40:00 GMT", LONGEST_WAIT),
        ("\u0663", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, wait: timedelta | None) -> None:
    assert retry_after(value, now=NOW) == wait
