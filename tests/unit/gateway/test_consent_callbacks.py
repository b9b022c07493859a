"""Consent notices and health-information requests: what limits a release must be there, and is read exactly."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.gateway import bodies
from tests.unit.gateway.bodies import changed
from tests.unit.gateway.readings import as_json, read, refusal

from hip.application.gateway_events import ConsentNotified, HealthInformationAsked
from hip.domain.consents import ConsentedContext, ConsentStatus, DateRange
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress


def consent(body: bytes) -> ConsentNotified:
    event = read(bodies.CONSENT_PATH, body)
    assert isinstance(event, ConsentNotified)
    return event


def request(body: bytes) -> HealthInformationAsked:
    event = read(bodies.REQUEST_PATH, body)
    assert isinstance(event, HealthInformationAsked)
    return event


# --- consent


def test_a_grant_is_read_whole() -> None:
    event = consent(as_json(bodies.GRANTED))
    artefact = event.artefact
    assert artefact is not None
    assert (event.consent_id, event.status, event.signed) == (bodies.CONSENT_ID, ConsentStatus.GRANTED, True)
    assert (artefact.hip_id, artefact.hiu_id, artefact.patient) == (
        "IN0410000123",
        None,
        AbhaAddress.parse("meera.k01@sbx"),
    )
    assert artefact.care_contexts == (
        ConsentedContext(patient_reference="PAT-20417", care_context_reference="adm-5512"),
    )
    assert artefact.hi_types == {HiType.DISCHARGE_SUMMARY, HiType.PRESCRIPTION}
    assert artefact.unknown_hi_types == 1
    assert (artefact.purpose, artefact.access_mode, artefact.frequency) == ("PATRQT", "VIEW", ("HOUR", 1, 0))
    assert artefact.date_range == DateRange(
        start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2026, 3, 14, 6, 50, tzinfo=UTC)
    )
    assert artefact.data_erase_at == datetime(2026, 3, 15, 6, 50, tzinfo=UTC)


def test_the_artefact_hash_is_of_its_canonical_form() -> None:
    detail = bodies.GRANTED["notification"]["consentDetail"]
    canonical = json.dumps(detail, sort_keys=True, separators=(",", ":")).encode()
    shuffled = {**bodies.GRANTED["notification"], "consentDetail": dict(reversed(detail.items()))}
    expected = hashlib.sha256(canonical).hexdigest()
    assert consent(as_json(bodies.GRANTED)).artefact_hash == expected
    assert consent(json.dumps({"notification": shuffled}, indent=3).encode()).artefact_hash == expected
    other = changed(bodies.GRANTED, "notification.consentDetail.purpose.code", "BTG")
    assert consent(other).artefact_hash != expected


@pytest.mark.parametrize("status", ["REVOKED", "EXPIRED", "DENIED", "revoked", "PAUSED"])
def test_an_ended_consent_needs_nothing_but_its_id(status: str) -> None:
    event = consent(changed(bodies.REVOKED, "notification.status", status))
    assert (event.status, event.artefact, event.artefact_hash, event.signed) == (
        ConsentStatus(status.upper()),
        None,
        None,
        False,
    )


@pytest.mark.parametrize("detail", [None, {}, [], "x", {"careContexts": 7}, {"consentId": "another"}])
def test_an_ended_consent_is_read_whatever_its_detail(detail: Any) -> None:
    event = consent(changed(bodies.REVOKED, "notification.consentDetail", detail))
    assert (event.status, event.artefact) == (ConsentStatus.REVOKED, None)


def test_a_status_nobody_knows_is_refused() -> None:
    assert (
        refusal(bodies.CONSENT_PATH, changed(bodies.REVOKED, "notification.status", "WAT")).field
        == "notification.status"
    )


def test_a_detail_of_another_consent_is_refused() -> None:
    body = changed(bodies.GRANTED, "notification.consentDetail.consentId", "another")
    assert refusal(bodies.CONSENT_PATH, body).field == "notification.consentDetail.consentId"


@pytest.mark.parametrize("place", ["hip", "hiu", "hip.id"])
def test_hip_and_hiu_may_be_absent_from_the_artefact(place: str) -> None:
    artefact = consent(changed(bodies.GRANTED, f"notification.consentDetail.{place}", None)).artefact
    assert artefact is not None
    assert artefact.hiu_id is None
    assert (artefact.hip_id is None) == place.startswith("hip")


def test_the_hiu_is_kept_when_it_is_named() -> None:
    artefact = consent(changed(bodies.GRANTED, "notification.consentDetail.hiu", {"id": "HIU-9"})).artefact
    assert artefact is not None
    assert artefact.hiu_id == "HIU-9"


def test_an_unknown_purpose_or_mode_is_kept_for_the_gate_to_refuse() -> None:
    artefact = consent(changed(bodies.GRANTED, "notification.consentDetail.purpose.code", "fishing")).artefact
    assert artefact is not None
    assert artefact.purpose == "FISHING"


@pytest.mark.parametrize("frequency", [None, {}, 7, {"unit": "HOUR"}, {"unit": "HOUR", "value": "x", "repeats": 0}])
def test_a_frequency_that_cannot_be_read_is_none(frequency: Any) -> None:
    artefact = consent(changed(bodies.GRANTED, "notification.consentDetail.permission.frequency", frequency)).artefact
    assert artefact is not None
    assert artefact.frequency is None


@pytest.mark.parametrize("names", [["prescription", "OP_CONSULTATION", 7, None, {}, ""], "Prescription", []])
def test_hi_types_are_read_in_any_case_and_unknown_ones_permit_nothing(names: Any) -> None:
    artefact = consent(changed(bodies.GRANTED, "notification.consentDetail.hiTypes", names)).artefact
    assert artefact is not None
    assert artefact.hi_types <= {HiType.PRESCRIPTION, HiType.OP_CONSULTATION}
    if isinstance(names, list) and names:
        assert (len(artefact.hi_types), artefact.unknown_hi_types) == (2, 3)


# --- health-information request


def test_a_request_is_read_whole_and_its_push_url_verbatim() -> None:
    event = request(as_json(bodies.REQUEST))
    asked = event.request
    assert (event.transaction_id, event.consent_id) == ("d2a0f2de-5a3f-4f0d-8a5a-0d7e7f3c9b21", bodies.CONSENT_ID)
    assert asked.data_push_url == "https://hiu.example.org/v3/transfer/"
    assert asked.date_range.end == datetime(2026, 3, 14, 6, 50, tzinfo=UTC)
    assert asked.key_material.expires_at == datetime(2026, 3, 15, 6, 50, tzinfo=UTC)
    assert asked.key_material.curve == "Curve25519"
    assert asked.key_material.nonce == "6uj1RdDUbcpI3lVMZvijkMC8Te20O4Bcyz0SyivX8Eg="


@pytest.mark.parametrize("url", ["https://h.example/a%2Fb/?q=1&x=%20", " https://h.example", "javascript:alert(1)"])
def test_a_push_url_is_never_altered_however_odd(url: str) -> None:
    assert request(changed(bodies.REQUEST, "hiRequest.dataPushUrl", url)).request.data_push_url == url


@pytest.mark.parametrize("url", ["", " ", 7, ["https://h.example"], "x" * 3000, "https://h.example/\x00"])
def test_a_push_url_that_is_no_text_is_refused(url: Any) -> None:
    assert (
        refusal(bodies.REQUEST_PATH, changed(bodies.REQUEST, "hiRequest.dataPushUrl", url)).field
        == "hiRequest.dataPushUrl"
    )


DATES = bodies.REQUEST["hiRequest"]["dateRange"]


@pytest.mark.parametrize("dates", [[DATES], [None, DATES], DATES])
def test_a_date_range_may_stand_in_an_array_of_one(dates: Any) -> None:
    asked = request(changed(bodies.REQUEST, "hiRequest.dateRange", dates)).request
    assert asked.date_range.start == datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("dates", [[], [DATES, DATES], [None], {"from": DATES["to"], "to": DATES["from"]}, 7, "x"])
def test_several_ranges_none_or_one_turned_round_are_refused(dates: Any) -> None:
    assert refusal(bodies.REQUEST_PATH, changed(bodies.REQUEST, "hiRequest.dateRange", dates)).field.startswith(
        "hiRequest.dateRange"
    )


def test_a_range_turned_round_answers_1063() -> None:
    body = changed(bodies.REQUEST, "hiRequest.dateRange", {"from": DATES["to"], "to": DATES["from"]})
    assert refusal(bodies.REQUEST_PATH, body).code == "ABDM-1063"


@pytest.mark.parametrize("expiry", [None, "", "soon", "2026-13-45", 7, {"x": 1}])
def test_a_key_expiry_that_is_no_date_is_none_which_fails_closed(expiry: Any) -> None:
    body = changed(bodies.REQUEST, "hiRequest.keyMaterial.dhPublicKey.expiry", expiry)
    assert request(body).request.key_material.expires_at is None
