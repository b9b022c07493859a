"""``Gateway`` over HTTP: against a scripted ASGI app, and against the sandbox's gateway with all its refusals."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from tests.contract.gateways import SETTINGS, Line, ScriptedGateway, fresh_id, now, sandbox
from tests.unit.gateway import calls

from hip.adapters.gateway.client import HttpGateway
from hip.application.ports import Gateway
from hip.domain.errors import GatewayRefused, SessionRefused, Transient
from hip.domain.identifiers import RequestId
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def keys() -> GatewayKeys:
    return GatewayKeys.generate()


@pytest.fixture(params=["scripted", "sandbox"])
async def line(request: pytest.FixtureRequest, keys: GatewayKeys) -> AsyncIterator[Line]:
    if request.param == "sandbox":
        async with sandbox(keys) as network:
            yield network.line
        return
    app = ScriptedGateway()

    async def end_sessions() -> None:
        app.sessions.clear()

    async def misbehave(status: int) -> None:
        app.misbehave = status

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        yield Line(HttpGateway(http, SETTINGS, clock=now, ids=fresh_id), end_sessions, misbehave)


async def test_the_adapter_is_a_gateway(line: Line) -> None:
    gateway: Gateway = line.gateway
    assert (
        await gateway.send(calls.GENERATE_TOKEN, hip_id=calls.HIP, request_id=RequestId(fresh_id()), now=now()) == 202
    )


async def test_a_refusal_is_told_with_call_and_code(line: Line) -> None:
    with pytest.raises(GatewayRefused) as refusal:
        await line.say(calls.LINK)
    assert (refusal.value.call, refusal.value.code, refusal.value.status) == ("link-care-context", "ABDM-1026", 400)


async def test_a_request_id_is_good_once(line: Line) -> None:
    request_id = fresh_id()
    await line.say(calls.SMS_NOTIFY, request_id)
    with pytest.raises(GatewayRefused) as refusal:
        await line.say(calls.SMS_NOTIFY, request_id)
    assert refusal.value.code == "ABDM-1064"


async def test_an_ended_session_is_told_apart_and_renewed_for_the_next_call(line: Line) -> None:
    await line.say(calls.SMS_NOTIFY)
    await line.end_sessions()
    with pytest.raises(SessionRefused):
        await line.say(calls.SMS_NOTIFY)
    assert await line.say(calls.SMS_NOTIFY) == 202


async def test_an_outage_is_transient_and_passes(line: Line) -> None:
    await line.say(calls.SMS_NOTIFY)
    await line.next_status(503)
    with pytest.raises(Transient) as failure:
        await line.say(calls.GENERATE_TOKEN)
    assert not isinstance(failure.value, SessionRefused)
    assert await line.say(calls.GENERATE_TOKEN) == 202


async def test_throttling_asks_for_a_minute(line: Line) -> None:
    await line.say(calls.SMS_NOTIFY)
    await line.next_status(429)
    with pytest.raises(Transient) as failure:
        await line.say(calls.GENERATE_TOKEN)
    assert failure.value.retry_after is not None
    assert failure.value.retry_after >= timedelta(seconds=60)


async def test_the_bridge_and_the_keys_are_at_hand(line: Line) -> None:
    assert len((await line.gateway.jwks())["keys"]) == 2
    await line.gateway.set_bridge_url("https://hip.example.org")
    shown = await line.gateway.bridge_services()
    assert shown["bridge"]["url"] == "https://hip.example.org"
    assert [service["id"] for service in shown["services"]] == [calls.HIP]
    one = await line.gateway.bridge_service(calls.HIP)
    assert (one["serviceId"], one["isHip"], one["active"]) == (calls.HIP, True, True)
    with pytest.raises(GatewayRefused) as unknown:
        await line.gateway.bridge_service("IN9999999999")
    assert unknown.value.code == "ABDM-1025"
