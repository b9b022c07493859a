"""Anyone's own gateway can be pointed at ``hip serve`` and drive every flow from outside (see ``own_gateway``)."""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from abdm_ecdh import generate_key_material
from joserfc.jwk import RSAKey
from tests.builders.processes import hip
from tests.e2e import own_gateway as gw
from tests.e2e.outside import CONSENT, HIP_ID, SMS_CALLBACK, TOKEN_CALLBACK, Outside, artefact, opened, outside_of

EXAMPLES = Path(__file__).parents[2] / "examples" / "visits"
MEERA_FILE = EXAMPLES / "01-meera-kulkarni-88120.json"
MEERA = json.loads(MEERA_FILE.read_bytes())
SURESH = json.loads((EXAMPLES / "02-suresh-yadav-88134.json").read_bytes())
ANIL = json.loads((EXAMPLES / "03-anil-deshmukh-88141.json").read_bytes())


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """One process in memory mode, with relay and worker inside."""
    with outside_of(folder=tmp_path_factory.mktemp("outside"), HIP_STORAGE="memory") as outside:
        yield outside


@pytest.fixture(autouse=True)
def no_fault(outside: Outside) -> Iterator[None]:
    """Every header and every body that the service sends during a test must be the contract's."""
    yield
    assert outside.gateway.faults == []
    assert outside.requester.faults == []


def test_a_visit_is_linked_consented_to_pushed_and_accounted_for(outside: Outside) -> None:
    code = outside.link(MEERA)
    assert code in {shown["visitCode"] for shown in outside.hmis.get("/v1/links").json()}
    stored = {b["hiType"]: b["sha256"] for b in outside.hmis.get(f"/v1/visits/{code}").json()["bundles"]}
    consent_id, own = str(uuid4()), generate_key_material()
    outside.grant(artefact(consent_id, MEERA["patient"], code, "OPConsultation", "Prescription"))

    transaction, told = outside.ask(consent_id, own)
    assert told["hiRequest"] == {"transactionId": transaction, "sessionStatus": "ACKNOWLEDGED"}
    pages = outside.requester.pages(transaction, 2)
    assert [(page["pageNumber"], page["pageCount"]) for page in pages] == [(1, 2), (2, 2)]
    keys = [page["keyMaterial"]["dhPublicKey"]["keyValue"] for page in pages]
    assert len(set(keys)) == len({page["keyMaterial"]["nonce"] for page in pages}) == 2  # PUSH-01
    assert all(len(base64.b64decode(key)) == 309 for key in keys)  # X.509: what every requester reads
    assert {page["entries"][0]["careContextReference"] for page in pages} == {code}

    bundles = {opened(page, own) for page in pages}
    assert {sha256(bundle).hexdigest() for bundle in bundles} == set(stored.values())
    compose = ("bundle", "compose", str(MEERA_FILE), "--hi-type")
    composed = {
        hip(*compose, hi_type, settings=outside.settings, folder=outside.folder).stdout.rstrip("\n").encode()
        for hi_type in stored
    }
    assert bundles == composed

    notification = outside.account(transaction)
    assert notification["consentId"] == consent_id
    assert notification["notifier"] == {"type": "HIP", "id": HIP_ID}
    status = notification["statusNotification"]
    assert (status["sessionStatus"], status["hipId"]) == ("TRANSFERRED", HIP_ID)
    [context] = status["statusResponses"]
    assert (context["careContextReference"], context["hiStatus"]) == (code, "DELIVERED")
    book = outside.show(f"/v1/transfers/{transaction}", lambda shown: shown["state"] == "done")
    assert book["outcome"] == "TRANSFERRED"
    assert [page["attempts"] for page in book["pages"]] in ([1, 2], [2, 1])  # the first push met a 404

    outside.revoke(consent_id)
    again, told = outside.ask(consent_id, own)
    assert told["error"]["code"] == "ABDM-1062"
    outside.show(f"/v1/transfers/{again}", lambda shown: shown["state"] == "done" and shown["outcome"] == "FAILED")
    assert outside.requester.pushes(again) == 0


def test_a_request_under_a_consent_nobody_notified_is_refused_and_nothing_leaves(outside: Outside) -> None:
    """REL-01."""
    transaction, told = outside.ask(str(uuid4()), generate_key_material())
    assert told["error"]["code"] == "ABDM-1112"
    assert "hiRequest" not in told
    outside.show(f"/v1/transfers/{transaction}", lambda shown: shown["state"] == "done")
    assert outside.requester.pushes(transaction) == 0


def test_a_patient_without_abha_gets_an_sms_is_found_by_mobile_and_links_with_an_otp(outside: Outside) -> None:
    patient = SURESH["patient"]
    code = outside.hand_over(SURESH)
    told, call = outside.gateway.call(gw.SMS)
    hip_itself = {"id": HIP_ID, "name": "Demo Clinic"}
    assert told == {"notification": {"phoneNo": patient["phone"], "hip": hip_itself}}
    # The body the sandbox really sends (contract §2.4): `resp`, and nulls.
    real = {
        "requestId": None,
        "timestamp": None,
        "status": "ACKNOWLEDGED",
        "error": None,
        "resp": {"requestId": call.id},
    }
    outside.gateway.notify(SMS_CALLBACK, real)
    outside.show(f"/v1/links/{code}", lambda shown: shown["status"] == "sms-sent")

    found = outside.discover(patient, abha_address="suresh.y69@sbx", mobile=f"+91{patient['phone']}")
    assert found["matchedBy"] == ["MOBILE"]
    assert {entry["referenceNumber"] for entry in found["patient"]} == {patient["reference"]}
    assert {c["referenceNumber"] for entry in found["patient"] for c in entry["careContexts"]} == {code}
    elsewhere = outside.telephone.came.copy()
    reference = outside.choose(found, abha_address="suresh.y69@sbx")
    otp = outside.otps[-1]
    refused = outside.confirm(reference, f"{(int(otp) + 1) % 1_000_000:06}")
    assert refused["error"]["code"] == "ABDM-1035"
    assert outside.hmis.get(f"/v1/visits/{code}").json()["linked"] is False
    confirmed = outside.confirm(reference, otp)
    assert {c["referenceNumber"] for entry in confirmed["patient"] for c in entry["careContexts"]} == {code}
    outside.show(f"/v1/visits/{code}", lambda shown: shown["linked"])
    [message] = outside.telephone.came[len(elsewhere) :]
    assert (message.body or {})["mobile"].endswith(patient["phone"])  # of our own file, not of the request
    missed = outside.discover(patient, abha_address="suresh.y69@sbx", mobile="+919000000099")
    assert missed["error"]["code"] == "ABDM-1010"
    assert "patient" not in missed
    assert len(outside.gateway.calls(gw.SMS)) == 1  # felt by a person: at most once


def test_demographics_that_do_not_match_are_shown_to_the_desk(outside: Outside) -> None:
    patient = ANIL["patient"]
    code = outside.hand_over(ANIL)
    asked, call = outside.gateway.call(gw.GENERATE_TOKEN, lambda body: body["name"] == patient["name"])
    assert asked["abhaNumber"] == patient["abhaNumber"].replace("-", "")
    error = {"code": "ABDM-1207: ", "message": "Demographic details are invalid"}  # with the trailing colon seen
    outside.gateway.notify(TOKEN_CALLBACK, {"error": error, "response": {"requestId": call.id}})
    shown = outside.show(f"/v1/links/{code}", lambda shown: shown["status"] == "refused")
    assert shown["code"] == "ABDM-1207"
    assert "correct it at the desk" in shown["advice"]
    assert outside.hmis.get(f"/v1/visits/{code}").json()["linked"] is False


def test_bad_input_from_outside_is_answered_clearly_and_changes_nothing(outside: Outside) -> None:
    patient = {"abhaAddress": "meera.k01@sbx", "reference": "PAT-20417"}
    consent_id = str(uuid4())
    body: Any = {
        "notification": {
            "status": "GRANTED",
            "consentId": consent_id,
            "consentDetail": artefact(consent_id, patient, "88120", "Prescription"),
        }
    }
    stranger = RSAKey.generate_key(2048, {"kid": "ours", "use": "sig", "alg": "RS256"})
    gateway = outside.gateway
    refusals = {
        "a token nobody signed": (gateway.call_back(CONSENT, body, authorization="Bearer a.b.c"), 401),
        "signed by a stranger": (
            gateway.call_back(CONSENT, body, authorization=f"Bearer {gateway.token(key=stranger)}"),
            401,
        ),
        "for somebody else": (
            gateway.call_back(CONSENT, body, authorization=f"Bearer {gateway.token(aud='other')}"),
            401,
        ),
        "expired": (gateway.call_back(CONSENT, body, authorization=f"Bearer {gateway.token(exp=1)}"), 401),
        "unknown HIP": (gateway.call_back(CONSENT, body, x_hip_id="IN0000000000"), 400),
        "no JSON": (gateway.call_back(CONSENT, raw=b'{"notification": '), 400),
        "no REQUEST-ID": (gateway.call_back(CONSENT, body, request_id=""), 400),
    }
    for bad, (response, status) in refusals.items():
        assert response.status_code == status, bad
        assert set(response.json()["error"]) == {"code", "message"}, bad
    assert refusals["unknown HIP"][0].json()["error"] == {
        "code": "ABDM-1035",
        "message": "X-HIP-ID: expected a facility of this service",
    }
    del body["notification"]["consentDetail"]["permission"]["dateRange"]
    gateway.notify(CONSENT, body)  # well signed and well formed: taken, kept, and found wanting by the worker
    # Callbacks are worked on in order of arrival; when a later one has been answered, the bad one has been read.
    later = artefact(str(uuid4()), patient, "88120", "Prescription")
    outside.grant(later)
    known = {consent["consentId"] for consent in outside.hmis.get("/v1/consents").json()}
    assert later["consentId"] in known
    assert consent_id not in known
    assert outside.hmis.get(f"/v1/consents/{consent_id}").status_code == 404


def test_a_port_that_is_taken_and_a_setting_that_is_missing_are_named(outside: Outside) -> None:
    taken = httpx.URL(outside.gateway.callback_url)
    refused = hip("serve", settings={**outside.settings, "HIP_BIND": f"127.0.0.1:{taken.port}"}, folder=outside.folder)
    assert refused.code == 2
    assert "HIP_BIND" in refused.stderr
    without = {name: value for name, value in outside.settings.items() if name != "HIP_CLIENT_SECRET"}
    missing = hip("serve", settings={**without, "HIP_FACILITIES": "[]"}, folder=outside.folder)
    assert missing.code == 2
    assert missing.stderr.splitlines() == ["HIP_FACILITIES: required", "HIP_CLIENT_SECRET: required"]


def test_share_patient_profile_701_a_second_scan_gets_the_same_place_in_the_queue(outside: Outside) -> None:
    profile = {
        "abhaNumber": None,
        "abhaAddress": "zoya.k01@sbx",
        "name": "Zoya Khan",
        "gender": "F",
        "yearOfBirth": "1990",
        "phoneNumber": "9876543219",
    }
    body = {
        "intent": "PROFILE_SHARE",
        "metaData": {"hipId": HIP_ID, "context": "counter-701"},
        "profile": {"patient": profile},
    }
    places = []
    for intent in ("PROFILE_SHARE", "PROFILE_SHARE", "PAYMENT_SHARE"):
        asked = outside.gateway.notify("/api/v3/hip/patient/share", {**body, "intent": intent})
        told, _ = outside.gateway.call(gw.ON_SHARE, lambda body, asked=asked: body["response"]["requestId"] == asked)
        places.append(told)
    first, second, refused = places
    assert first["acknowledgement"]["profile"]["tokenNumber"] == "0001"
    assert second["acknowledgement"]["profile"]["tokenNumber"] == "0001"
    assert refused["error"]["code"] == "ABDM-1149"
