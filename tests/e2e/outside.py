"""What a stranger does with their own gateway and requester: each flow of milestone M2 once, driven by hand."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from uuid import uuid4

import httpx
from abdm_ecdh import KeyMaterial, decrypt
from tests.builders.processes import HIP
from tests.e2e import own_gateway as gw
from tests.e2e.own_gateway import Json, Listener, OwnGateway, OwnRequester, listening, moment

from hip.entrypoints.demo.processes import Service, service

HIP_ID = "IN0410000123"
TOKEN_CALLBACK = "/api/v3/hip/token/on-generate-token"
LINK_CALLBACK = "/api/v3/link/on_carecontext"
SMS_CALLBACK = "/api/v3/patients/sms/on-notify"
CONTEXT_CALLBACK = "/api/v3/links/context/on-notify"
SHARE = "/api/v3/hip/patient/share"
ACCOUNT = "/api/v3/patients/status/notify"
DISCOVER = "/api/v3/hip/patient/care-context/discover"
INIT = "/api/v3/hip/link/care-context/init"
CONFIRM = "/api/v3/hip/link/care-context/confirm"
CONSENT = "/api/v3/consent/request/hip/notify"
REQUEST = "/api/v3/hip/health-information/request"


def link_token(life: timedelta = timedelta(days=180)) -> str:
    """A link token as a gateway issues one; only its maker can tell whether it is good."""
    parts = ({"alg": "RS512"}, {"exp": int((datetime.now(UTC) + life).timestamp()), "jti": uuid4().hex})
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts), "c2ln"])


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


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Everything a stranger has: their gateway, their requester, the HMIS API, and the processes they started.

    ``telephone`` takes the text messages, every ``otps`` of them is noted.
    """

    gateway: OwnGateway
    requester: OwnRequester
    telephone: Listener
    hmis: httpx.Client
    service: Service
    settings: Mapping[str, str]
    folder: Path
    link_tokens: list[str] = field(default_factory=list)
    otps: list[str] = field(default_factory=list)

    def hand_over(self, record: Json) -> str:
        """POST a visit; returns its code."""
        response = self.hmis.post("/v1/visits", json=record)
        assert response.status_code == 202, response.text
        return str(response.json()["visitCode"])

    def show(self, path: str, enough: Callable[[Json], object]) -> Json:
        """GET until it shows ``enough``."""
        shown: Json = {}

        def seen() -> bool:
            self.service.require_running()
            response = self.hmis.get(path)
            shown.clear()
            shown.update(response.json())
            return response.status_code == 200 and bool(enough(shown))

        gw.until(seen, lambda: f"{path}: {shown}")
        return shown

    def link(self, record: Json) -> str:
        """A visit handed over and linked, each call answered by hand; returns its code."""
        patient = record["patient"]
        code = self.hand_over(record)
        asked, token_call = self.gateway.call(gw.GENERATE_TOKEN, lambda body: body["name"] == patient["name"])
        assert asked == {
            "abhaNumber": patient["abhaNumber"],
            "abhaAddress": patient["abhaAddress"],
            "name": patient["name"],
            "gender": patient["gender"],
            "yearOfBirth": int(patient["birthDate"][:4]),
        }
        token = link_token()
        self.link_tokens.append(token)
        answer = {"abhaAddress": asked["abhaAddress"], "linkToken": token, "response": {"requestId": token_call.id}}
        self.gateway.notify(TOKEN_CALLBACK, answer)
        linked, link_call = self.gateway.call(gw.LINK, lambda body: body["abhaAddress"] == asked["abhaAddress"])
        assert link_call.headers["x-link-token"] == token
        assert linked["abhaNumber"] == asked["abhaNumber"]
        entries = {entry["hiType"]: entry for entry in linked["patient"]}
        assert set(entries) == set(record["hiTypes"])
        for entry in entries.values():
            assert entry["referenceNumber"] == patient["reference"]
            assert [context["referenceNumber"] for context in entry["careContexts"]] == [code]
            assert entry["count"] == 1
        assert self.show(f"/v1/visits/{code}", bool)["linked"] is False  # not before the gateway says so
        answer = {
            "abhaAddress": asked["abhaAddress"],
            "status": "Successfully Linked care context",
            "error": None,
            "response": {"requestId": link_call.id},
        }
        self.gateway.notify(LINK_CALLBACK, answer)
        self.show(f"/v1/links/{code}", lambda shown: shown["status"] == "linked")
        self.show(f"/v1/visits/{code}", lambda shown: shown["linked"])
        return code

    def discover(self, patient: Json, *, abha_address: str, mobile: str) -> Json:
        """A search by a verified mobile number; returns its answer."""
        transaction = str(uuid4())
        identifiers = [{"type": "MOBILE", "value": mobile}, {"type": "abhaAddress", "value": abha_address}]
        body = {
            "transactionId": transaction,
            "patient": {
                "id": abha_address,
                "name": patient["name"],
                "gender": patient["gender"],
                "yearOfBirth": int(patient["birthDate"][:4]),
                "verifiedIdentifiers": identifiers,
                "unverifiedIdentifiers": None,
            },
        }
        request_id = self.gateway.notify(DISCOVER, body)
        answer, _ = self.gateway.call(gw.ON_DISCOVER, lambda body: body["response"]["requestId"] == request_id)
        assert answer["transactionId"] == transaction
        return answer

    def choose(self, found: Json, *, abha_address: str) -> str:
        """The patient picks everything that was found; returns the link reference when the OTP has come."""
        told = self.pick(found, abha_address=abha_address)
        message = self.telephone.await_request(lambda _: True, "a text message").body or {}
        self.otps.append(re.findall(r"\b\d{6}\b", message["text"])[0])
        reference: str = told["link"]["referenceNumber"]
        return reference

    def pick(self, found: Json, *, abha_address: str) -> Json:
        """The same, whatever comes of it; returns what on-init said."""
        entries = [
            {
                "referenceNumber": entry["referenceNumber"],
                "careContexts": [{"referenceNumber": each["referenceNumber"]} for each in entry["careContexts"]],
                "hiType": entry["hiType"],
                "count": entry["count"],
            }
            for entry in found["patient"]
        ]
        body = {"transactionId": found["transactionId"], "abhaAddress": abha_address, "patient": entries}
        request_id = self.gateway.notify(INIT, body)
        told, _ = self.gateway.call(gw.ON_INIT, lambda body: body["response"]["requestId"] == request_id)
        assert told["transactionId"] == found["transactionId"]
        return told

    def confirm(self, reference: str, otp: str) -> Json:
        """The patient types an OTP; returns what on-confirm said."""
        confirmation = {"token": otp, "linkRefNumber": reference}
        body = {"requestId": None, "timestamp": None, "confirmation": confirmation}
        request_id = self.gateway.notify(CONFIRM, body)
        told, _ = self.gateway.call(gw.ON_CONFIRM, lambda body: body["response"]["requestId"] == request_id)
        return told

    def grant(self, detail: Json) -> None:
        """Notify a consent, and see it acknowledged."""
        notification = {
            "status": "GRANTED",
            "consentId": detail["consentId"],
            "consentDetail": detail,
            "signature": "c2lnbmF0dXJl",
            "grantAcknowledgement": False,
        }
        self._acknowledged(notification)

    def revoke(self, consent_id: str) -> None:
        """The short form, without consentDetail; acknowledged as well."""
        self._acknowledged({"status": "REVOKED", "consentId": consent_id})

    def ask(self, consent_id: str, own: KeyMaterial) -> tuple[str, Json]:
        """Ask for the data of a consent; returns the transaction and what on-request said."""
        transaction = str(uuid4())
        request = {
            "consent": {"id": consent_id},
            "dateRange": {"from": "2020-01-01T00:00:00.000Z", "to": moment(datetime.now(UTC))},
            "dataPushUrl": self.requester.url,
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
        request_id = self.gateway.notify(REQUEST, body)
        told, _ = self.gateway.call(gw.ON_REQUEST, lambda body: body["response"]["requestId"] == request_id)
        return transaction, told

    def account(self, transaction: str) -> Json:
        """The transfer notify of a transaction, waited for."""
        body, _ = self.gateway.call(
            gw.TRANSFER_NOTIFY, lambda body: body["notification"]["transactionId"] == transaction
        )
        notification: Json = body["notification"]
        return notification

    def _acknowledged(self, notification: Json) -> None:
        request_id = self.gateway.notify(CONSENT, {"notification": notification})
        told, _ = self.gateway.call(gw.ON_CONSENT, lambda body: body["response"]["requestId"] == request_id)
        assert told["acknowledgement"] == {"status": "OK", "consentId": notification["consentId"]}


@contextmanager
def outside_of(
    *processes: str,
    folder: Path,
    key: str = "sandbox",
    secret: str = "own-secret",
    push_path: str = "/v3/transfer/?for=own",
    **settings: str,
) -> Iterator[Outside]:
    """``hip serve`` and ``processes`` as they are promised to be run, between a gateway and a requester not ours.

    ``key`` is the HMIS's API key, ``secret`` the client's, ``push_path`` the end of the dataPushUrl; ``settings`` are
    those the storage needs, and any other.
    """
    gateway = OwnGateway(client_id="SBXID_OWN", client_secret=secret, hip_id=HIP_ID)
    requester = OwnRequester(path=push_path)
    with ExitStack() as stack:
        given = {
            "HIP_GATEWAY_URL": stack.enter_context(gateway.running()),
            "HIP_CLIENT_ID": gateway.client_id,
            "HIP_CLIENT_SECRET": gateway.client_secret,
            "HIP_FACILITIES": json.dumps([{"id": HIP_ID, "name": "Demo Clinic"}]),
            "HIP_BIND": "127.0.0.1:0",
            "HIP_WAIT_SCALE": "0.05",
            "HIP_OTP_URL": (telephone := stack.enter_context(listening(lambda _: (200, None)))).url,
            **settings,
        }
        stack.enter_context(requester.running())
        group = stack.enter_context(service(folder / "logs"))
        # Stopped before the listeners, which wait for its connections.
        for name in ("serve", *processes):
            group.start(name, name, module=HIP[-1], environment=given)
        gateway.callback_url = group.processes["serve"].address()
        headers = {"X-API-Key": key}
        hmis = httpx.Client(base_url=gateway.callback_url, headers=headers, trust_env=False, timeout=30)
        yield Outside(
            gateway=gateway,
            requester=requester,
            telephone=telephone,
            hmis=stack.enter_context(hmis),
            service=group,
            settings=given,
            folder=folder,
        )
        group.require_running()
