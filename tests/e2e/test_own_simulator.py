"""Anyone's own gateway can be pointed at ``hip serve`` and drive every flow from outside (see ``own_gateway``)."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from abdm_ecdh import KeyMaterial, decrypt, generate_key_material
from joserfc.jwk import RSAKey
from tests.builders.processes import HIP, Ended, hip
from tests.e2e import own_gateway as gw
from tests.e2e.own_gateway import Json, OwnGateway, OwnRequester, moment

from hip.entrypoints.demo.processes import service

HIP_ID = "IN0410000123"
EXAMPLES = Path(__file__).parents[2] / "examples" / "visits"
MEERA, SURESH, ANIL = (
    EXAMPLES / name
    for name in ("01-meera-kulkarni-88120.json", "02-suresh-yadav-88134.json", "03-anil-deshmukh-88141.json")
)
TOKEN_CALLBACK = "/api/v3/hip/token/on-generate-token"
LINK_CALLBACK = "/api/v3/link/on_carecontext"
SMS_CALLBACK = "/api/v3/patients/sms/on-notify"
DISCOVER = "/api/v3/hip/patient/care-context/discover"
CONSENT = "/api/v3/consent/request/hip/notify"
REQUEST = "/api/v3/hip/health-information/request"


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Everything a stranger has: their gateway, their requester, the HMIS API, and the settings they wrote."""

    gateway: OwnGateway
    requester: OwnRequester
    hmis: httpx.Client
    settings: Mapping[str, str]
    folder: Path

    def hip(self, *arguments: str) -> Ended:
        """A command of ``hip`` under the same settings."""
        return hip(*arguments, settings=self.settings, folder=self.folder)

    def hand_over(self, visit: Path) -> str:
        """POST a visit file; returns its visit code."""
        response = self.hmis.post("/v1/visits", content=visit.read_bytes())
        assert response.status_code == 202, response.text
        return str(response.json()["visitCode"])

    def show(self, path: str, enough: Callable[[Json], object]) -> Json:
        """GET until it shows ``enough``."""
        shown: Json = {}

        def seen() -> bool:
            response = self.hmis.get(path)
            shown.clear()
            shown.update(response.json())
            return response.status_code == 200 and bool(enough(shown))

        gw.until(seen, lambda: f"{path}: {shown}")
        return shown


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """``hip serve`` in memory mode as a process, between a gateway and a requester that are not ours."""
    folder = tmp_path_factory.mktemp("outside")
    gateway = OwnGateway(client_id="SBXID_OWN", client_secret="own-secret", hip_id=HIP_ID)
    requester = OwnRequester()
    with ExitStack() as stack:
        settings = {
            "HIP_STORAGE": "memory",
            "HIP_GATEWAY_URL": stack.enter_context(gateway.running()),
            "HIP_CLIENT_ID": gateway.client_id,
            "HIP_CLIENT_SECRET": gateway.client_secret,
            "HIP_FACILITIES": json.dumps([{"id": HIP_ID, "name": "Demo Clinic"}]),
            "HIP_BIND": "127.0.0.1:0",
            "HIP_WAIT_SCALE": "0.05",
        }
        stack.enter_context(requester.running())
        group = stack.enter_context(service(folder / "logs"))
        serve = group.start("serve", "serve", module=HIP[-1], environment=settings)
        gateway.callback_url = serve.address()
        hmis = stack.enter_context(
            httpx.Client(base_url=gateway.callback_url, headers={"X-API-Key": "sandbox"}, trust_env=False, timeout=30)
        )
        yield Outside(gateway=gateway, requester=requester, hmis=hmis, settings=settings, folder=folder)
        group.require_running()
        group.stop()  # before the listeners, which wait for its connections


@pytest.fixture(autouse=True)
def no_fault(outside: Outside) -> Iterator[None]:
    """Every header and every body that the service sends during a test must be the contract's."""
    yield
    assert outside.gateway.faults == []
    assert outside.requester.faults == []


def link_token(expires: timedelta = timedelta(days=180)) -> str:
    """A link token as a gateway issues one; only its maker can tell whether it is good."""
    parts = ({"alg": "RS512"}, {"exp": int((datetime.now(UTC) + expires).timestamp())})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts), "c2ln"])


def link(outside: Outside, visit: Path) -> str:
    """A visit handed over and linked, each call answered by hand; returns its code."""
    patient = json.loads(visit.read_bytes())["patient"]
    code = outside.hand_over(visit)
    asked, token_call = outside.gateway.call(gw.GENERATE_TOKEN, lambda body: body["name"] == patient["name"])
    assert asked == {
        "abhaNumber": patient["abhaNumber"],
        "abhaAddress": patient["abhaAddress"],
        "name": patient["name"],
        "gender": patient["gender"],
        "yearOfBirth": int(patient["birthDate"][:4]),
    }
    token = link_token()
    outside.gateway.notify(
        TOKEN_CALLBACK,
        {"abhaAddress": asked["abhaAddress"], "linkToken": token, "response": {"requestId": token_call.id}},
    )
    linked, link_call = outside.gateway.call(gw.LINK, lambda body: body["abhaAddress"] == asked["abhaAddress"])
    assert link_call.headers["x-link-token"] == token
    assert linked["abhaNumber"] == asked["abhaNumber"]
    assert outside.hmis.get(f"/v1/visits/{code}").json()["linked"] is False  # not before the gateway says so
    outside.gateway.notify(
        LINK_CALLBACK,
        {
            "abhaAddress": asked["abhaAddress"],
            "status": "Successfully Linked care context",
            "error": None,
            "response": {"requestId": link_call.id},
        },
    )
    outside.show(f"/v1/links/{code}", lambda shown: shown["status"] == "linked")
    assert code in {shown["visitCode"] for shown in outside.hmis.get("/v1/links").json()}
    entries = {entry["hiType"]: entry for entry in linked["patient"]}
    assert set(entries) == set(json.loads(visit.read_bytes())["hiTypes"])
    for entry in entries.values():
        assert entry["referenceNumber"] == patient["reference"]
        assert [context["referenceNumber"] for context in entry["careContexts"]] == [code]
        assert entry["count"] == 1
    return code


def artefact(consent_id: str, patient: Json, code: str, *hi_types: str) -> Json:
    """``consentDetail`` as the sandbox sends it to a HIP: without hiu and requester (contract §2.9)."""
    now = datetime.now(UTC)
    return {
        "schemaVersion": "v3",
        "consentId": consent_id,
        "createdAt": moment(now).rstrip("Z"),  # the Z is sometimes missing
        "patient": {"id": patient["abhaAddress"]},
        "careContexts": [{"patientReference": patient["reference"], "careContextReference": code}],
        "purpose": {"text": "Self Requested", "code": "PATRQT", "refUri": None},
        "hip": {"id": HIP_ID, "name": "Demo Clinic"},
        "consentManager": {"id": "sbx"},
        "hiTypes": list(hi_types),
        "permission": {
            "accessMode": "VIEW",
            "dateRange": {"from": "2020-01-01T00:00:00.000Z", "to": moment(now + timedelta(days=365))},
            "dataEraseAt": moment(now + timedelta(days=30)),
            "frequency": {"unit": "HOUR", "value": 1, "repeats": 0},
        },
    }


def grant(outside: Outside, detail: Json) -> None:
    """Notify a consent, and see it acknowledged."""
    notification = {
        "status": "GRANTED",
        "consentId": detail["consentId"],
        "consentDetail": detail,
        "signature": "c2lnbmF0dXJl",
        "grantAcknowledgement": False,
    }
    request_id = outside.gateway.notify(CONSENT, {"notification": notification})
    told, _ = outside.gateway.call(gw.ON_CONSENT, lambda body: body["response"]["requestId"] == request_id)
    assert told["acknowledgement"] == {"status": "OK", "consentId": detail["consentId"]}


def ask(outside: Outside, consent_id: str, own: KeyMaterial) -> tuple[str, Json]:
    """Ask for the data of a consent; returns the transaction and what on-request said."""
    transaction = str(uuid4())
    request = {
        "consent": {"id": consent_id},
        "dateRange": {"from": "2020-01-01T00:00:00.000Z", "to": moment(datetime.now(UTC))},
        "dataPushUrl": outside.requester.url,
        "keyMaterial": {
            "cryptoAlg": "ECDH",
            "curve": "curve25519",
            "dhPublicKey": {
                "expiry": moment(datetime.now(UTC) + timedelta(days=1)),
                "parameters": "Curve25519/32byte random key",
                "keyValue": own.public_key,
            },
            "nonce": own.nonce,
        },
    }
    body = {"requestId": "", "timestamp": "", "transactionId": transaction, "hiRequest": request}
    request_id = outside.gateway.notify(REQUEST, body)
    told, _ = outside.gateway.call(gw.ON_REQUEST, lambda body: body["response"]["requestId"] == request_id)
    return transaction, told


def opened(page: Json, own: KeyMaterial) -> bytes:
    """The one bundle of a page, by an implementation that is not ours."""
    [entry], material = page["entries"], page["keyMaterial"]
    content = decrypt(
        encrypted_data=entry["content"],
        sender_nonce=material["nonce"],
        requester_nonce=own.nonce,
        requester_private_key=own.private_key,
        sender_public_key=material["dhPublicKey"]["keyValue"],
    ).decrypted_data.encode()
    assert entry["checksum"] == md5(content, usedforsecurity=False).hexdigest()
    return content


def test_a_visit_is_linked_consented_to_pushed_and_accounted_for(outside: Outside) -> None:
    patient = json.loads(MEERA.read_bytes())["patient"]
    code = link(outside, MEERA)
    stored = {b["hiType"]: b["sha256"] for b in outside.hmis.get(f"/v1/visits/{code}").json()["bundles"]}
    consent_id, own = str(uuid4()), generate_key_material()
    grant(outside, artefact(consent_id, patient, code, "OPConsultation", "Prescription"))

    transaction, told = ask(outside, consent_id, own)
    assert told["hiRequest"] == {"transactionId": transaction, "sessionStatus": "ACKNOWLEDGED"}
    pages = outside.requester.pages(transaction, 2)
    assert [(page["pageNumber"], page["pageCount"]) for page in pages] == [(1, 2), (2, 2)]
    keys = [page["keyMaterial"]["dhPublicKey"]["keyValue"] for page in pages]
    assert len(set(keys)) == len({page["keyMaterial"]["nonce"] for page in pages}) == 2  # PUSH-01
    assert all(len(base64.b64decode(key)) == 309 for key in keys)  # X.509: what every requester reads
    assert {page["entries"][0]["careContextReference"] for page in pages} == {code}

    bundles = {opened(page, own) for page in pages}
    assert {sha256(bundle).hexdigest() for bundle in bundles} == set(stored.values())
    composed = {
        outside.hip("bundle", "compose", str(MEERA), "--hi-type", hi_type).stdout.rstrip("\n").encode()
        for hi_type in stored
    }
    assert bundles == composed

    body, _ = outside.gateway.call(
        gw.TRANSFER_NOTIFY, lambda body: body["notification"]["transactionId"] == transaction
    )
    notification = body["notification"]
    assert notification["consentId"] == consent_id
    assert notification["notifier"] == {"type": "HIP", "id": HIP_ID}
    status = notification["statusNotification"]
    assert (status["sessionStatus"], status["hipId"]) == ("TRANSFERRED", HIP_ID)
    [context] = status["statusResponses"]
    assert (context["careContextReference"], context["hiStatus"]) == (code, "DELIVERED")
    book = outside.show(f"/v1/transfers/{transaction}", lambda shown: shown["state"] == "done")
    assert book["outcome"] == "TRANSFERRED"
    assert [page["attempts"] for page in book["pages"]] in ([1, 2], [2, 1])  # the first push met a 404

    request_id = outside.gateway.notify(CONSENT, {"notification": {"status": "REVOKED", "consentId": consent_id}})
    told, _ = outside.gateway.call(gw.ON_CONSENT, lambda body: body["response"]["requestId"] == request_id)
    assert told["acknowledgement"] == {"status": "OK", "consentId": consent_id}
    again, told = ask(outside, consent_id, own)
    assert told["error"]["code"] == "ABDM-1062"
    outside.show(f"/v1/transfers/{again}", lambda shown: shown["state"] == "done" and shown["outcome"] == "FAILED")
    assert outside.requester.pushes(again) == 0


def test_a_request_under_a_consent_nobody_notified_is_refused_and_nothing_leaves(outside: Outside) -> None:
    """REL-01."""
    transaction, told = ask(outside, str(uuid4()), generate_key_material())
    assert told["error"]["code"] == "ABDM-1112"
    assert "hiRequest" not in told
    outside.show(f"/v1/transfers/{transaction}", lambda shown: shown["state"] == "done")
    assert outside.requester.pushes(transaction) == 0


def test_a_patient_without_abha_gets_an_sms_and_is_found_by_mobile(outside: Outside) -> None:
    patient = json.loads(SURESH.read_bytes())["patient"]
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

    found, _ = discovered(outside, patient, mobile=f"+91{patient['phone']}")
    assert found["matchedBy"] == ["MOBILE"]
    assert {entry["referenceNumber"] for entry in found["patient"]} == {patient["reference"]}
    assert {c["referenceNumber"] for entry in found["patient"] for c in entry["careContexts"]} == {code}
    missed, _ = discovered(outside, patient, mobile="+919000000099")
    assert missed["error"]["code"] == "ABDM-1010"
    assert "patient" not in missed
    assert len(outside.gateway.calls(gw.SMS)) == 1  # felt by a person: at most once


def discovered(outside: Outside, patient: Json, *, mobile: str) -> tuple[Json, str]:
    """The answer to a search by a verified mobile number, and its transaction."""
    transaction = str(uuid4())
    body = {
        "transactionId": transaction,
        "patient": {
            "id": "suresh.y69@sbx",
            "name": patient["name"],
            "gender": patient["gender"],
            "yearOfBirth": int(patient["birthDate"]),
            "verifiedIdentifiers": [
                {"type": "MOBILE", "value": mobile},
                {"type": "abhaAddress", "value": "suresh.y69@sbx"},
            ],
            "unverifiedIdentifiers": None,
        },
    }
    request_id = outside.gateway.notify(DISCOVER, body)
    answer, _ = outside.gateway.call(gw.ON_DISCOVER, lambda body: body["response"]["requestId"] == request_id)
    assert answer["transactionId"] == transaction
    return answer, transaction


def test_demographics_that_do_not_match_are_shown_to_the_desk(outside: Outside) -> None:
    patient = json.loads(ANIL.read_bytes())["patient"]
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
    grant(outside, later)
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
