"""Link tokens, links, context notify and SMS: what the gateway refuses, and when (contract §2.1 - §2.4, §7.2)."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.sandbox.conftest import OTHER_HIP, Network, NetworkFactory
from tests.unit.sandbox.scripted_hip import HIP_ID, ScriptedHip, entry

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.parties import Patient

pytestmark = pytest.mark.anyio

TOKEN = "/v3/token/generate-token"
ASKED = {"abhaAddress": "meera.k01@sbx", "name": "Meera Kulkarni", "gender": "F", "yearOfBirth": 1984}


@pytest.fixture
async def network(networks: NetworkFactory) -> AsyncIterator[Network]:
    """The gateway alone: nothing here needs a requester or a patient's app."""
    async with networks(parties=False) as running:
        yield running


def code(reply: Any) -> str:
    return str(reply.json()["error"]["code"])


async def answered(hip: ScriptedHip, body: dict[str, Any]) -> dict[str, Any]:
    before = len(hip.seen("on-generate-token"))
    reply = await hip.call(TOKEN, body)
    assert reply.status_code == 202, reply.text
    return (await hip.callback("on-generate-token", before + 1)).body


async def test_a_link_token_is_bound_to_facility_address_and_number_for_six_months(hip: ScriptedHip) -> None:
    body = await answered(hip, {**ASKED, "abhaNumber": 91123456789012})
    assert body["abhaAddress"] == "meera.k01@sbx"
    part = body["linkToken"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert (claims["hipId"], claims["abhaAddress"], claims["abhaNumber"]) == (HIP_ID, "meera.k01@sbx", "91123456789012")
    assert claims["exp"] - claims["iat"] == 182 * 86400


@pytest.mark.parametrize(
    "change", [{"name": "Mira Kulkarni"}, {"gender": "M"}, {"yearOfBirth": 1985}, {"yearOfBirth": "1983"}]
)
async def test_wrong_demographics_are_answered_by_callback(hip: ScriptedHip, change: dict) -> None:
    body = await answered(hip, {**ASKED, **change})
    assert body["error"]["code"] == "ABDM-1207"
    assert "linkToken" not in body


async def test_an_unknown_user_is_refused_at_once(hip: ScriptedHip) -> None:
    reply = await hip.call(TOKEN, {**ASKED, "abhaAddress": "nobody@sbx"})
    assert (reply.status_code, code(reply), reply.json()["error"]["message"]) == (400, "ABDM-9999", "User not found")


async def test_a_number_of_somebody_else_is_answered_by_callback(hip: ScriptedHip) -> None:
    body = await answered(hip, {**ASKED, "abhaNumber": "91000000000000"})
    assert body["error"]["code"] == "ABDM-1051"


async def test_a_deactivated_account_gets_no_token(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.change_account("meera.k01@sbx", "DEACTIVATED")
    assert (await answered(hip, ASKED))["error"]["code"] == "ABDM-1407"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"abhaAddress": None}, "ABDM-1125"),
        ({"abhaAddress": "meera"}, "ABDM-1170"),
        ({"abhaNumber": "91-1234-5678-9012"}, "ABDM-1013"),
        ({"abhaNumber": "9112"}, "ABDM-1013"),
        ({"gender": "female"}, "ABDM-1006"),
        ({"yearOfBirth": 84}, "ABDM-1006"),
        ({"name": None}, "ABDM-1006"),
    ],
)
async def test_a_badly_formed_token_request_is_refused_at_once(hip: ScriptedHip, change: dict, expected: str) -> None:
    reply = await hip.call(TOKEN, {**ASKED, **change})
    assert (reply.status_code, code(reply)) == (400, expected)


async def test_a_repeated_token_request_is_a_duplicate_for_70_seconds_also_after_a_refusal(
    networks: NetworkFactory,
) -> None:
    async with networks(parties=False, gateway={"wait_scale": 1.0}) as network:
        unknown = {**ASKED, "abhaAddress": "nobody@sbx"}
        assert code(await network.hip.call(TOKEN, unknown)) == "ABDM-9999"
        assert code(await network.hip.call(TOKEN, unknown)) == "ABDM-1092"
        network.clock.ahead += timedelta(seconds=69)
        assert code(await network.hip.call(TOKEN, unknown)) == "ABDM-1092"
        network.clock.ahead += timedelta(seconds=2)
        assert code(await network.hip.call(TOKEN, unknown)) == "ABDM-9999"


async def test_the_fourth_token_request_of_a_day_is_blocked(network: Network) -> None:
    for _ in range(3):
        assert "linkToken" in await answered(network.hip, ASKED)
        network.clock.ahead += timedelta(minutes=2)
    assert (await answered(network.hip, ASKED))["error"]["code"] == "ABDM-1027"
    network.clock.ahead += timedelta(hours=24)
    await network.hip.sign_in()
    assert "linkToken" in await answered(network.hip, ASKED)


@pytest.mark.parametrize(
    "change",
    [
        {"abhaNumber": "91-1234-5678-9012"},
        {"patient": [{**entry("v-1"), "hiType": ["Prescription"]}]},
        {"patient": [{**entry("v-1"), "hiType": None}]},
    ],
)
async def test_a_dashed_number_or_an_array_of_hi_types_is_400_without_a_body(hip: ScriptedHip, change: dict) -> None:
    token = await hip.link_token()
    reply = await hip.link(entry("v-1"), token=token, **change)
    assert (reply.status_code, reply.content) == (400, b"")


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        ([entry("v-1", count=2)], "ABDM-1037"),
        ([entry("v-1", count=0)], "ABDM-1006"),
        ([entry("v-1", "Radiology")], "ABDM-1006"),
        ([entry("v|1")], "ABDM-1006"),
        ([entry("v-1", display="visit #7")], "ABDM-1006"),
        ([entry("v" * 256)], "ABDM-1006"),
        ([entry("v-1", display="d" * 256)], "ABDM-1006"),
        ([{**entry("v-1"), "referenceNumber": ""}], "ABDM-1006"),
        ([{**entry("v-1"), "display": ""}], "ABDM-1006"),
        ([], "ABDM-1006"),
    ],
)
async def test_a_link_with_a_fault_in_an_entry_is_refused(hip: ScriptedHip, patient: list, expected: str) -> None:
    reply = await hip.link(token=await hip.link_token(), patient=patient)
    assert (reply.status_code, code(reply)) == (400, expected)


async def test_at_most_twenty_contexts_fit_in_an_entry(hip: ScriptedHip) -> None:
    contexts = [{"referenceNumber": f"v-{number}", "display": "visit"} for number in range(21)]
    token = await hip.link_token()
    many = {**entry("v-1"), "careContexts": contexts, "count": 21}
    assert code(await hip.link(many, token=token)) == "ABDM-1006"
    assert (await hip.link({**many, "careContexts": contexts[:20], "count": 20}, token=token)).status_code == 202


async def test_a_link_must_be_what_its_token_is_bound_to(hip: ScriptedHip, control: SandboxControl) -> None:
    await control.register_patient(
        Patient(abha_address="ravi@sbx", name="Ravi", gender="M", year_of_birth=1970, mobile="9000000001")
    )
    token = await hip.link_token()
    assert code(await hip.link(entry("v-1"), token=token, abhaAddress="ravi@sbx")) == "ABDM-1038"
    assert code(await hip.link(entry("v-1"), token=token, abhaNumber="91000000000000")) == "ABDM-1062"
    assert code(await hip.link(entry("v-1"), token=token, abhaNumber=None)) == "ABDM-1062"
    assert code(await hip.link(entry("v-1"), token=token, x_hip_id=OTHER_HIP)) == "ABDM-1063"
    assert code(await hip.link(entry("v-1"), token="a.b.c")) == "ABDM-1026"
    assert code(await hip.link(entry("v-1"), token="nonsense")) == "ABDM-1066"


async def test_a_token_made_without_a_number_links_without_one(hip: ScriptedHip) -> None:
    token = await hip.link_token(abhaNumber=None)
    assert code(await hip.link(entry("v-1"), token=token)) == "ABDM-1062"
    assert (await hip.link(entry("v-1"), token=token, abhaNumber=None)).status_code == 202


async def test_an_expired_link_token_is_unknown(network: Network) -> None:
    token = await network.hip.link_token()
    network.clock.ahead += timedelta(days=183)
    await network.hip.sign_in()
    assert code(await network.hip.link(entry("v-1"), token=token)) == "ABDM-1026"


async def test_what_is_linked_already_is_told_by_callback_and_the_rest_is_linked(
    hip: ScriptedHip, control: SandboxControl
) -> None:
    token = await hip.link_token()
    await hip.link(entry("v-1"), token=token)
    assert "error" not in (await hip.callback("on_carecontext", 1)).body
    await hip.link(entry("v-1"), entry("v-2"), token=token)
    assert (await hip.callback("on_carecontext", 2)).body["error"]["code"] == "ABDM-1056"
    await hip.link(entry("v-1", "OPConsultation"), token=token)
    assert "error" not in (await hip.callback("on_carecontext", 3)).body
    linked = {link.reference: link.hi_types for link in await control.links("meera.k01@sbx", HIP_ID)}
    assert linked == {"v-1": ("Prescription", "OPConsultation"), "v-2": ("Prescription",)}


async def test_the_same_link_while_its_answer_is_under_way_is_a_duplicate(networks: NetworkFactory) -> None:
    async with networks(parties=False, gateway={"wait_scale": 10.0}) as network:
        await network.control.scenario("callback-before-reply", paths=["token"])
        token = await network.hip.link_token()
        assert (await network.hip.link(entry("v-1"), token=token)).status_code == 202
        assert code(await network.hip.link(entry("v-1"), token=token)) == "ABDM-1090"


def notice(reference: str = "v-1", **change: Any) -> dict[str, Any]:
    return {
        "notification": {
            "patient": {"id": "meera.k01@sbx"},
            "careContext": {"patientReference": "PAT-1", "careContextReference": reference},
            "hiTypes": ["DiagnosticReport"],
            "date": "2026-03-14T06:20:00.000Z",
            "hip": {"id": HIP_ID, "name": "Demo Clinic"},
            **change,
        }
    }


async def test_a_context_notify_within_five_seconds_of_the_link_is_errored(networks: NetworkFactory) -> None:
    async with networks(parties=False, gateway={"wait_scale": 1.0}) as network:
        await network.hip.linked(entry("v-1"))
        await network.hip.call("/hip/v3/link/context/notify", notice())
        early = (await network.hip.callback("context/on-notify", 1)).body
        network.clock.ahead += timedelta(seconds=6)
        await network.hip.call("/hip/v3/link/context/notify", notice())
        later = (await network.hip.callback("context/on-notify", 2)).body
    assert (early["acknowledgement"]["status"], early["error"]["code"]) == ("ERRORED", "ABDM-1006")
    assert (later["acknowledgement"]["status"], later["error"]) == ("SUCCESS", None)


async def test_a_context_notify_adds_its_hi_types_to_the_link(network: Network) -> None:
    await network.hip.linked(entry("v-1"))
    network.clock.ahead += timedelta(seconds=6)
    await network.hip.call("/hip/v3/link/context/notify", notice())
    await network.hip.callback("context/on-notify")
    (link,) = await network.control.links("meera.k01@sbx")
    assert link.hi_types == ("Prescription", "DiagnosticReport")


async def test_a_context_notify_for_an_unlinked_context_is_errored(hip: ScriptedHip) -> None:
    await hip.call("/hip/v3/link/context/notify", notice("v-9"))
    assert (await hip.callback("context/on-notify")).body["acknowledgement"]["status"] == "ERRORED"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"hip": {"id": OTHER_HIP}}, "ABDM-1035"),
        ({"hiTypes": []}, "ABDM-1006"),
        ({"hiTypes": ["PRESCRIPTION"]}, "ABDM-1006"),
        ({"date": "14/03/2026"}, "ABDM-1006"),
        ({"careContext": [{}]}, "ABDM-1006"),
    ],
)
async def test_a_badly_formed_context_notify_is_refused(hip: ScriptedHip, change: dict, expected: str) -> None:
    assert code(await hip.call("/hip/v3/link/context/notify", notice(**change))) == expected


@pytest.mark.parametrize("phone", ["9876543210", "919876543210", "+919876543210", "+91-9876543210"])
async def test_a_telephone_number_may_be_written_in_four_ways(
    hip: ScriptedHip, control: SandboxControl, phone: str
) -> None:
    body = {"notification": {"phoneNo": phone, "hip": {"id": HIP_ID, "name": "Demo Clinic"}}}
    assert (await hip.call("/hip/v3/link/patient/links/sms/notify2", body)).status_code == 202
    assert [message.mobile for message in await control.sms_sent()] == ["9876543210"]


@pytest.mark.parametrize(
    ("phone", "hip_body", "expected"),
    [
        ("12345", {"id": HIP_ID, "name": "Demo"}, "ABDM-1006"),
        ("9876543210", {"id": "IN0", "name": "Demo"}, "ABDM-1035"),
        ("9876543210", {"id": HIP_ID}, "ABDM-1006"),
        ("9876543210", {"id": HIP_ID, "name": ""}, "ABDM-1006"),
    ],
)
async def test_a_badly_formed_sms_notify_is_refused(
    hip: ScriptedHip, phone: str, hip_body: dict, expected: str
) -> None:
    body = {"notification": {"phoneNo": phone, "hip": hip_body}}
    assert code(await hip.call("/hip/v3/link/patient/links/sms/notify2", body)) == expected


async def test_a_deleted_account_is_told_to_the_facilities_with_links(network: Network) -> None:
    await network.hip.linked(entry("v-1"))
    await network.control.change_account("meera.k01@sbx", "DELETED")
    seen = await network.hip.callback("patients/status/notify")
    assert seen.body["notification"] == {"status": "DELETED", "patient": {"id": "meera.k01@sbx"}}
    path = "/hip/v3/link/patient/links/hip/ondeactivate"
    assert (await network.hip.answer(path, seen)).status_code == 202
    assert code(await network.hip.answer(path, seen)) == "ABDM-1064"
    assert await network.control.links("meera.k01@sbx") == []
