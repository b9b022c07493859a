"""Callbacks read into domain words: what is demanded, and everything that is put up with."""

import json
from typing import Any

import pytest
from tests.unit.gateway import bodies
from tests.unit.gateway.bodies import changed
from tests.unit.gateway.readings import as_json, read, refusal

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.adapters.gateway.paths import Inbound
from hip.application.gateway_calls import GatewayError
from hip.application.gateway_events import (
    AccountChanged,
    ConsentNotified,
    DiscoveryAsked,
    HealthInformationAsked,
    LinkAnswered,
    NotifyAnswered,
    TokenAnswered,
    Unrecognised,
)
from hip.domain.identifiers import AbhaAddress, AbhaNumber
from hip.domain.patients import Gender


def token(body: bytes) -> TokenAnswered:
    event = read(bodies.TOKEN_PATH, body)
    assert isinstance(event, TokenAnswered)
    return event


def link(body: bytes) -> LinkAnswered:
    event = read(bodies.LINK_PATH, body)
    assert isinstance(event, LinkAnswered)
    return event


def notify(body: bytes, path: str = bodies.CONTEXT_PATH) -> NotifyAnswered:
    event = read(path, body)
    assert isinstance(event, NotifyAnswered)
    return event


def discovery(body: bytes) -> DiscoveryAsked:
    event = read(bodies.DISCOVER_PATH, body)
    assert isinstance(event, DiscoveryAsked)
    return event


# --- paths


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/v3/hip/token/on-generate-token", bodies.TOKEN, TokenAnswered),
        ("/api/v3/hip/token/on-generate-token/", bodies.TOKEN, TokenAnswered),
        ("//api/v3/hip/token/on-generate-token", bodies.TOKEN, TokenAnswered),
        ("/api/v3/link/on-carecontext", bodies.LINK, LinkAnswered),
        ("/v3/hip/link/on-carecontext", bodies.LINK, LinkAnswered),
        ("/v0.5/links/link/on-add-contexts", bodies.LINK, LinkAnswered),
        ("/v3/links/context/on-notify", bodies.CONTEXT, NotifyAnswered),
        ("/links/sms/on-notify", bodies.SMS, NotifyAnswered),
        ("/api/v3/links/sms/on-notify", bodies.SMS, NotifyAnswered),
        ("/v3/patients/sms/on-notify/", bodies.SMS, NotifyAnswered),
        ("/v3/hip/patient/care-context/discover", bodies.DISCOVER, DiscoveryAsked),
        ("/v3/consent/request/hip/notify", bodies.GRANTED, ConsentNotified),
        ("/v3/hip/health-information/request", bodies.REQUEST, HealthInformationAsked),
    ],
)
def test_every_spelling_of_a_path_is_known(path: str, body: dict[str, Any], kind: type) -> None:
    assert isinstance(read(path, as_json(body)), kind)


@pytest.mark.parametrize("path", ["/api/v3/hip/patient/deactivate", "/proxy/v4/hip/patient/deactivate/"])
def test_a_path_that_an_operator_named_is_known_by_its_end(path: str) -> None:
    body = as_json({"notification": {"status": "DEACTIVATED", "patient": {"id": "meera.k01@sbx"}}})
    named = V3CallbackReader(also={"/hip/patient/deactivate": Inbound.ACCOUNT})
    assert isinstance(named.read(path, body), AccountChanged)
    assert read(path, body) == Unrecognised()
    assert named.read(path.replace("patient/", "impatient/"), body) == Unrecognised()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/api/v3/patients/nobody/notify",
        "/api/v4/link/on_carecontext",
        "/api/v3/LINK/on_carecontext",
        "/api/v3/",
    ],
)
@pytest.mark.parametrize("body", [b"{}", b"not json", b""])
def test_an_unknown_path_is_unrecognised_whatever_its_body(path: str, body: bytes) -> None:
    assert read(path, body) == Unrecognised()


# --- JSON


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a":NaN}',
        b'{"linkToken":"a","linkToken":"b"}',
        b'{"response":{"requestId":"a","requestId":"b"}}',
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
        b"[" * 100_000,
        b'{"a":1' + b"0" * 5000 + b"}",
        b"[]",
        b'"text"',
        b"null",
    ],
)
def test_what_is_no_plain_json_object_is_refused_as_the_body(body: bytes) -> None:
    assert refusal(bodies.TOKEN_PATH, body).field == "body"


def test_nesting_of_64_is_let_pass() -> None:
    deep = json.dumps({**bodies.LINK, "extra": json.loads("[" * 62 + "]" * 62)}).encode()
    assert link(deep).error is None


def test_unknown_members_and_a_byte_order_mark_do_not_matter() -> None:
    assert link(b"\xef\xbb\xbf" + changed(bodies.LINK, "later", {"x": [1]})).error is None


# --- token, link, notify


def test_a_token_is_read_with_the_request_it_answers() -> None:
    assert token(as_json(bodies.TOKEN)) == TokenAnswered(
        answers=bodies.REQUEST_ID, token="eyJhbGciOiJSUzUxMiJ9.e30.c2ln", error=None
    )


def test_an_error_leaves_no_token() -> None:
    event = token(as_json({**bodies.TOKEN, **bodies.TOKEN_ERROR}))
    assert event.token is None
    assert event.error == GatewayError(code="ABDM-1207", message="Demographic details are invalid")


@pytest.mark.parametrize("nothing", [None, {}, [], "", {"code": None, "message": None}, {"code": "", "message": " "}])
def test_an_error_that_says_nothing_is_success(nothing: Any) -> None:
    assert token(changed(bodies.TOKEN, "error", nothing)).error is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "ABDM-1207: ", "message": "x"}, "ABDM-1207"),
        ({"code": 1428, "message": "x"}, "1428"),
        ({"code": "odd", "message": "x"}, "ABDM-9999"),
        ({"message": "only prose"}, "ABDM-9999"),
        ("only prose", "ABDM-9999"),
        ([{"code": "ABDM-1024"}], "ABDM-1024"),
        (True, "ABDM-9999"),
    ],
)
def test_an_error_of_any_shape_has_a_code(error: Any, code: str) -> None:
    found = token(changed(bodies.TOKEN, "error", error)).error
    assert found is not None
    assert found.code == code


def test_prose_of_an_error_is_kept_without_what_may_be_a_persons() -> None:
    found = token(changed(bodies.TOKEN, "error", {"code": "ABDM-1170", "message": "no meera.k01@sbx here"})).error
    assert found == GatewayError(code="ABDM-1170", message="no … here")


@pytest.mark.parametrize(
    "answering",
    [
        {"response": {"requestId": bodies.REQUEST_ID}},
        {"resp": {"requestId": bodies.REQUEST_ID}},
        {"response": None, "resp": {"requestId": bodies.REQUEST_ID}},
        {"response": {"requestId": ""}, "resp": {"requestId": bodies.REQUEST_ID}},
        {"response": {"requestId": f" {bodies.REQUEST_ID.upper()} "}},
    ],
)
def test_the_answered_request_is_read_under_either_name(answering: dict[str, Any]) -> None:
    assert link(as_json({"status": "ok", **answering})).answers == bodies.REQUEST_ID


@pytest.mark.parametrize(
    ("path", "body", "place", "field"),
    [
        (bodies.TOKEN_PATH, bodies.TOKEN, "response", "response.requestId"),
        (bodies.TOKEN_PATH, bodies.TOKEN, "response.requestId", "response.requestId"),
        (bodies.TOKEN_PATH, bodies.TOKEN, "linkToken", "linkToken"),
        (bodies.LINK_PATH, bodies.LINK, "response", "response.requestId"),
        (bodies.SMS_PATH, bodies.SMS, "resp", "response.requestId"),
        (bodies.DISCOVER_PATH, bodies.DISCOVER, "transactionId", "transactionId"),
        (bodies.DISCOVER_PATH, bodies.DISCOVER, "patient", "patient.id"),
        (bodies.DISCOVER_PATH, bodies.DISCOVER, "patient.id", "patient.id"),
        (bodies.DISCOVER_PATH, bodies.DISCOVER, "patient.name", "patient.name"),
        (bodies.DISCOVER_PATH, bodies.DISCOVER, "patient.gender", "patient.gender"),
        (bodies.DISCOVER_PATH, bodies.DISCOVER, "patient.yearOfBirth", "patient.yearOfBirth"),
        (bodies.CONSENT_PATH, bodies.REVOKED, "notification", "notification.consentId"),
        (bodies.CONSENT_PATH, bodies.REVOKED, "notification.consentId", "notification.consentId"),
        (bodies.CONSENT_PATH, bodies.REVOKED, "notification.status", "notification.status"),
        (bodies.CONSENT_PATH, bodies.GRANTED, "notification.consentDetail", "notification.consentDetail"),
        *(
            (
                bodies.CONSENT_PATH,
                bodies.GRANTED,
                f"notification.consentDetail.{place}",
                f"notification.consentDetail.{field}",
            )
            for place, field in [
                ("patient", "patient.id"),
                ("careContexts", "careContexts"),
                ("careContexts.0.patientReference", "careContexts[0].patientReference"),
                ("careContexts.0.careContextReference", "careContexts[0].careContextReference"),
                ("hiTypes", "hiTypes"),
                ("purpose", "purpose.code"),
                ("permission", "permission.accessMode"),
                ("permission.accessMode", "permission.accessMode"),
                ("permission.dateRange", "permission.dateRange"),
                ("permission.dateRange.to", "permission.dateRange.to"),
                ("permission.dataEraseAt", "permission.dataEraseAt"),
            ]
        ),
        (bodies.REQUEST_PATH, bodies.REQUEST, "transactionId", "transactionId"),
        (bodies.REQUEST_PATH, bodies.REQUEST, "hiRequest", "hiRequest.consent.id"),
        (bodies.REQUEST_PATH, bodies.REQUEST, "hiRequest.dateRange", "hiRequest.dateRange"),
        (bodies.REQUEST_PATH, bodies.REQUEST, "hiRequest.dateRange.from", "hiRequest.dateRange.from"),
        (bodies.REQUEST_PATH, bodies.REQUEST, "hiRequest.dataPushUrl", "hiRequest.dataPushUrl"),
        (bodies.REQUEST_PATH, bodies.REQUEST, "hiRequest.keyMaterial.nonce", "hiRequest.keyMaterial.nonce"),
        (
            bodies.REQUEST_PATH,
            bodies.REQUEST,
            "hiRequest.keyMaterial.dhPublicKey",
            "hiRequest.keyMaterial.dhPublicKey.keyValue",
        ),
        (bodies.REQUEST_PATH, bodies.REQUEST, "hiRequest.keyMaterial.curve", "hiRequest.keyMaterial.curve"),
    ],
)
def test_what_a_flow_needs_is_named_when_it_is_missing_or_null(
    path: str, body: dict[str, Any], place: str, field: str
) -> None:
    assert refusal(path, changed(body, place)).field == field
    assert refusal(path, changed(body, place, None)).field == field


@pytest.mark.parametrize("token_text", ["a b", "a\r\nX: 1", "é", 7.5, ["x"], "\u0000", "x" * 9000])
def test_a_link_token_that_could_not_be_a_header_is_refused(token_text: Any) -> None:
    assert refusal(bodies.TOKEN_PATH, changed(bodies.TOKEN, "linkToken", token_text)).field == "linkToken"


@pytest.mark.parametrize("status", ["Failed to link care context", "FAILED", "failed: whatever"])
def test_a_link_whose_status_says_failed_without_an_error_has_failed(status: str) -> None:
    error = link(changed(bodies.LINK, "status", status)).error
    assert error is not None
    assert error.code == "ABDM-9999"


@pytest.mark.parametrize("status", ["Successfully Linked care context", "has not Failed", "", None, 7, {"x": 1}])
def test_no_other_status_prose_of_a_link_is_believed(status: Any) -> None:
    assert link(changed(bodies.LINK, "status", status)).error is None


def test_a_stated_error_of_a_link_beats_its_status() -> None:
    error = link(
        as_json({**bodies.LINK, "status": "Failed", "error": {"code": "ABDM-1056", "message": "linked"}})
    ).error
    assert error == GatewayError(code="ABDM-1056", message="linked")


@pytest.mark.parametrize("path", [bodies.CONTEXT_PATH, bodies.SMS_PATH])
@pytest.mark.parametrize(
    "body",
    [
        {"acknowledgement": {"status": "ERRORED"}, "response": {"requestId": bodies.REQUEST_ID}},
        {"acknowledgment": {"status": "errored"}, "resp": {"requestId": bodies.REQUEST_ID}},
        {"status": "ERRORED", "error": None, "resp": {"requestId": bodies.REQUEST_ID}},
    ],
)
def test_a_notify_that_errored_without_an_error_has_failed(path: str, body: dict[str, Any]) -> None:
    error = notify(as_json(body), path).error
    assert error is not None
    assert error.code == "ABDM-9999"


@pytest.mark.parametrize(("path", "body"), [(bodies.CONTEXT_PATH, bodies.CONTEXT), (bodies.SMS_PATH, bodies.SMS)])
def test_both_forms_of_a_notify_answer_are_read(path: str, body: dict[str, Any]) -> None:
    assert notify(as_json(body), path) == NotifyAnswered(answers=bodies.REQUEST_ID, error=None)


# --- discovery


def test_a_discovery_is_read_with_every_identifier_spelling() -> None:
    query = discovery(as_json(bodies.DISCOVER)).query
    assert (query.transaction_id, query.abha_address) == (bodies.TRANSACTION_ID, AbhaAddress.parse("meera.k01@sbx"))
    assert (query.name, query.gender, query.birth_year) == ("Meera Kulkarni", Gender.FEMALE, 1984)
    assert query.verified.mobiles == {"9876543210"}
    assert query.verified.abha_numbers == {AbhaNumber("91123456789012")}
    assert query.verified.abha_addresses == {AbhaAddress.parse("meera.k01@sbx")}
    assert query.unverified.references == {"PAT-20417"}


@pytest.mark.parametrize("identifiers", [None, [], {}, "", [None], [{}], [{"type": "MR", "value": None}], [7], "MR"])
def test_identifiers_may_be_null_empty_or_nonsense(identifiers: Any) -> None:
    query = discovery(changed(bodies.DISCOVER, "patient.unverifiedIdentifiers", identifiers)).query
    assert query.unverified.references == frozenset()


def test_an_identifier_may_be_a_number() -> None:
    body = changed(bodies.DISCOVER, "patient.verifiedIdentifiers", [{"type": "MOBILE", "value": 919876543210}])
    assert discovery(body).query.verified.mobiles == {"9876543210"}


@pytest.mark.parametrize("year", ["1984", 1984, 1984.0, " 1984 "])
def test_a_year_of_birth_may_be_text_or_number(year: Any) -> None:
    assert discovery(changed(bodies.DISCOVER, "patient.yearOfBirth", year)).query.birth_year == 1984


@pytest.mark.parametrize("year", [True, 84, "19xx", 1984.5, [1984], "\u0661\u0669\u0668\u0664"])
def test_a_year_of_birth_that_is_none_is_refused(year: Any) -> None:
    assert (
        refusal(bodies.DISCOVER_PATH, changed(bodies.DISCOVER, "patient.yearOfBirth", year)).field
        == "patient.yearOfBirth"
    )


def test_a_discovery_that_failed_at_the_gateway_asks_for_nobody() -> None:
    body = {"transactionId": bodies.TRANSACTION_ID, "error": {"code": "ABDM-1017", "message": "x"}}
    assert read(bodies.DISCOVER_PATH, as_json(body)) == Unrecognised()


# --- leaks


def test_a_refusal_never_shows_the_value() -> None:
    body = changed(bodies.DISCOVER, "patient.gender", "canary-gender")
    assert "canary" not in str(refusal(bodies.DISCOVER_PATH, body))


def test_no_event_shows_a_token_a_name_or_a_push_url() -> None:
    for path, body in bodies.EVERY:
        shown = repr(read(path, as_json(body)))
        for canary in ("Meera", "meera", "hiu.example", "eyJ", "9876543210", "BAheD5", "PAT-20417"):
            assert canary not in shown
