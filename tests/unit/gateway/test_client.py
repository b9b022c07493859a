"""One call, its headers, the session behind it, and every way it can fail."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx
import jsonschema
import pytest
from tests.unit.gateway import calls, schemas

from hip.adapters.gateway.client import HttpGateway
from hip.adapters.gateway.settings import GatewaySettings
from hip.adapters.memory.circuit_memory import MemoryCircuitMemory
from hip.application.circuits import Circuits
from hip.application.gateway_calls import GatewayCall
from hip.domain.circuits import CircuitRules
from hip.domain.errors import NOT_SENT, CircuitOpen, GatewayRefused, LinkTokenRefused, SessionRefused, Transient
from hip.domain.exchanges import Flow

SECRET = "canary-client-secret"
SETTINGS = GatewaySettings(
    base_url="https://dev.abdm.gov.in/api/hiecm/", cm_id="sbx", client_id="SBXID_012345", client_secret=SECRET
)
Answer = Callable[[httpx.Request], httpx.Response]


def accepted(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(202)


@dataclass
class ScriptedGateway:
    """Opens sessions, notes what it is asked, and answers as it is told."""

    answer: Answer = accepted
    expires_in: object = 1200
    session_answer: Answer | None = None
    asked: list[httpx.Request] = field(default_factory=list)
    sessions: int = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/gateway/v3/sessions"):
            self.sessions += 1
            await asyncio.sleep(0)
            self.asked.append(request)
            if self.session_answer is not None:
                return self.session_answer(request)
            return httpx.Response(
                200, json={"accessToken": f"canary-session-{self.sessions}", "expiresIn": self.expires_in}
            )
        self.asked.append(request)
        return self.answer(request)

    @property
    def last(self) -> httpx.Request:
        return self.asked[-1]


@dataclass
class Desk:
    """Our side: the adapter under test with a clock that stands still."""

    gateway: ScriptedGateway = field(default_factory=ScriptedGateway)
    clock: calls.Ticking = field(default_factory=calls.Ticking)
    settings: GatewaySettings = SETTINGS

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self.gateway))
        self.client = HttpGateway(self.http, self.settings, clock=self.clock, ids=calls.Numbered())

    async def send(self, call: GatewayCall = calls.ON_REQUEST) -> int:
        return await self.client.send(call, hip_id=calls.HIP, request_id=calls.REQUEST, now=self.clock())


pytestmark = pytest.mark.anyio


def replying(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: httpx.Response(status, content=body, headers=named)


def failing(failure: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise failure("canary-failure", request=request)

    return answer


PATHS = {
    Flow.GENERATE_TOKEN: "/v3/token/generate-token",
    Flow.LINK_CARE_CONTEXT: "/hip/v3/link/carecontext",
    Flow.CONTEXT_NOTIFY: "/hip/v3/link/context/notify",
    Flow.SMS_NOTIFY: "/hip/v3/link/patient/links/sms/notify2",
    Flow.ON_DISCOVER: "/user-initiated-linking/v3/patient/care-context/on-discover",
    Flow.ON_INIT: "/user-initiated-linking/v3/link/care-context/on-init",
    Flow.ON_CONFIRM: "/user-initiated-linking/v3/link/care-context/on-confirm",
    Flow.ON_SHARE: "/patient-share/v3/on-share",
    Flow.ON_DEACTIVATE: "/hip/v3/link/patient/links/hip/ondeactivate",
    Flow.CONSENT_ON_NOTIFY: "/consent/v3/request/hip/on-notify",
    Flow.HEALTH_INFORMATION_ON_REQUEST: "/data-flow/v3/health-information/hip/on-request",
    Flow.HEALTH_INFORMATION_NOTIFY: "/data-flow/v3/health-information/notify",
}


@pytest.mark.parametrize("call", calls.EVERY_CALL, ids=lambda call: call.flow.value)
async def test_each_call_goes_to_its_path_with_the_standard_headers(call: GatewayCall) -> None:
    desk = Desk()
    assert await desk.send(call) == 202
    request = desk.gateway.last
    assert request.method == "POST"
    assert str(request.url) == f"https://dev.abdm.gov.in/api/hiecm{PATHS[call.flow]}"
    assert request.headers["REQUEST-ID"] == calls.REQUEST
    assert request.headers["TIMESTAMP"] == "2026-03-14T06:50:00.410Z"
    assert request.headers["X-CM-ID"] == "sbx"
    assert request.headers["X-HIP-ID"] == calls.HIP
    assert request.headers["Authorization"] == "Bearer canary-session-1"
    assert request.headers["Content-Type"] == "application/json"
    jsonschema.validate(json.loads(request.content), schemas.SCHEMAS[call.flow])


async def test_a_timestamp_without_a_fraction_still_has_three_decimals() -> None:
    desk = Desk()
    desk.clock.at = calls.NOW.replace(microsecond=0)
    await desk.send()
    assert desk.gateway.last.headers["TIMESTAMP"] == "2026-03-14T06:50:00.000Z"


@pytest.mark.parametrize("call", calls.EVERY_CALL, ids=lambda call: call.flow.value)
async def test_the_link_token_is_a_header_of_link_alone_and_has_no_bearer(call: GatewayCall) -> None:
    desk = Desk()
    await desk.send(call)
    expected = calls.LINK_TOKEN if call.flow is Flow.LINK_CARE_CONTEXT else None
    assert desk.gateway.last.headers.get("X-LINK-TOKEN") == expected


async def test_a_link_token_that_is_no_header_text_is_refused_before_it_leaves() -> None:
    desk = Desk()
    with pytest.raises(LinkTokenRefused) as refusal:
        await desk.send(replace(calls.LINK, link_token="canary\r\nX-Evil: 1"))
    assert "canary" not in str(refusal.value)
    assert len(desk.gateway.asked) == 1


async def test_a_path_can_be_moved_by_configuration() -> None:
    settings = replace(SETTINGS, paths={Flow.HEALTH_INFORMATION_ON_REQUEST: "/moved/on-request"})
    desk = Desk(settings=settings)
    await desk.send()
    assert desk.gateway.last.url.path == "/api/hiecm/moved/on-request"


async def test_what_no_exchange_stands_behind_can_be_moved_too() -> None:
    moved = {call: f"/moved/{call}" for call in ("certs", "bridge-services", "bridge-url", "bridge-service")}
    moved["sessions"] = "/moved/gateway/v3/sessions"
    desk = Desk(settings=replace(SETTINGS, paths=moved), gateway=ScriptedGateway(answer=replying(200, b"{}")))
    await desk.client.jwks()
    await desk.client.bridge_services()
    await desk.client.set_bridge_url("https://hip.example.org")
    await desk.client.bridge_service("IN0410000123")
    asked = [request.url.path.removeprefix("/api/hiecm") for request in desk.gateway.asked]
    assert asked == [
        "/moved/gateway/v3/sessions",
        "/moved/certs",
        "/moved/bridge-services",
        "/moved/bridge-url",
        "/moved/bridge-service/IN0410000123",
    ]


@pytest.mark.parametrize("prefix", ["", "91", "+91-"])
async def test_the_number_of_an_sms_has_the_form_that_was_set(prefix: str) -> None:
    desk = Desk(settings=replace(SETTINGS, phone_prefix=prefix))
    await desk.send(calls.SMS_NOTIFY)
    sent = json.loads(desk.gateway.last.content)
    jsonschema.validate(sent, schemas.SCHEMAS[Flow.SMS_NOTIFY])
    assert sent["notification"]["phoneNo"] == f"{prefix}{calls.SMS_NOTIFY.phone}"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_accepted(status: int) -> None:
    assert await Desk(gateway=ScriptedGateway(answer=replying(status))).send() == status


async def test_a_session_is_opened_with_the_standard_headers_and_no_token() -> None:
    desk = Desk()
    await desk.send()
    session = desk.gateway.asked[0]
    jsonschema.validate(json.loads(session.content), schemas.SESSIONS)
    assert session.headers["X-CM-ID"] == "sbx"
    assert session.headers["TIMESTAMP"].endswith(".410Z")
    assert session.headers["REQUEST-ID"] != calls.REQUEST
    assert "Authorization" not in session.headers
    assert "X-HIP-ID" not in session.headers


async def test_many_calls_at_once_open_one_session() -> None:
    desk = Desk()
    await asyncio.gather(*(desk.send() for _ in range(20)))
    assert desk.gateway.sessions == 1


async def test_a_failed_session_is_shared_by_those_who_waited_and_tried_anew_by_the_next() -> None:
    desk = Desk(gateway=ScriptedGateway(session_answer=replying(503)))
    outcomes = await asyncio.gather(*(desk.send() for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, Transient) for outcome in outcomes)
    assert desk.gateway.sessions == 1
    desk.gateway.session_answer = None
    assert await desk.send() == 202


@pytest.mark.parametrize(("expires_in", "kept"), [(1200, 1139), ("1200", 1139), (60, 29), (None, 239), (-5, 239)])
async def test_a_session_is_renewed_before_it_ends(expires_in: object, kept: int) -> None:
    desk = Desk(gateway=ScriptedGateway(expires_in=expires_in))
    await desk.send()
    desk.clock.pass_(seconds=kept)
    await desk.send()
    assert desk.gateway.sessions == 1
    desk.clock.pass_(seconds=1)
    await desk.send()
    assert desk.gateway.sessions == 2


@pytest.mark.parametrize(
    "answer",
    [replying(401), replying(401, b'{"code":"900901","message":"Invalid"}'), replying(403, b'{"code":"900902"}')],
)
async def test_a_refused_session_is_dropped_and_the_next_call_opens_another(answer: Answer) -> None:
    desk = Desk(gateway=ScriptedGateway(answer=answer))
    with pytest.raises(SessionRefused):
        await desk.send()
    desk.gateway.answer = accepted
    assert await desk.send() == 202
    assert desk.gateway.sessions == 2
    assert desk.gateway.last.headers["Authorization"] == "Bearer canary-session-2"


async def test_a_late_refusal_of_an_old_token_does_not_drop_its_successor() -> None:
    desk = Desk()
    held = asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("sessions") or request.headers["Authorization"].endswith("-2"):
            return await desk.gateway(request)
        await held.wait()
        return httpx.Response(401)

    desk.http = httpx.AsyncClient(transport=httpx.MockTransport(slow))
    desk.client = HttpGateway(desk.http, desk.settings, clock=desk.clock, ids=calls.Numbered())
    late = asyncio.create_task(desk.send())
    await asyncio.sleep(0.01)
    desk.clock.pass_(seconds=1200)
    assert await desk.send() == 202
    held.set()
    with pytest.raises(SessionRefused):
        await late
    assert await desk.send() == 202
    assert desk.gateway.sessions == 2


async def test_a_wrong_client_secret_is_a_refusal_of_sessions_not_a_retry() -> None:
    desk = Desk(gateway=ScriptedGateway(session_answer=replying(401, b'{"code":"900901","message":"Invalid"}')))
    with pytest.raises(GatewayRefused) as refusal:
        await desk.send(calls.GENERATE_TOKEN)
    assert (refusal.value.call, refusal.value.code, refusal.value.status) == ("sessions", "900901", 401)


@pytest.mark.parametrize("answer", [replying(500), failing(httpx.ReadTimeout), failing(httpx.ConnectError)])
async def test_when_no_session_can_be_had_the_call_is_known_not_to_have_left(answer: Answer) -> None:
    desk = Desk(gateway=ScriptedGateway(session_answer=answer))
    with pytest.raises(Transient) as failure:
        await desk.send(calls.SMS_NOTIFY)
    assert failure.value.code is not None


@pytest.mark.parametrize(
    "reply",
    [b"", b"[]", b"{}", b"nonsense", b'{"accessToken":7}', b'{"accessToken":"a b"}', b'{"accessToken":"\\u00e9"}'],
)
async def test_a_session_reply_without_a_usable_token_is_transient(reply: bytes) -> None:
    with pytest.raises(Transient):
        await Desk(gateway=ScriptedGateway(session_answer=replying(200, reply))).send()


async def test_a_refusal_names_the_flow_the_code_and_the_status() -> None:
    answer = replying(400, b'[{"error":{"code":"ABDM-1041: ","message":"Invalid acknowledgement"}}]')
    with pytest.raises(GatewayRefused) as refusal:
        await Desk(gateway=ScriptedGateway(answer=answer)).send(calls.CONSENT_ON_NOTIFY)
    assert (refusal.value.call, refusal.value.code, refusal.value.status, refusal.value.text) == (
        "consent-on-notify",
        "ABDM-1041",
        400,
        "Invalid acknowledgement",
    )


async def test_an_empty_400_is_refused_with_its_status_as_code() -> None:
    with pytest.raises(GatewayRefused) as refusal:
        await Desk(gateway=ScriptedGateway(answer=replying(400))).send(calls.LINK)
    assert refusal.value.code == "400"


async def test_a_throttled_call_says_how_long_to_wait() -> None:
    with pytest.raises(Transient) as failure:
        await Desk(gateway=ScriptedGateway(answer=replying(429, retry_after="120"))).send()
    assert failure.value.retry_after == timedelta(seconds=120)


@pytest.mark.parametrize("failure", [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError])
async def test_a_call_whose_reply_was_lost_has_no_code(failure: type[httpx.TransportError]) -> None:
    with pytest.raises(Transient) as raised:
        await Desk(gateway=ScriptedGateway(answer=failing(failure))).send()
    assert type(raised.value) is Transient
    assert raised.value.code is None


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_a_call_that_cannot_have_left_says_so(failure: type[httpx.TransportError]) -> None:
    with pytest.raises(Transient) as raised:
        await Desk(gateway=ScriptedGateway(answer=failing(failure))).send()
    assert raised.value.code == NOT_SENT


async def test_a_gateway_that_never_ends_its_reply_is_left() -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            while True:
                yield b" " * 65536

    with pytest.raises(Transient):
        await Desk(gateway=ScriptedGateway(answer=lambda _request: httpx.Response(200, stream=Endless()))).send()


async def test_a_gateway_that_hangs_is_left_when_the_time_is_up() -> None:
    desk = Desk(settings=replace(SETTINGS, timeout=timedelta(milliseconds=20)))

    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(202)

    desk.client = HttpGateway(
        httpx.AsyncClient(transport=httpx.MockTransport(hang)), desk.settings, clock=desk.clock, ids=calls.Numbered()
    )
    with pytest.raises(Transient):
        await desk.send()


async def test_a_redirect_is_not_followed() -> None:
    desk = Desk(gateway=ScriptedGateway(answer=replying(307, location="https://elsewhere.example/")))
    with pytest.raises(GatewayRefused) as refusal:
        await desk.send()
    assert refusal.value.status == 307
    assert len(desk.gateway.asked) == 2


async def test_the_bridge_is_shown_and_set() -> None:
    desk = Desk(gateway=ScriptedGateway(answer=replying(200, b'{"bridge":{"id":"SBXID_012345"},"services":[]}')))
    assert await desk.client.bridge_services() == {"bridge": {"id": "SBXID_012345"}, "services": []}
    desk.gateway.answer = accepted
    await desk.client.set_bridge_url("https://hip.example.org")
    request = desk.gateway.last
    assert (request.method, request.url.path) == ("PATCH", "/api/hiecm/gateway/v3/bridge/url")
    jsonschema.validate(json.loads(request.content), schemas.BRIDGE_URL)
    assert "X-HIP-ID" not in request.headers


async def test_one_service_is_asked_for_by_its_id_and_no_id_is_a_path() -> None:
    desk = Desk(gateway=ScriptedGateway(answer=replying(200, b'{"serviceId":"IN0410000123","active":true}')))
    assert await desk.client.bridge_service("IN0410000123") == {"serviceId": "IN0410000123", "active": True}
    request = desk.gateway.last
    assert (request.method, request.url.path) == ("GET", "/api/hiecm/gateway/v3/bridge-service/serviceId/IN0410000123")
    assert "X-HIP-ID" not in request.headers
    await desk.client.bridge_service("../a?b")
    assert desk.gateway.last.url.raw_path.endswith(b"/serviceId/..%2Fa%3Fb")
    desk.gateway.answer = replying(204)
    assert await desk.client.bridge_service("IN0410000123") == {}


async def test_a_bridge_with_nothing_registered_is_empty() -> None:
    assert await Desk(gateway=ScriptedGateway(answer=replying(204))).client.bridge_services() == {}


async def test_the_signing_keys_are_asked_for_with_the_session_token_and_a_fresh_request_id() -> None:
    desk = Desk(gateway=ScriptedGateway(answer=replying(200, b'{"keys":[]}')))
    assert await desk.client.jwks() == {"keys": []}
    request = desk.gateway.last
    assert (request.method, request.url.path) == ("GET", "/api/hiecm/gateway/v3/certs")
    assert request.headers["Authorization"] == "Bearer canary-session-1"
    assert request.headers["REQUEST-ID"] != desk.gateway.asked[0].headers["REQUEST-ID"]
    assert "Content-Type" not in request.headers


async def test_a_question_whose_session_is_refused_is_asked_once_more_under_a_new_id() -> None:
    desk = Desk()
    answers = iter([httpx.Response(401), httpx.Response(200, json={"keys": []})])
    desk.gateway.answer = lambda _request: next(answers)
    assert await desk.client.jwks() == {"keys": []}
    asked = [request.headers["REQUEST-ID"] for request in desk.gateway.asked]
    assert len(set(asked)) == len(asked) == 4


@pytest.mark.parametrize("reply", [b"[]", b"nonsense", b""])
async def test_keys_that_are_no_object_are_transient(reply: bytes) -> None:
    with pytest.raises(Transient):
        await Desk(gateway=ScriptedGateway(answer=replying(200, reply))).client.jwks()


@pytest.mark.parametrize(
    "answer",
    [
        replying(400, b'{"message":"no user Meera Kulkarni"}'),
        replying(500, b"canary"),
        failing(httpx.ReadTimeout),
        failing(httpx.ConnectError),
        replying(401),
    ],
)
async def test_no_failure_and_no_log_shows_a_secret_a_token_a_name_or_an_address(
    answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="hip")
    desk = Desk(gateway=ScriptedGateway(answer=answer))
    with pytest.raises((GatewayRefused, Transient)) as raised:
        await desk.send(calls.LINK)
    shown = f"{raised.value!r} {raised.value} {raised.value.__cause__!r} {caplog.text} {desk.settings!r}"
    for canary in ("canary", "Meera", "meera", "9112345", "abdm.gov.in/api/hiecm/hip"):
        assert canary not in shown


async def test_a_gateway_that_keeps_failing_is_spared_until_one_call_finds_it_back() -> None:
    desk = Desk()
    seen: list[str] = []
    rules = CircuitRules(failures=2, pause=timedelta(seconds=30))

    def report(event: str, **_: object) -> None:
        seen.append(event)

    circuits = Circuits(rules, desk.clock, report, MemoryCircuitMemory())
    desk.client = HttpGateway(desk.http, desk.settings, clock=desk.clock, ids=calls.Numbered(), circuits=circuits)
    desk.gateway.answer = replying(503)

    def tried() -> int:
        return sum(not request.url.path.endswith("/sessions") for request in desk.gateway.asked)

    for _ in range(2):
        with pytest.raises(Transient) as failed:
            await desk.send()
        assert failed.value.counted
    with pytest.raises(CircuitOpen) as stopped:
        await desk.send()
    assert (stopped.value.code, tried()) == (NOT_SENT, 2)
    desk.clock.pass_(seconds=30)
    with pytest.raises(Transient) as probed:
        await desk.send()
    assert (probed.value.counted, tried()) == (False, 3), "the one that tries uses up no try"
    desk.clock.pass_(seconds=30)
    desk.gateway.answer = replying(202)
    assert await desk.send() == 202
    assert seen == ["circuit-opened", "circuit-opened", "circuit-closed"]
