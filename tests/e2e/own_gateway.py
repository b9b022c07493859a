"""A gateway and a requester of somebody else's, made from the contract and the standard library.

Nothing here knows ``hip.entrypoints.sandbox``: whoever can serve HTTP and sign a JWT can drive ``hip serve`` from
outside. The gateway takes a call only when its headers and its body are as contract §1.2 and §2 want them, and
notes what was wrong otherwise; nothing happens by itself: a test reads what came and decides what to send.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import jsonschema
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.unit.gateway.schemas import KEY_MATERIAL, PAGE, SCHEMAS, SESSIONS, Schema

from hip.domain.exchanges import Flow

Json = dict[str, Any]
CM_ID = "sbx"
WITHIN = 30.0  # seconds for what the service does by itself
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
_SKEW = timedelta(minutes=5)

GENERATE_TOKEN = "/v3/token/generate-token"
LINK = "/hip/v3/link/carecontext"
SMS = "/hip/v3/link/patient/links/sms/notify2"
CONTEXT_NOTIFY = "/hip/v3/link/context/notify"
ON_DISCOVER = "/user-initiated-linking/v3/patient/care-context/on-discover"
ON_INIT = "/user-initiated-linking/v3/link/care-context/on-init"
ON_CONFIRM = "/user-initiated-linking/v3/link/care-context/on-confirm"
ON_SHARE = "/patient-share/v3/on-share"
ON_CONSENT = "/consent/v3/request/hip/on-notify"
ON_REQUEST = "/data-flow/v3/health-information/hip/on-request"
TRANSFER_NOTIFY = "/data-flow/v3/health-information/notify"
_BODIES: dict[str, Schema] = {
    GENERATE_TOKEN: SCHEMAS[Flow.GENERATE_TOKEN],
    LINK: SCHEMAS[Flow.LINK_CARE_CONTEXT],
    SMS: SCHEMAS[Flow.SMS_NOTIFY],
    CONTEXT_NOTIFY: SCHEMAS[Flow.CONTEXT_NOTIFY],
    ON_DISCOVER: SCHEMAS[Flow.ON_DISCOVER],
    ON_INIT: SCHEMAS[Flow.ON_INIT],
    ON_CONFIRM: SCHEMAS[Flow.ON_CONFIRM],
    ON_SHARE: SCHEMAS[Flow.ON_SHARE],
    ON_CONSENT: SCHEMAS[Flow.CONSENT_ON_NOTIFY],
    ON_REQUEST: SCHEMAS[Flow.HEALTH_INFORMATION_ON_REQUEST],
    TRANSFER_NOTIFY: SCHEMAS[Flow.HEALTH_INFORMATION_NOTIFY],
}
# The requester's own spelling of the curve may be echoed (contract §3.4).
_CURVE = {"enum": ["Curve25519", "curve25519"]}
_KEYS = {**KEY_MATERIAL, "properties": {**KEY_MATERIAL["properties"], "curve": _CURVE}}
_PAGE = jsonschema.Draft202012Validator({**PAGE, "properties": {**PAGE["properties"], "keyMaterial": _KEYS}})


def moment(at: datetime) -> str:
    """As every body and header of the contract writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def until(holds: Callable[[], object], told: Callable[[], str]) -> None:
    """Ask again and again. Raises AssertionError with what is ``told`` when it never holds."""
    deadline = time.monotonic() + WITHIN
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came in. Header names are in lower case; ``body`` is None for a GET."""

    method: str
    path: str
    headers: dict[str, str]
    body: Json | None

    @property
    def id(self) -> str:
        return self.headers.get("request-id", "")


Reply = tuple[int, Json | None]


class Listener(ThreadingHTTPServer):
    """HTTP on a free port of loopback; every request, answered or not, is kept."""

    daemon_threads = False

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.came: list[Request] = []
        self.arrival = threading.Condition()

    def take(self, request: Request) -> Reply:
        reply = self.answer(request)
        with self.arrival:
            self.came.append(request)
            self.arrival.notify_all()
        return reply

    def await_request(self, wanted: Callable[[Request], bool], what: str) -> Request:
        """The newest that is ``wanted``. Raises AssertionError when none comes."""

        def found() -> list[Request]:
            return [request for request in self.came if wanted(request)]

        with self.arrival:
            assert self.arrival.wait_for(found, WITHIN), f"{what} did not come; came: {[r.path for r in self.came]}"
            return found()[-1]


class _Handler(BaseHTTPRequestHandler):
    """One connection; the gateway of the contract keeps it alive."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        request = Request(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(content) if content else None,
        )
        assert isinstance(self.server, Listener)
        status, body = self.server.take(request)
        reply = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = _serve  # noqa: N815 - the standard library's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Nothing on standard error."""


@contextmanager
def listening(answer: Callable[[Request], Reply]) -> Iterator[Listener]:
    """Serves for the length of the block; end whoever talks to it first, for open connections are waited for."""
    with Listener(answer) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()
            thread.join()


@dataclass
class OwnGateway:
    """Answers sessions and certs, takes calls, and sends callbacks to ``callback_url`` when it is told to.

    ``issued`` are the session and callback tokens it ever made. While it is ``broken`` it answers every good call
    with 500, and repeats to the caller what it was told, token and all.
    """

    client_id: str
    client_secret: str
    hip_id: str
    callback_url: str = ""
    broken: bool = False
    faults: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=WITHIN))

    def __post_init__(self) -> None:
        # The key that signs is the second: who takes the first of the set does not let us in (contract §7.2).
        self._other = RSAKey.generate_key(2048, {"kid": "other", "use": "sig", "alg": "RS512"})
        self._key = RSAKey.generate_key(2048, {"kid": "ours", "use": "sig", "alg": "RS256"})
        self._session = ""
        self._seen: set[str] = set()
        self._one = threading.Lock()
        self._listener: Listener | None = None

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its base URL, as HIP_GATEWAY_URL wants it."""
        with listening(self._answer) as listener, self.http:
            self._listener = listener
            yield f"{listener.url}/api/hiecm"

    def call(self, path: str, wanted: Callable[[Json], bool] = lambda _: True) -> tuple[Json, Request]:
        """The newest call of ``path`` whose body is ``wanted``, waited for."""
        assert self._listener is not None
        request = self._listener.await_request(
            lambda each: each.path == f"/api/hiecm{path}" and each.body is not None and wanted(each.body), path
        )
        return request.body or {}, request

    def calls(self, path: str) -> list[Request]:
        """Every call of ``path`` so far."""
        assert self._listener is not None
        return [request for request in self._listener.came if request.path == f"/api/hiecm{path}"]

    def token(self, *, key: RSAKey | None = None, **claims: Any) -> str:
        """The bearer token of a callback; ``claims`` replace its own."""
        now = int(time.time())
        key = key or self._key
        held = {"iss": "own-gateway", "aud": "account", "iat": now, "exp": now + 600, "clientId": "gateway", **claims}
        self.issued.append(jwt.encode({"alg": str(key["alg"]), "typ": "JWT", "kid": str(key["kid"])}, held, key))
        return self.issued[-1]

    def call_back(self, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> httpx.Response:
        """POST a callback; ``headers`` (``_`` for ``-``) replace those a gateway sends (contract §1.3)."""
        sent = {
            "request-id": str(uuid4()),
            "timestamp": moment(datetime.now(UTC)),
            "x-hip-id": self.hip_id,
            "authorization": f"Bearer {self.token()}",
            "content-type": "application/json",
            "x-request-id": uuid4().hex,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        content = json.dumps(body).encode() if raw is None else raw
        return self.http.post(f"{self.callback_url}{path}", content=content, headers=sent)

    def notify(self, path: str, body: Json) -> str:
        """A good callback, which must be acknowledged with 202; returns its REQUEST-ID."""
        request_id = str(uuid4())
        response = self.call_back(path, body, request_id=request_id)
        assert response.status_code == 202, response.text
        return request_id

    def _answer(self, request: Request) -> Reply:
        with self._one:
            return self._judged(request)

    def _judged(self, request: Request) -> Reply:
        path = request.path.removeprefix("/api/hiecm")
        faults = [f"{path}: {fault}" for fault in self._problems(path, request)]
        if faults:
            self.faults += faults
            return 403, {"error": {"code": "ABDM-1006", "message": "; ".join(faults)}}
        match request.method, path:
            case "POST", "/gateway/v3/sessions":
                return self._open_session(request.body or {})
            case "GET", "/gateway/v3/certs":
                return 200, {"keys": [key.as_dict(private=False) for key in (self._other, self._key)]}
            case "POST", _ if path in _BODIES and self.broken:
                return 500, {"error": {"code": "ABDM-1020", "message": json.dumps([request.headers, request.body])}}
            case "POST", _ if path in _BODIES:
                # Contract §4, 13: the one call that is answered with 200.
                return (200 if path == ON_REQUEST else 202), None
        self.faults.append(f"{request.method} {path}: no such call")
        return 404, {"code": "404", "type": "Status report", "message": "Runtime Error"}

    def _open_session(self, asked: Json) -> Reply:
        if (asked["clientId"], asked["clientSecret"]) != (self.client_id, self.client_secret):
            return 401, {"code": "900901", "message": "Invalid Credentials"}
        self._session = f"session-{uuid4()}"
        self.issued.append(self._session)
        return 200, {
            "accessToken": self._session,
            "expiresIn": 1200,
            "refreshExpiresIn": 1800,
            "refreshToken": "unused",
            "tokenType": "bearer",
        }

    def _problems(self, path: str, request: Request) -> Iterator[str]:
        """Everything that contract §1.2 and §2 would not have, one line each."""
        headers = request.headers
        opens_session, at_the_front = path == "/gateway/v3/sessions", path.startswith("/gateway/")
        if not opens_session and headers.get("authorization") != f"Bearer {self._session}":
            yield "Authorization: expected the session's token"
        if opens_session and "authorization" in headers:
            yield "Authorization: expected none"
        if not _UUID4.match(request.id):
            yield "REQUEST-ID: expected a lower-case UUID of version 4"
        if request.id in self._seen:
            yield "REQUEST-ID: expected a new one"
        self._seen.add(request.id)
        yield from _time_problems(headers.get("timestamp", ""))
        if headers.get("x-cm-id") != CM_ID:
            yield f"X-CM-ID: expected {CM_ID}"
        if (headers.get("x-hip-id") == self.hip_id) is at_the_front:
            yield "X-HIP-ID: expected the facility, except at the front door"
        if ("x-link-token" in headers) is not (path == LINK):
            yield "X-LINK-TOKEN: expected on link, and nowhere else"
        if forbidden := {"x-hiu-id", "x-auth-token"} & set(headers):
            yield f"{sorted(forbidden)}: a HIP never sends these"
        if request.body is not None and headers.get("content-type") != "application/json":
            yield "Content-Type: expected application/json"
        shape = _BODIES.get(path, SESSIONS if opens_session else None)
        if shape is not None:
            for error in jsonschema.Draft202012Validator(shape).iter_errors(request.body):
                yield f"{error.json_path}: {error.validator}"


def _time_problems(text: str) -> Iterator[str]:
    if not _TIMESTAMP.match(text):
        yield "TIMESTAMP: expected YYYY-MM-DDThh:mm:ss.SSSZ"
    elif abs(datetime.fromisoformat(text) - datetime.now(UTC)) > _SKEW:
        yield "TIMESTAMP: expected the time it is"


@dataclass
class OwnRequester:
    """Takes pushes, the first one with 404: it has not yet heard of its own transaction (contract §2.10).

    ``path`` is that of its dataPushUrl.
    """

    path: str = "/v3/transfer/?for=own"
    faults: list[str] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self._listener: Listener | None = None
        self._refused: set[str] = set()
        self._taken: list[Json] = []
        self._one = threading.Lock()  # pages are pushed several at once

    @contextmanager
    def running(self) -> Iterator[None]:
        with listening(self._answer) as listener:
            self._listener, self.url = listener, f"{listener.url}{self.path}"
            yield

    def pages(self, transaction_id: str, count: int) -> list[Json]:
        """The pages of a transfer that were taken, by number, waited for."""
        assert self._listener is not None

        def taken() -> dict[int, Json]:
            return {page["pageNumber"]: page for page in self._taken if page["transactionId"] == transaction_id}

        self._listener.await_request(lambda _: len(taken()) >= count, f"{count} pages")
        return [page for _, page in sorted(taken().items())]

    def pushes(self, transaction_id: str) -> int:
        """How often anything was pushed for it, refused or not."""
        assert self._listener is not None
        return sum((request.body or {}).get("transactionId") == transaction_id for request in self._listener.came)

    def _answer(self, request: Request) -> Reply:
        body = request.body or {}
        faults = [f"{error.json_path}: {error.validator}" for error in _PAGE.iter_errors(body)]
        if request.path != self.path:
            faults.append(f"path: expected the dataPushUrl as it was given, not {request.path}")
        if request.headers.get("content-type") != "application/json":
            faults.append("Content-Type: expected application/json")
        credentials = {"authorization", "request-id", "timestamp", "x-cm-id", "x-hip-id", "x-link-token", "cookie"}
        if told := credentials & set(request.headers):
            faults.append(f"{sorted(told)}: expected none of the gateway's headers (PUSH-03)")
        if faults:
            self.faults += faults
            return 400, None
        with self._one:
            if body["transactionId"] not in self._refused:
                self._refused.add(body["transactionId"])
                return 404, None
            self._taken.append(body)
        return 202, None
