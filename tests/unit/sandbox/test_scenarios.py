"""Each scenario of the gateway does what its name says, and no more (contract §7.2)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.unit.sandbox.conftest import Network
from tests.unit.sandbox.scripted_hip import HIP_ID, ScriptedHip, Seen, entry

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.control_line import Refused
from hip.entrypoints.sandbox.gateway.scenarios import SCENARIOS, Scenarios
from hip.entrypoints.sandbox.switches import Switch, UnknownScenario, read_switch

pytestmark = pytest.mark.anyio

SMS = "/hip/v3/link/patient/links/sms/notify2"
NOTICE = {"notification": {"phoneNo": "9876543210", "hip": {"id": HIP_ID, "name": "Demo Clinic"}}}


def test_a_switch_strikes_its_paths_so_often_and_no_more() -> None:
    scenarios = Scenarios((Switch(name="slow", paths=("link",), times=2),))
    assert [scenarios.strikes("slow", path) for path in ("/token", "/link", "/link", "/link")] == [
        False,
        True,
        True,
        False,
    ]
    assert not scenarios.strikes("silent", "/link")


def test_a_chance_repeats_with_its_seed() -> None:
    runs = [
        [scenarios.strikes("slow", "/x") for _ in range(40)]
        for scenarios in (Scenarios((Switch(name="slow", chance=0.5, seed=seed),)) for seed in (7, 7, 8))
    ]
    assert runs[0] == runs[1] != runs[2]
    assert 5 < sum(runs[0]) < 35


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(UnknownScenario, match="earthquake"):
        Scenarios((Switch(name="earthquake"),))


async def test_scenarios_are_listed_switched_and_cleared(control: SandboxControl) -> None:
    await control.scenario("slow", paths=["link"], times=3)
    shown = await control.http.get("http://gateway.sandbox/sandbox/scenarios/on")
    assert [(each["name"], each["times"]) for each in shown.json()] == [("slow", 3)]
    assert (await control.http.get("http://gateway.sandbox/sandbox/scenarios")).json() == SCENARIOS
    await control.no_scenarios()
    assert (await control.http.get("http://gateway.sandbox/sandbox/scenarios/on")).json() == []
    with pytest.raises(Refused, match="earthquake"):
        await control.scenario("earthquake")


async def test_callback_before_reply(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("callback-before-reply")
    reply = await hip.call(SMS, NOTICE)
    assert len(hip.seen("sms/on-notify")) == 1
    assert reply.status_code == 202


async def test_the_reply_comes_before_the_callback_otherwise(hip: ScriptedHip) -> None:
    await hip.call(SMS, NOTICE)
    assert hip.seen("sms/on-notify") == []
    await hip.callback("sms/on-notify")


async def test_duplicate_callbacks(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("duplicate-callbacks")
    await hip.call(SMS, NOTICE)
    first, second = await hip.callback("sms/on-notify", 1), await hip.callback("sms/on-notify", 2)
    assert first.request_id == second.request_id
    assert first.body == second.body


async def test_repeated_business_stays_one_conversation(hip: ScriptedHip, control: SandboxControl) -> None:
    hip.behave()
    hip.contexts = [entry("v-1")]
    await control.scenario("repeated-business", paths=["discover"])
    await control.discover("meera.k01@sbx", HIP_ID)
    first = await hip.callback("hip/patient/care-context/discover", 1)
    second = await hip.callback("hip/patient/care-context/discover", 2)
    assert first.request_id != second.request_id
    assert first.body == second.body
    await control.until(
        "both answers",
        lambda: control.journal(path="on-discover", direction="in"),
        lambda seen: [entry.code for entry in seen] == [None, "ABDM-1106"],
    )


async def test_null_request_ids(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("null-request-ids")
    await hip.linked(entry("v-1"))
    body = (await hip.callback("on_carecontext")).body
    assert (body["requestId"], body["timestamp"]) == (None, None)


async def test_null_unverified_identifiers(hip: ScriptedHip, control: SandboxControl) -> None:
    hip.behave()
    hip.contexts = [entry("v-1")]
    await control.scenario("null-unverified")
    await control.discover("meera.k01@sbx", HIP_ID)
    assert (await hip.callback("care-context/discover")).body["patient"]["unverifiedIdentifiers"] is None


async def test_numeric_otp_and_the_other_identity_header_on_confirm(hip: ScriptedHip, control: SandboxControl) -> None:
    hip.behave()
    hip.contexts = [entry("v-1")]
    await control.scenario("numeric-otp")
    await control.scenario("hiu-header-on-confirm")
    attempt = await control.choose(await control.discover("meera.k01@sbx", HIP_ID))
    assert (await control.enter_otp(attempt)).status == "linked"
    seen = await hip.callback("care-context/confirm")
    assert seen.body["confirmation"]["token"] == 482913
    assert seen.headers["x-hiu-id"] == HIP_ID
    assert "x-hip-id" not in seen.headers


async def revoked(network: Network) -> dict[str, Any]:
    network.hip.behave()
    await network.hip.linked(entry("v-1"))
    case = await network.control.consented("meera.k01@sbx", ["Prescription"])
    await network.control.revoke(case.artefacts[0])
    return (await network.hip.callback("hip/notify", 2)).body["notification"]


async def test_a_revocation_carries_the_detail_or_the_id_alone(network: Network) -> None:
    await network.control.scenario("bare-revocation")
    notification = await revoked(network)
    assert set(notification) == {"status", "consentId"}


async def test_a_revocation_carries_the_detail_by_default(network: Network) -> None:
    assert {"consentDetail", "signature"} <= set(await revoked(network))


async def test_an_artefact_without_a_requester(network: Network) -> None:
    await network.control.scenario("artefact-without-hiu")
    network.hip.behave()
    await network.hip.linked(entry("v-1"))
    await network.control.consented("meera.k01@sbx", ["Prescription"])
    detail = (await network.hip.callback("hip/notify")).body["notification"]["consentDetail"]
    assert not {"hiu", "requester"} & set(detail)


async def test_times_without_their_zone(network: Network) -> None:
    await network.control.scenario("zoneless-timestamps")
    network.hip.behave()
    await network.hip.linked(entry("v-1"))
    await network.control.consented("meera.k01@sbx", ["Prescription"])
    seen = await network.hip.callback("hip/notify")
    permission = seen.body["notification"]["consentDetail"]["permission"]
    times = [seen.headers["timestamp"], permission["dataEraseAt"], permission["dateRange"]["from"]]
    assert [datetime.fromisoformat(text).tzinfo for text in times] == [None, None, None]


async def test_an_array_of_date_ranges(network: Network) -> None:
    await network.control.scenario("array-date-range")
    network.hip.behave()
    await network.hip.linked(entry("v-1"))
    await network.control.consented("meera.k01@sbx", ["Prescription"])
    body = (await network.hip.callback("hip/health-information/request")).body
    assert isinstance(body["hiRequest"]["dateRange"], list)


async def test_a_skewed_clock(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("skewed-clock")
    await hip.call(SMS, NOTICE)
    said = datetime.fromisoformat((await hip.callback("sms/on-notify")).headers["timestamp"])
    assert datetime.now(UTC) - said > timedelta(minutes=14)


@pytest.mark.parametrize(("name", "status"), [("once-503", 503), ("once-429", 429), ("once-401", 401)])
async def test_the_first_call_to_a_path_fails(
    hip: ScriptedHip, control: SandboxControl, name: str, status: int
) -> None:
    await control.scenario(name)
    assert [(await hip.call(SMS, NOTICE)).status_code for _ in range(3)] == [status, 202, 202]


async def test_a_throttled_call_is_told_when_to_come_again(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("once-429")
    reply = await hip.call(SMS, NOTICE)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "1")


async def test_empty_request_ids(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("empty-request-ids")
    await hip.call(SMS, NOTICE)
    body = (await hip.callback("sms/on-notify")).body
    assert (body["requestId"], body["timestamp"]) == ("", "")


TOKEN, WANTED = "/v3/token/generate-token", {"name": "Meera Kulkarni", "gender": "F", "yearOfBirth": 1984}


async def test_a_token_request_is_refused_as_a_duplicate(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("duplicate-token-request", times=1)
    reply = await hip.call(TOKEN, {**WANTED, "abhaAddress": "meera.k01@sbx"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "ABDM-1092")


async def test_a_blocked_patient_is_told_by_callback(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("token-blocked", times=1)
    assert (await hip.call(TOKEN, {**WANTED, "abhaAddress": "meera.k01@sbx"})).status_code == 202
    assert (await hip.callback("on-generate-token")).body["error"]["code"] == "ABDM-1027"


async def test_a_context_notify_that_is_always_too_early(network: Network) -> None:
    await network.control.scenario("early-notify", times=1)
    await network.hip.linked(entry("v-1"))
    await asyncio.sleep(0.01)  # the real window of 5 s, at this scale, is over
    notice = {
        "patient": {"id": "meera.k01@sbx"},
        "careContext": {"patientReference": entry("v-1")["referenceNumber"], "careContextReference": "v-1"},
        "hiTypes": ["Prescription"],
        "date": "2026-03-14T06:20:00.000Z",
        "hip": {"id": HIP_ID},
    }
    for ordinal, code in ((1, "ABDM-1006"), (2, None)):
        await network.hip.call("/hip/v3/link/context/notify", {"notification": notice})
        error = (await network.hip.callback("links/context/on-notify", ordinal)).body["error"]
        assert (error or {}).get("code") == code


async def test_a_wrong_otp_first_and_the_right_one_after_it(hip: ScriptedHip, control: SandboxControl) -> None:
    hip.behave()
    hip.contexts = [entry("v-1")]
    await control.scenario("wrong-otp")
    attempt = await control.choose(await control.discover("meera.k01@sbx", HIP_ID))
    await control.enter_otp(attempt)
    await control.enter_otp(attempt)
    typed = [seen.body["confirmation"]["token"] for seen in hip.seen("care-context/confirm")]
    assert typed == ["593024", "482913"]


@pytest.mark.parametrize(
    ("text", "switch"),
    [
        ("slow", Switch(name="slow")),
        ("slow:chance=0.25,seed=7", Switch(name="slow", chance=0.25, seed=7)),
        ("silent:times=2,path=link,path=token", Switch(name="silent", times=2, paths=("link", "token"))),
    ],
)
def test_a_switch_is_read_from_a_shell(text: str, switch: Switch) -> None:
    assert read_switch(text) == switch


@pytest.mark.parametrize("text", ["slow:often=1", "slow:chance=some"])
def test_a_switch_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UnknownScenario, match="slow"):
        read_switch(text)


async def test_each_transfer_draws_its_own_faults(network: Network) -> None:
    network.hip.behave()
    await network.hip.linked(entry("v-1"))
    await network.control.everything_at_random(seed=3, chance=0.5, but=SCENARIOS)
    case = await network.control.consented("meera.k01@sbx", ["Prescription"])
    drawn = {case.transfers[0].faults}
    for _ in range(6):
        drawn.add((await network.control.request_data(case.artefacts[0])).faults)
    assert len(drawn) > 3
    await network.control.no_scenarios()
    assert (await network.control.request_data(case.artefacts[0])).faults == ()


async def test_refusals_come_in_five_shapes_in_turn(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("error-shapes")
    bodies = [(await hip.call(SMS, {})).json() for _ in range(5)]
    assert bodies[0]["error"]["code"] == "ABDM-1006"
    assert bodies[1][0]["error"]["code"] == "ABDM-1006"
    assert bodies[2][0]["code"] == "ABDM-1006"
    assert (bodies[3]["code"], bodies[3]["path"]) == ("ABDM-1006", SMS)
    assert bodies[4]["status"] == 400
    assert "code" not in bodies[4]


async def test_a_silent_gateway_accepts_and_never_calls_back(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("silent", paths=["sms"], times=1)
    assert (await hip.call(SMS, NOTICE)).status_code == 202
    await control.until("the withheld callback", lambda: control.journal(path="sms/on-notify", direction="out"), bool)
    (withheld,) = await control.journal(path="sms/on-notify", direction="out")
    assert (withheld.status, withheld.note) == (0, "withheld")
    await hip.call(SMS, NOTICE)
    await hip.callback("sms/on-notify")
    assert len(hip.callbacks) == 1


async def test_a_call_that_is_never_answered_was_made_all_the_same(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.scenario("silent-calls", paths=["sms"])
    hip.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        await hip.call(SMS, NOTICE)
    await hip.callback("sms/on-notify")


@pytest.mark.parametrize("name", ["slow", "slow-callbacks"])
async def test_a_slow_gateway_answers_in_the_end(hip: ScriptedHip, control: SandboxControl, name: str) -> None:
    await control.scenario(name)
    assert (await hip.call(SMS, NOTICE)).status_code == 202
    await hip.callback("sms/on-notify")


async def test_unchecked_requests_reach_the_facility_after_a_revocation(network: Network) -> None:
    await revoked(network)
    (consent,) = await network.control.consents("meera.k01@sbx")
    await network.control.scenario("unchecked-requests")

    async def refuse(hip: ScriptedHip, seen: Seen) -> None:
        error = {"code": "ABDM-1062", "message": "not granted"}
        await hip.answer("/data-flow/v3/health-information/hip/on-request", seen, error=error)

    network.hip.scripts["/api/v3/hip/health-information/request"] = refuse
    wide = {"from": "1990-01-01T00:00:00.000Z", "to": "2030-01-01T00:00:00.000Z"}
    refused = await network.control.request_data(consent.id, dateRange=wide)
    assert refused.problem is not None
    assert refused.problem.code == "ABDM-1062"
    assert network.hip.seen("hip/health-information/request")[-1].body["hiRequest"]["dateRange"] == wide


async def test_many_conversations_at_once_all_end(network: Network) -> None:
    network.hip.behave()
    await network.hip.linked(entry("v-1"))
    await network.control.scenario("duplicate-callbacks", chance=0.5, seed=1)
    await network.control.scenario("callback-before-reply", chance=0.5, seed=2)
    wishes = [network.control.consented("meera.k01@sbx", ["Prescription"]) for _ in range(3)]
    cases = await asyncio.gather(*wishes)
    done = [await network.control.wait_for_pages(case.transfers[0]) for case in cases]
    assert {transfer.state for transfer in done} == {"received"}
