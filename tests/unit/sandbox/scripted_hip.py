"""A tiny HIP that follows a script: an ASGI app, so that the sandbox's gateway reaches it like any bridge."""

import asyncio
import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from abdm_ecdh import encrypt, generate_key_material

HIP_ID = "IN0410000123"
CLIENT_ID, SECRET = "SBXID_000123", "secret-of-the-scripted-hip"
BUNDLE = json.dumps(
    {
        "resourceType": "Bundle",
        "type": "document",
        "entry": [{"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "1", "gender": "female"}}],
    }
)


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry(reference: str, hi_type: str = "Prescription", *, count: int = 1, display: str = "OPD visit") -> dict:
    contexts = [{"referenceNumber": reference, "display": display}]
    return {
        "referenceNumber": "PAT-1",
        "display": "Meera Kulkarni",
        "hiType": hi_type,
        "count": count,
        "careContexts": contexts,
    }


@dataclass
class Seen:
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def request_id(self) -> str:
        return self.headers["request-id"]


Script = Callable[["ScriptedHip", Seen], Awaitable[object]]


@dataclass
class ScriptedHip:
    """Acks every callback with 202, then runs the script of its path; ``refuse`` holds statuses to ack with first."""

    http: httpx.AsyncClient
    gateway_url: str = "http://gateway.sandbox"
    url: str = "http://hip.sandbox"
    phone_url: str = "http://phr.sandbox"
    cm_id: str = "sbx"
    token: str = ""
    contexts: list[dict] = field(default_factory=list)
    records: dict[str, str] = field(default_factory=dict)
    callbacks: list[Seen] = field(default_factory=list)
    scripts: dict[str, Script] = field(default_factory=dict)
    refuse: list[int] = field(default_factory=list)
    replies: list[httpx.Response] = field(default_factory=list)
    consents: dict[str, dict] = field(default_factory=dict)
    tasks: set[asyncio.Task] = field(default_factory=set)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        raw = b""
        while True:
            message = await receive()
            raw += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = Seen(scope["path"], headers, json.loads(raw) if raw else None)
        self.callbacks.append(seen)
        async with self.arrived:
            self.arrived.notify_all()
        status = self.refuse.pop(0) if self.refuse else 202
        if status == 202 and (script := self.scripts.get(seen.path)):
            task = asyncio.create_task(script(self, seen))  # type: ignore[arg-type]
            self.tasks.add(task)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def aclose(self) -> None:
        for task in self.tasks:
            task.cancel()
        failures = await asyncio.gather(*self.tasks, return_exceptions=True)
        for failure in failures:
            if isinstance(failure, Exception):
                raise failure

    def headers(self, **more: str | None) -> dict[str, str]:
        """The standard headers; a null value leaves one out. Underscores stand for hyphens."""
        standard = {
            "authorization": f"Bearer {self.token}",
            "request-id": str(uuid.uuid4()),
            "timestamp": stamp(self.now()),
            "x-cm-id": self.cm_id,
            "x-hip-id": HIP_ID,
            "content-type": "application/json",
        }
        standard |= {name.replace("_", "-"): value for name, value in more.items()}  # type: ignore[dict-item]
        return {name: value for name, value in standard.items() if value is not None}

    async def call(self, path: str, body: Any = None, *, method: str = "POST", **headers: str | None) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        return await self.http.request(
            method, f"{self.gateway_url}/api/hiecm{path}", content=content, headers=self.headers(**headers)
        )

    async def sign_in(self) -> None:
        body = {"clientId": CLIENT_ID, "clientSecret": SECRET, "grantType": "client_credentials"}
        reply = await self.call("/gateway/v3/sessions", body, authorization=None, x_hip_id=None)
        self.token = reply.json()["accessToken"]
        await self.call("/gateway/v3/bridge/url", {"url": self.url}, method="PATCH")

    async def callback(self, path: str, count: int = 1) -> Seen:
        """Wait for the ``count``-th callback whose path ends so."""
        async with asyncio.timeout(10):
            async with self.arrived:
                await self.arrived.wait_for(lambda: len(self.seen(path)) >= count)
        return self.seen(path)[count - 1]

    def seen(self, path: str) -> list[Seen]:
        return [seen for seen in self.callbacks if seen.path.endswith(path)]

    async def link_token(self, *, hip_id: str = HIP_ID, **more: Any) -> str:
        body = {
            "abhaNumber": "91123456789012",
            "abhaAddress": "meera.k01@sbx",
            "name": "Meera Kulkarni",
            "gender": "F",
            "yearOfBirth": 1984,
            **more,
        }
        before = len(self.seen("on-generate-token"))
        reply = await self.call("/v3/token/generate-token", body, x_hip_id=hip_id)
        assert reply.status_code == 202, reply.text
        return (await self.callback("on-generate-token", before + 1)).body["linkToken"]

    async def link(self, *entries: dict, token: str, **more: Any) -> httpx.Response:
        headers = {name: more.pop(name) for name in ("x_hip_id",) if name in more}
        body = {"abhaNumber": "91123456789012", "abhaAddress": "meera.k01@sbx", "patient": list(entries), **more}
        return await self.call("/hip/v3/link/carecontext", body, x_link_token=token, **headers)

    async def linked(self, *entries: dict) -> None:
        before = len(self.seen("on_carecontext"))
        reply = await self.link(*entries, token=await self.link_token())
        assert reply.status_code == 202, reply.text
        await self.callback("on_carecontext", before + 1)

    def behave(self) -> None:
        """Answer everything as a good HIP does."""
        self.scripts = {
            "/api/v3/hip/patient/care-context/discover": ScriptedHip.on_discover,
            "/api/v3/hip/link/care-context/init": ScriptedHip.on_init,
            "/api/v3/hip/link/care-context/confirm": ScriptedHip.on_confirm,
            "/api/v3/hip/patient/share": ScriptedHip.on_share,
            "/api/v3/consent/request/hip/notify": ScriptedHip.on_consent,
            "/api/v3/hip/health-information/request": ScriptedHip.on_data_request,
        }

    async def answer(self, path: str, seen: Seen, **body: Any) -> httpx.Response:
        reply = await self.call(path, {**body, "response": {"requestId": seen.request_id}})
        self.replies.append(reply)
        return reply

    async def on_discover(self, seen: Seen) -> None:
        await self.answer(
            "/user-initiated-linking/v3/patient/care-context/on-discover",
            seen,
            transactionId=seen.body["transactionId"],
            patient=self.contexts,
            matchedBy=["MOBILE"],
        )

    async def on_init(self, seen: Seen) -> None:
        if "error" in seen.body:
            return
        await self.http.post(
            f"{self.phone_url}/sandbox/sms",
            json={"mobile": "9876543210", "text": "Your code is 482913", "sender": "HIP"},
        )
        meta = {
            "communicationMedium": "MOBILE",
            "communicationHint": "******3210",
            "communicationExpiry": stamp(self.now() + timedelta(minutes=5)),
        }
        await self.answer(
            "/user-initiated-linking/v3/link/care-context/on-init",
            seen,
            transactionId=seen.body["transactionId"],
            link={"referenceNumber": str(uuid.uuid4()), "authenticationType": "DIRECT", "meta": meta},
        )

    async def on_confirm(self, seen: Seen) -> None:
        path = "/user-initiated-linking/v3/link/care-context/on-confirm"
        if str(seen.body["confirmation"]["token"]) == "482913":
            await self.answer(path, seen, patient=self.contexts)
        else:
            await self.answer(path, seen, error={"code": "ABDM-1035", "message": "Invalid OTP"})

    async def on_share(self, seen: Seen) -> None:
        profile = {"context": seen.body["metaData"]["context"], "tokenNumber": "0017", "expiry": 1800}
        acknowledgement = {"status": "SUCCESS", "abhaAddress": "meera.k01@sbx", "profile": profile}
        await self.answer("/patient-share/v3/on-share", seen, acknowledgement=acknowledgement)

    async def on_consent(self, seen: Seen) -> None:
        notification = seen.body["notification"]
        if notification["status"] == "GRANTED":
            self.consents[notification["consentId"]] = notification["consentDetail"]
        acknowledgement = {"status": "OK", "consentId": notification["consentId"]}
        await self.answer("/consent/v3/request/hip/on-notify", seen, acknowledgement=acknowledgement)

    async def on_data_request(self, seen: Seen) -> None:
        session = {"transactionId": seen.body["transactionId"], "sessionStatus": "ACKNOWLEDGED"}
        await self.answer("/data-flow/v3/health-information/hip/on-request", seen, hiRequest=session)
        consent = self.consents[seen.body["hiRequest"]["consent"]["id"]]
        references = [context["careContextReference"] for context in consent["careContexts"]]
        for number, reference in enumerate(references, start=1):
            body = self.page(seen.body, reference, number=number, count=len(references))
            await self.push(seen.body["hiRequest"]["dataPushUrl"], body)
        await self.notify(seen.body, references)

    def page(self, request: dict, reference: str, *, number: int = 1, count: int = 1, x509: bool = True) -> dict:
        text = self.records.get(reference, BUNDLE)
        theirs, own = request["hiRequest"]["keyMaterial"], generate_key_material()
        sealed = encrypt(text, own.nonce, theirs["nonce"], own.private_key, theirs["dhPublicKey"]["keyValue"])
        return {
            "pageNumber": number,
            "pageCount": count,
            "transactionId": request["transactionId"],
            "entries": [
                {
                    "content": sealed.encrypted_data,
                    "media": "application/fhir+json",
                    "checksum": hashlib.md5(text.encode()).hexdigest(),
                    "careContextReference": reference,
                }
            ],
            "keyMaterial": {
                "cryptoAlg": "ECDH",
                "curve": "Curve25519",
                "dhPublicKey": {
                    "expiry": stamp(self.now() + timedelta(days=1)),
                    "parameters": "Curve25519/32byte random key",
                    "keyValue": own.x509_public_key if x509 else own.public_key,
                },
                "nonce": own.nonce,
            },
        }

    async def push(self, url: str, page: dict, **headers: str) -> httpx.Response:
        """Push until it is taken; gives up after 20 tries."""
        for _ in range(20):
            reply = await self.http.post(url, json=page, headers=headers)
            self.replies.append(reply)
            if reply.status_code not in (404, 503):
                break
            await asyncio.sleep(0.02)
        return reply

    async def notify(self, request: dict, references: list[str], **more: Any) -> httpx.Response:
        notification = {
            "consentId": request["hiRequest"]["consent"]["id"],
            "transactionId": request["transactionId"],
            "doneAt": stamp(self.now()),
            "notifier": {"type": "HIP", "id": HIP_ID},
            "statusNotification": {
                "sessionStatus": more.get("session_status", "TRANSFERRED"),
                "hipId": HIP_ID,
                "statusResponses": [
                    {"careContextReference": each, "hiStatus": more.get("hi_status", "DELIVERED")}
                    for each in references
                ],
            },
        }
        return await self.call("/data-flow/v3/health-information/notify", {"notification": notification})
