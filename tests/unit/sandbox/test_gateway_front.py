"""Sessions, keys, bridges and the headers every call must carry (contract §1.2, §1.5 - §1.7, §7.2)."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from tests.unit.sandbox.conftest import Network, NetworkFactory
from tests.unit.sandbox.scripted_hip import CLIENT_ID, HIP_ID, SECRET, ScriptedHip, stamp

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.gateway.scenarios import Switch

pytestmark = pytest.mark.anyio

SESSION = {"clientId": CLIENT_ID, "clientSecret": SECRET, "grantType": "client_credentials"}
NOTICE = {"notification": {"phoneNo": "9876543210", "hip": {"id": HIP_ID, "name": "Demo Clinic"}}}
SMS = "/hip/v3/link/patient/links/sms/notify2"


@pytest.fixture
async def network(networks: NetworkFactory) -> AsyncIterator[Network]:
    """The gateway alone: nothing here needs a requester or a patient's app."""
    async with networks(parties=False) as running:
        yield running


def code(reply: Any) -> str:
    return str(reply.json()["error"]["code"])


async def test_a_session_is_a_bearer_token_with_its_life(hip: ScriptedHip) -> None:
    reply = await hip.call("/gateway/v3/sessions", SESSION, authorization=None)
    assert reply.status_code == 200
    assert set(reply.json()) == {"accessToken", "expiresIn", "refreshExpiresIn", "refreshToken", "tokenType"}
    assert reply.json()["expiresIn"] == 1200


@pytest.mark.parametrize("missing", ["request_id", "timestamp", "x_cm_id"])
async def test_a_session_without_a_standard_header_is_401(hip: ScriptedHip, missing: str) -> None:
    reply = await hip.call("/gateway/v3/sessions", SESSION, authorization=None, **{missing: None})
    assert reply.status_code == 401


async def test_a_session_with_a_wrong_secret_is_401(hip: ScriptedHip) -> None:
    reply = await hip.call("/gateway/v3/sessions", {**SESSION, "clientSecret": "guess"}, authorization=None)
    assert reply.status_code == 401
    assert reply.json()["code"] == "900901"


async def test_an_expired_session_is_401(network: Network) -> None:
    network.clock.ahead += timedelta(seconds=1201)
    reply = await network.hip.call("/gateway/v3/certs", method="GET")
    assert (reply.status_code, reply.json()["code"]) == (401, "900901")


async def test_an_ended_session_is_401(network: Network) -> None:
    await network.control.end_sessions()
    assert (await network.hip.call("/gateway/v3/certs", method="GET")).status_code == 401


@pytest.mark.parametrize(("authorization", "expected"), [(None, "900902"), ("Bearer nobody", "900901")])
async def test_a_call_without_a_session_is_401(hip: ScriptedHip, authorization: str | None, expected: str) -> None:
    reply = await hip.call("/gateway/v3/certs", method="GET", authorization=authorization)
    assert (reply.status_code, reply.json()["code"]) == (401, expected)


async def test_the_key_in_use_stands_second_in_the_key_set(hip: ScriptedHip) -> None:
    keys = (await hip.call("/gateway/v3/certs", method="GET")).json()["keys"]
    assert [key["alg"] for key in keys] == ["RS512", "RS256"]
    assert all("d" not in key for key in keys)
    await hip.call(SMS, NOTICE)
    token = (await hip.callback("sms/on-notify")).headers["authorization"].removeprefix("Bearer ")
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    assert header["kid"] == keys[1]["kid"]


async def test_a_callback_carries_the_headers_of_the_real_gateway(hip: ScriptedHip) -> None:
    await hip.call(SMS, NOTICE)
    headers = (await hip.callback("sms/on-notify")).headers
    assert {"request-id", "timestamp", "x-hip-id", "authorization", "content-type"} <= set(headers)
    assert headers["user-agent"] == "ReactorNetty/1.0.24"
    assert headers["x-hip-id"] == HIP_ID
    assert "x-cm-id" not in headers
    assert headers["x-request-id"] != headers["request-id"]
    keys = KeySet.import_key_set((await hip.call("/gateway/v3/certs", method="GET")).json())
    token = jwt.decode(headers["authorization"].removeprefix("Bearer "), keys, algorithms=["RS256"])
    assert token.claims["aud"] == "account"
    assert token.claims["clientId"] == CLIENT_ID
    assert "gateway" in token.claims["realm_access"]["roles"]
    assert token.claims["exp"] - token.claims["iat"] == 600


async def test_after_a_key_change_callbacks_carry_an_unknown_kid(hip: ScriptedHip, control: SandboxControl) -> None:
    before = (await hip.call("/gateway/v3/certs", method="GET")).json()["keys"]
    await control.rotate_keys()
    await hip.call(SMS, NOTICE)
    token = (await hip.callback("sms/on-notify")).headers["authorization"].removeprefix("Bearer ")
    after = (await hip.call("/gateway/v3/certs", method="GET")).json()
    assert after["keys"][1]["kid"] != before[1]["kid"]
    jwt.decode(token, KeySet.import_key_set(after), algorithms=["RS256"])


@pytest.mark.parametrize(
    "headers",
    [
        {"request_id": None},
        {"request_id": " "},
        {"timestamp": None},
        {"x_cm_id": None},
        {"x_cm_id": "abdm"},
        {"x_hip_id": " "},
    ],
)
async def test_a_missing_blank_or_foreign_header_is_403_in_plain_text(hip: ScriptedHip, headers: dict) -> None:
    reply = await hip.call(SMS, NOTICE, **headers)
    assert (reply.status_code, reply.text) == (403, "Access Denied")
    assert reply.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path", ["/v3/token/generate-token", "/hip/v3/link/carecontext", "/hip/v3/link/context/notify"]
)
async def test_the_facility_is_required_where_the_contract_says_so(hip: ScriptedHip, path: str) -> None:
    assert (await hip.call(path, {}, x_hip_id=None)).status_code == 403
    assert code(await hip.call(path, {}, x_hip_id="IN0000000000")) == "ABDM-1035"


async def test_a_request_id_serves_once_also_when_its_call_was_refused(hip: ScriptedHip) -> None:
    request_id = "3d6e0f0a-7c5f-4b86-9a53-0b7b1f6f2a11"
    assert (await hip.call(SMS, {}, request_id=request_id)).status_code == 400
    reply = await hip.call(SMS, NOTICE, request_id=request_id)
    assert (reply.status_code, code(reply)) == (400, "ABDM-1064")


@pytest.mark.parametrize(
    "request_id", ["17", "3D6E0F0A-7C5F-4B86-9A53-0B7B1F6F2A11", "{3d6e0f0a-7c5f-4b86-9a53-0b7b1f6f2a11}"]
)
async def test_a_request_id_is_a_lower_case_uuid(hip: ScriptedHip, request_id: str) -> None:
    assert code(await hip.call(SMS, NOTICE, request_id=request_id)) == "ABDM-1030"


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-03-14T06:20:00Z",
        "2026-03-14T06:20:00.000000Z",
        "2026-03-14T06:20:00.000+00:00",
        "2026-03-14T06:20:00.000",
        "now",
    ],
)
async def test_a_timestamp_has_three_decimals_and_a_z(hip: ScriptedHip, timestamp: str) -> None:
    assert code(await hip.call(SMS, NOTICE, timestamp=timestamp)) == "ABDM-1016"


@pytest.mark.parametrize("minutes", [-330, -11, 11, 330])
async def test_a_clock_that_is_far_off_is_refused(hip: ScriptedHip, minutes: int) -> None:
    off = stamp(hip.now() + timedelta(minutes=minutes))
    assert code(await hip.call(SMS, NOTICE, timestamp=off)) == "ABDM-1016"


async def test_an_unknown_path_is_answered_by_the_api_manager(hip: ScriptedHip) -> None:
    reply = await hip.call("/hip/v3/link/care-context", {})
    assert (reply.status_code, reply.json()["message"]) == (404, "Runtime Error")
    assert (await hip.call("/gateway/v3/certs", method="DELETE")).status_code == 404


async def test_a_missing_body_and_a_broken_one_have_their_codes(hip: ScriptedHip) -> None:
    assert code(await hip.call(SMS)) == "ABDM-1064"
    assert code(await hip.call(SMS, b"{")) == "ABDM-1006"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://hip.example.org", 202),
        ("http://127.0.0.1:8080", 202),
        ("http://hip.sandbox", 202),
        ("http://hip.example.org", 400),
        ("https://203.0.113.9", 400),
        ("https://hip.example.org:8443", 400),
        ("ftp://hip.example.org", 400),
        ("https://user@hip.example.org", 400),
        ("https://hip.example.org:none", 400),
    ],
)
async def test_a_bridge_url_is_https_on_a_name_or_loopback(hip: ScriptedHip, url: str, status: int) -> None:
    reply = await hip.call("/gateway/v3/bridge/url", {"url": url}, method="PATCH")
    assert reply.status_code == status


async def test_the_bridge_and_its_services_are_shown(hip: ScriptedHip) -> None:
    shown = (await hip.call("/gateway/v3/bridge-services", method="GET")).json()
    assert shown["bridge"]["id"] == CLIENT_ID
    assert shown["bridge"]["url"] == "http://hip.sandbox"
    assert shown["services"][0]["types"] == ["HIP"]
    assert shown["services"][0]["endpoints"]["hipEndpoints"][0]["address"] == "http://hip.sandbox"
    one = (await hip.call(f"/gateway/v3/bridge-service/serviceId/{HIP_ID}", method="GET")).json()
    assert (one["isHip"], one["bridgeId"]) == (True, CLIENT_ID)
    missing = await hip.call("/gateway/v3/bridge-service/serviceId/IN9", method="GET")
    assert missing.json()["code"] == "ABDM-1025"
    document = (await hip.call("/gateway/v3/.well-known/openid-configuration", method="GET")).json()
    assert document["jwks_uri"].endswith("/api/hiecm/gateway/v3/certs")


async def test_the_journal_holds_every_call_and_callback_with_its_outcome(
    hip: ScriptedHip, control: SandboxControl
) -> None:
    await hip.call(SMS, {})
    await hip.call(SMS, NOTICE)
    await control.wait_for_callback("sms/on-notify")
    refused, taken = await control.journal(path=SMS)
    assert (refused.status, refused.code, refused.client_id) == (400, "ABDM-1006", CLIENT_ID)
    assert (taken.status, taken.code, taken.body) == (202, None, None)
    (delivered,) = await control.journal(path="sms/on-notify", direction="out")
    assert (delivered.status, delivered.attempt) == (202, 1)


async def test_the_journal_keeps_bodies_on_demand(networks: NetworkFactory) -> None:
    async with networks(parties=False, gateway={"keep_bodies": True}) as network:
        await network.hip.call(SMS, NOTICE)
        (entry,) = await network.control.journal(path=SMS)
        assert entry.body == NOTICE


async def test_a_callback_is_insisted_on_with_the_same_request_id(network: Network) -> None:
    network.hip.refuse = [500, 404]
    await network.hip.call(SMS, NOTICE)
    taken = await network.control.wait_for_callback("sms/on-notify")
    attempts = await network.control.journal(path="sms/on-notify", direction="out")
    assert [entry.status for entry in attempts] == [500, 404, 202]
    assert {entry.request_id for entry in attempts} == {taken.request_id}
    assert len({seen.request_id for seen in network.hip.callbacks}) == 1


async def test_a_callback_is_given_up_after_four_attempts(network: Network) -> None:
    network.transport.unmount("http://hip.sandbox")
    await network.hip.call(SMS, NOTICE)
    attempts = await network.control.until(
        "four attempts",
        lambda: network.control.journal(path="sms/on-notify", direction="out"),
        lambda seen: len(seen) == 4,
    )
    assert [(entry.status, entry.note) for entry in attempts] == [(0, "ConnectError")] * 4


async def test_a_gateway_starts_with_scenarios(networks: NetworkFactory) -> None:
    async with networks(parties=False, gateway={"scenarios": (Switch(name="once-503", paths=(SMS,)),)}) as network:
        assert (await network.hip.call(SMS, NOTICE)).status_code == 503
        assert (await network.hip.call(SMS, NOTICE)).status_code == 202
