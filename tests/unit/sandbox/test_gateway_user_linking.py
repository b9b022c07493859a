"""Answers to discovery, link init, link confirm and share: what the gateway refuses (contract §2.5 - §2.8)."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.sandbox.conftest import Network
from tests.unit.sandbox.scripted_hip import HIP_ID, ScriptedHip, entry, stamp

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.parties import Patient

pytestmark = pytest.mark.anyio

FRONT = "/user-initiated-linking/v3"
ON_DISCOVER = f"{FRONT}/patient/care-context/on-discover"
ON_INIT = f"{FRONT}/link/care-context/on-init"
ON_CONFIRM = f"{FRONT}/link/care-context/on-confirm"
UNKNOWN = "11111111-2222-4333-8444-555555555555"


def code(reply: Any) -> str:
    return str(reply.json()["error"]["code"])


async def asked(network: Network) -> Any:
    """A discovery that waits at the HIP, as the callback it got."""
    search = {"abhaAddress": "meera.k01@sbx", "hipId": HIP_ID}
    await network.http.post("http://phr.sandbox/sandbox/discoveries", json=search)
    return await network.hip.callback("care-context/discover")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"patient": None, "matchedBy": None}, "ABDM-1115"),
        ({"patient": []}, "ABDM-1115"),
        ({"matchedBy": []}, "ABDM-1109"),
        ({"matchedBy": ["HEALTH_ID"]}, "ABDM-1109"),
        ({"error": {"code": "ABDM-1010", "message": "?"}}, "ABDM-1109"),
        ({"patient": {"referenceNumber": "one object"}}, "ABDM-1109"),
        ({"patient": [entry("v-1", count=3)]}, "ABDM-1037"),
        ({"patient": [{**entry("v-1"), "referenceNumber": "a|b"}]}, "ABDM-1060"),
        ({"patient": [{**entry("v-1"), "display": "#"}]}, "ABDM-1061"),
        ({"patient": [entry("v|1")]}, "ABDM-1057"),
        ({"patient": [{**entry("v-1"), "hiType": "PRESCRIPTION"}]}, "ABDM-1006"),
        ({"transactionId": UNKNOWN}, "ABDM-1017"),
        ({"response": {"requestId": UNKNOWN}}, "ABDM-1030"),
        ({"response": None}, "ABDM-1109"),
    ],
)
async def test_an_invalid_on_discover_is_refused_and_a_corrected_one_is_taken(
    network: Network, change: dict, expected: str
) -> None:
    question = await asked(network)
    good = {
        "transactionId": question.body["transactionId"],
        "patient": [entry("v-1")],
        "matchedBy": ["MOBILE"],
        "response": {"requestId": question.request_id},
    }
    refused = await network.hip.call(ON_DISCOVER, {**good, **change})
    assert (refused.status_code, code(refused)) == (400, expected)
    assert (await network.hip.call(ON_DISCOVER, good)).status_code == 202
    assert code(await network.hip.call(ON_DISCOVER, good)) == "ABDM-1106"


async def test_an_answer_that_comes_too_late_is_refused(network: Network) -> None:
    question = await asked(network)
    network.clock.ahead += timedelta(minutes=31)
    await network.hip.sign_in()
    await network.hip.on_discover(question)
    assert code(network.hip.replies[-1]) == "ABDM-1052"


async def test_a_patient_who_is_not_found_reads_the_error(network: Network) -> None:
    async def not_found(hip: ScriptedHip, seen: Any) -> None:
        error = {"code": "ABDM-1010", "message": "Patient not found"}
        await hip.answer(ON_DISCOVER, seen, transactionId=seen.body["transactionId"], error=error)

    network.hip.scripts["/api/v3/hip/patient/care-context/discover"] = not_found
    found = await network.control.discover("meera.k01@sbx", HIP_ID)
    assert found.status == "failed"
    assert found.problem is not None
    assert found.problem.code == "ABDM-1010"


async def test_a_facility_that_does_not_answer_is_unavailable_to_the_patient(network: Network) -> None:
    network.transport.unmount("http://hip.sandbox")
    found = await network.control.discover("meera.k01@sbx", HIP_ID)
    assert found.problem is not None
    assert found.problem.code == "ABDM-1401"


async def test_offering_what_is_linked_already_is_noted(network: Network) -> None:
    network.hip.behave()
    await network.hip.linked(entry("v-1"))
    network.hip.contexts = [entry("v-1"), {**entry("v-2"), "referenceNumber": "PAT-2"}]
    await network.control.discover("meera.k01@sbx", HIP_ID)
    assert [finding.rule for finding in await network.control.findings()] == ["DISC-linked", "DISC-01"]


async def test_linking_what_is_linked_already_tells_both_sides(network: Network) -> None:
    network.hip.behave()
    network.hip.contexts = [entry("v-1")]
    found = await network.control.discover("meera.k01@sbx", HIP_ID)
    await network.hip.linked(entry("v-1"))
    attempt = await network.control.choose(found)
    assert attempt.problem is not None
    assert attempt.problem.code == "ABDM-1056"
    told = (await network.hip.callback("care-context/init")).body
    assert told["error"]["code"] == "ABDM-1056"
    assert set(told) == {"transactionId", "error"}


async def test_link_init_names_what_the_patient_chose_without_labels(network: Network) -> None:
    network.hip.behave()
    network.hip.contexts = [entry("v-1"), entry("v-2")]
    found = await network.control.discover("meera.k01@sbx", HIP_ID)
    await network.control.choose(found, ["v-2"])
    body = (await network.hip.callback("care-context/init")).body
    assert body["abhaAddress"] == "meera.k01@sbx"
    assert body["patient"] == [
        {"referenceNumber": "PAT-1", "careContexts": [{"referenceNumber": "v-2"}], "hiType": "Prescription", "count": 1}
    ]


def link(network: Network, **change: Any) -> dict[str, Any]:
    meta = {
        "communicationMedium": "MOBILE",
        "communicationHint": "******3210",
        "communicationExpiry": stamp(network.clock() + timedelta(minutes=5)),
    }
    for name in set(change) & set(meta):
        meta[name] = change.pop(name)
    return {"referenceNumber": "L-1", "authenticationType": "DIRECT", "meta": meta, **change}


@pytest.mark.parametrize(
    "change",
    [
        {"authenticationType": "OTP"},
        {"referenceNumber": ""},
        {"communicationMedium": "SMS"},
        {"communicationHint": ""},
        {"communicationExpiry": "soon"},
        {"communicationExpiry": "2020-01-01T00:00:00.000Z"},
        {"meta": None},
    ],
)
async def test_an_invalid_on_init_is_refused(network: Network, change: dict) -> None:
    network.hip.behave()
    network.hip.contexts = [entry("v-1")]
    found = await network.control.discover("meera.k01@sbx", HIP_ID)
    del network.hip.scripts["/api/v3/hip/link/care-context/init"]
    await network.http.post(f"http://phr.sandbox/sandbox/discoveries/{found.id}/links", json={})
    seen = await network.hip.callback("care-context/init")
    transaction = seen.body["transactionId"]
    refused = await network.hip.answer(ON_INIT, seen, transactionId=transaction, link=link(network, **change))
    assert (refused.status_code, code(refused)) == (400, "ABDM-1110")
    empty = await network.hip.answer(ON_INIT, seen, transactionId=transaction)
    assert code(empty) == "ABDM-1110"
    good = link(network, authenticationType="MEDIATED")
    assert (await network.hip.answer(ON_INIT, seen, transactionId=transaction, link=good)).status_code == 202
    again = await network.hip.answer(ON_INIT, seen, transactionId=transaction, link=good)
    assert code(again) == "ABDM-1107"


async def test_only_what_the_patient_chose_can_be_confirmed(network: Network) -> None:
    network.hip.behave()
    network.hip.contexts = [entry("v-1"), entry("v-2")]
    found = await network.control.discover("meera.k01@sbx", HIP_ID)
    attempt = await network.control.choose(found, ["v-1"])
    del network.hip.scripts["/api/v3/hip/link/care-context/confirm"]
    await network.http.post(f"http://phr.sandbox/sandbox/link-attempts/{attempt.id}/otp", json={"otp": "482913"})
    seen = await network.hip.callback("care-context/confirm")
    both = await network.hip.answer(ON_CONFIRM, seen, patient=network.hip.contexts)
    assert code(both) == "ABDM-1057"
    wrong_count = await network.hip.answer(ON_CONFIRM, seen, patient=[entry("v-1", count=2)])
    assert code(wrong_count) == "ABDM-1037"
    neither = await network.hip.answer(ON_CONFIRM, seen)
    assert code(neither) == "ABDM-1111"
    assert (await network.hip.answer(ON_CONFIRM, seen, patient=[entry("v-1")])).status_code == 202
    assert code(await network.hip.answer(ON_CONFIRM, seen, patient=[entry("v-1")])) == "ABDM-1108"
    assert [each.reference for each in await network.control.links("meera.k01@sbx")] == ["v-1"]


@pytest.mark.parametrize(
    "change",
    [
        {"acknowledgement": None},
        {"status": "DONE"},
        {"abhaAddress": "other@sbx"},
        {"profile": None},
        {"profile": {"context": "counter2", "tokenNumber": "1", "expiry": 1800}},
        {"profile": {"context": "counter1", "tokenNumber": 17, "expiry": 1800}},
        {"profile": {"context": "counter1", "tokenNumber": "17", "expiry": "soon"}},
    ],
)
async def test_an_invalid_on_share_is_refused(network: Network, change: dict) -> None:
    scan = {"abhaAddress": "meera.k01@sbx", "hipId": HIP_ID, "context": "counter1"}
    await network.http.post("http://phr.sandbox/sandbox/shares", json=scan)
    seen = await network.hip.callback("patient/share")
    profile = {"context": "counter1", "tokenNumber": "0017", "expiry": "1799"}
    good = {"status": "SUCCESS", "abhaAddress": "meera.k01@sbx", "profile": profile}
    wrong = change.get("acknowledgement", {**good, **change})
    refused = await network.hip.answer("/patient-share/v3/on-share", seen, acknowledgement=wrong)
    assert (refused.status_code, code(refused)) == (400, "ABDM-1041")
    assert (await network.hip.answer("/patient-share/v3/on-share", seen, acknowledgement=good)).status_code == 202
    again = await network.hip.answer("/patient-share/v3/on-share", seen, acknowledgement=good)
    assert code(again) == "ABDM-1087"


async def test_a_shared_profile_has_the_texts_and_names_of_real_traffic(
    hip: ScriptedHip, control: SandboxControl
) -> None:
    hip.behave()
    await control.share_profile("meera.k01@sbx", HIP_ID, "counter1", intent="PROFILE_SHARE")
    body = (await hip.callback("patient/share")).body
    patient = body["profile"]["patient"]
    assert body["metaData"]["hprId"] is None
    assert patient["abhaNumber"] == "91-1234-5678-9012"
    assert patient["yearOfBirth"] == "1984"
    assert "pincode" in patient["address"]


async def test_one_app_cannot_act_for_a_patient_who_is_not_signed_in(hip: ScriptedHip) -> None:
    path = f"{FRONT}/patient/care-context/discover"
    assert code(await hip.call(path, {"hip": {"id": HIP_ID}}, x_auth_token="guess")) == "ABDM-1065"


async def test_an_account_without_a_number_is_searched_without_one(network: Network) -> None:
    network.hip.behave()
    network.hip.contexts = [entry("v-1")]
    ravi = Patient(abha_address="ravi@sbx", name="Ravi", gender="M", year_of_birth=1970, mobile="9000000001")
    await network.control.register_patient(ravi)
    await network.control.discover("ravi@sbx", HIP_ID)
    asked_for = (await network.hip.callback("care-context/discover")).body["patient"]
    assert [each["type"] for each in asked_for["verifiedIdentifiers"]] == ["MOBILE", "abhaAddress"]
    assert asked_for["unverifiedIdentifiers"] == []
