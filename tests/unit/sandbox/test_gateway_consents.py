"""Consents and data flow: artefacts, refusals, reports, findings (contract §2.9 - §2.12)."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.sandbox.conftest import OTHER_HIP, Network, NetworkFactory
from tests.unit.sandbox.scripted_hip import HIP_ID, Seen, entry, stamp

from hip.entrypoints.sandbox.control_line import Refused
from hip.entrypoints.sandbox.views import ConsentCase

pytestmark = pytest.mark.anyio

ON_NOTIFY = "/consent/v3/request/hip/on-notify"
ON_REQUEST = "/data-flow/v3/health-information/hip/on-request"
UNKNOWN = "11111111-2222-4333-8444-555555555555"


async def granted(network: Network, *hi_types: str, **wish: Any) -> tuple[ConsentCase, Seen]:
    """A granted consent whose notice lies with the HIP, unanswered."""
    network.hip.scripts.pop("/api/v3/consent/request/hip/notify", None)
    await network.hip.linked(entry("v-1"), entry("v-2", "OPConsultation"))
    case = await network.control.start_consent("meera.k01@sbx", hi_types or ("Prescription",), **wish)
    assert case.consent_request_id is not None
    await network.control.grant(case.consent_request_id)
    return case, await network.hip.callback("hip/notify")


async def requested(network: Network) -> Seen:
    """A data request that lies with the HIP."""
    _, seen = await granted(network)
    await network.hip.on_consent(seen)
    return await network.hip.callback("hip/health-information/request")


def first(reply: Any) -> dict[str, str]:
    (part,) = reply.json()
    return part.get("error", part)


async def test_an_artefact_names_the_linked_contexts_that_match(network: Network) -> None:
    _, seen = await granted(network, "OPConsultation", "Invoice")
    notification = seen.body["notification"]
    detail = notification["consentDetail"]
    assert notification["status"] == "GRANTED"
    assert notification["grantAcknowledgement"] is False
    assert detail["consentId"] == notification["consentId"]
    assert detail["careContexts"] == [{"patientReference": "PAT-1", "careContextReference": "v-2"}]
    assert detail["hiTypes"] == ["OPConsultation", "Invoice"]
    assert detail["hip"]["id"] == HIP_ID
    assert detail["hiu"]["id"] == "IN0410009001"
    assert detail["consentManager"] == {"id": "sbx"}
    assert detail["permission"]["accessMode"] == "VIEW"
    assert notification["signature"]


async def test_a_patient_may_grant_less_than_was_asked(network: Network) -> None:
    await network.hip.linked(entry("v-1"), entry("v-2"), entry("v-3", "OPConsultation"))
    case = await network.control.start_consent("meera.k01@sbx", ["Prescription", "OPConsultation"])
    (pending,) = await network.control.pending_consents("meera.k01@sbx")
    range_ = {"from": "2026-01-01T00:00:00.000Z", "to": "2026-02-01T00:00:00.000Z"}
    await network.control.grant(pending.id, hiTypes=["Prescription"], careContexts=["v-2"], dateRange=range_)
    detail = (await network.hip.callback("hip/notify")).body["notification"]["consentDetail"]
    assert [each["careContextReference"] for each in detail["careContexts"]] == ["v-2"]
    assert detail["hiTypes"] == ["Prescription"]
    assert detail["permission"]["dateRange"] == range_
    assert await network.control.pending_consents("meera.k01@sbx") == []
    assert (await network.control.wait_for_status(case, "GRANTED")).consent_request_id == pending.id


async def test_there_is_one_artefact_for_each_facility(network: Network) -> None:
    await network.hip.linked(entry("v-1"))
    token = await network.hip.link_token(hip_id=OTHER_HIP)
    await network.hip.link(entry("v-1"), token=token, x_hip_id=OTHER_HIP)
    case = await network.control.start_consent("meera.k01@sbx", ["Prescription"])
    assert case.consent_request_id is not None
    request = await network.control.grant(case.consent_request_id)
    consents = await network.control.consents("meera.k01@sbx")
    assert len(request.artefacts) == 2
    assert {each.hip_id for each in consents} == {HIP_ID, OTHER_HIP}
    await network.hip.callback("hip/notify", 2)
    assert {seen.headers["x-hip-id"] for seen in network.hip.seen("hip/notify")} == {HIP_ID, OTHER_HIP}


async def test_nothing_can_be_granted_where_nothing_is_linked(network: Network) -> None:
    case = await network.control.start_consent("meera.k01@sbx", ["Prescription"])
    assert case.consent_request_id is not None
    with pytest.raises(Refused, match="no linked care context"):
        await network.control.grant(case.consent_request_id)


async def test_a_denied_request_is_told_to_the_requester_alone(network: Network) -> None:
    case = await network.control.start_consent("meera.k01@sbx", ["Prescription"])
    assert case.consent_request_id is not None
    await network.control.deny(case.consent_request_id)
    await network.control.wait_for_status(case, "DENIED")
    assert network.hip.seen("hip/notify") == []


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"purpose": "FUN"}, "ABDM-1047"),
        ({"hipId": "IN0"}, "ABDM-1035"),
        ({"patient": "nobody@sbx"}, "ABDM-1170"),
        ({"hiTypes": ["PRESCRIPTION"]}, "ABDM-1006"),
        ({"dateRange": {"from": "2026-02-01", "to": "2026-01-01"}}, "ABDM-1063"),
        ({"dataEraseAt": "2020-01-01T00:00:00.000Z"}, "ABDM-1006"),
        ({"accessMode": "OWN"}, "ABDM-1006"),
    ],
)
async def test_an_invalid_consent_request_is_refused(network: Network, wish: dict, expected: str) -> None:
    asked = {"patient": "meera.k01@sbx", "hiTypes": ["Prescription"], **wish}
    reply = await network.http.post("http://hiu.sandbox/sandbox/consents", json=asked)
    assert reply.json()["status"] == "FAILED"
    assert reply.json()["problem"]["code"] == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"acknowledgement": {"status": "SUCCESS", "consentId": "?"}}, "ABDM-1041"),
        ({"acknowledgement": [{"status": "OK", "consentId": "?"}]}, "ABDM-1041"),
        ({"acknowledgement": {"status": "OK", "consentId": UNKNOWN}}, "ABDM-1041"),
        ({"response": {"requestId": UNKNOWN}}, "ABDM-1030"),
    ],
)
async def test_an_invalid_on_notify_is_refused_with_an_array(network: Network, change: dict, expected: str) -> None:
    _, seen = await granted(network)
    consent_id = seen.body["notification"]["consentId"]
    good = {"acknowledgement": {"status": "ok", "consentId": consent_id}, "response": {"requestId": seen.request_id}}
    refused = await network.hip.call(ON_NOTIFY, {**good, **change})
    assert (refused.status_code, first(refused)["code"]) == (400, expected)
    assert (await network.hip.call(ON_NOTIFY, good)).status_code == 202
    assert first(await network.hip.call(ON_NOTIFY, good))["code"] == "ABDM-1064"


async def test_no_data_flows_while_a_consent_is_not_acknowledged(networks: NetworkFactory) -> None:
    async with networks(gateway={"ack_patience": timedelta(milliseconds=50)}) as network:
        case, _ = await granted(network)
        (transfer,) = (await network.control.wait_for_requests(case, 1)).transfers
        assert transfer.problem is not None
        assert transfer.problem.code == "ABDM-1402"
        assert network.hip.seen("hip/health-information/request") == []


async def test_an_acknowledgement_with_an_error_lets_no_data_flow(networks: NetworkFactory) -> None:
    async with networks(gateway={"ack_patience": timedelta(milliseconds=50)}) as network:
        case, seen = await granted(network)
        consent_id = seen.body["notification"]["consentId"]
        await network.hip.answer(ON_NOTIFY, seen, acknowledgement={"status": "ERROR", "consentId": consent_id})
        (transfer,) = (await network.control.wait_for_requests(case, 1)).transfers
        assert transfer.problem is not None
        assert transfer.problem.code == "ABDM-1402"
        assert (await network.control.consent(consent_id)).hip_acknowledged == "ERROR"


async def test_a_data_request_has_the_shape_of_real_traffic(network: Network) -> None:
    body = (await requested(network)).body
    assert (body["requestId"], body["timestamp"]) == ("", "")
    assert set(body["hiRequest"]) == {"consent", "dateRange", "dataPushUrl", "keyMaterial"}
    assert body["hiRequest"]["dataPushUrl"] == "http://hiu.sandbox/v3/transfer/"
    assert len(body["hiRequest"]["keyMaterial"]["dhPublicKey"]["keyValue"]) == 88


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"hiRequest": {"transactionId": UNKNOWN, "sessionStatus": "ACKNOWLEDGED"}}, "ABDM-1017"),
        ({"hiRequest": None}, "ABDM-1031"),
        ({"hiRequest": {"sessionStatus": "ACKNOWLEDGED"}}, "ABDM-1031"),
        ({"response": {"requestId": UNKNOWN}}, "ABDM-1030"),
    ],
)
async def test_on_request_is_answered_200_or_refused(network: Network, change: dict, expected: str) -> None:
    seen = await requested(network)
    session = {"transactionId": seen.body["transactionId"], "sessionStatus": "ACKNOWLEDGED"}
    good = {"hiRequest": session, "response": {"requestId": seen.request_id}}
    refused = await network.hip.call(ON_REQUEST, {**good, **change})
    assert (refused.status_code, first(refused)["code"]) == (400, expected)
    wrong = {"hiRequest": {**session, "sessionStatus": "TRANSFERRED"}, "response": good["response"]}
    assert first(await network.hip.call(ON_REQUEST, wrong))["code"] == "ABDM-1031"
    assert (await network.hip.call(ON_REQUEST, good)).status_code == 200
    assert first(await network.hip.call(ON_REQUEST, good))["code"] == "ABDM-1113"


async def test_a_refusal_of_the_facility_reaches_the_requester(network: Network) -> None:
    seen = await requested(network)
    await network.hip.answer(ON_REQUEST, seen, error={"code": "ABDM-1112", "message": "unknown"})
    (case,) = await network.control.cases()
    (transfer,) = (await network.control.wait_for_requests(case, 1)).transfers
    assert transfer.state == "refused"
    assert transfer.problem is not None
    assert transfer.problem.code == "ABDM-1112"
    assert (await network.control.transfer(seen.body["transactionId"])).state == "REFUSED"


async def test_a_requester_may_not_ask_beyond_the_consent(network: Network) -> None:
    _, seen = await granted(network)
    await network.hip.on_consent(seen)
    consent_id = seen.body["notification"]["consentId"]
    await network.hip.callback("hip/health-information/request")
    beyond = {"from": "1990-01-01T00:00:00.000Z", "to": stamp(network.clock())}
    asked = await network.control.request_data(consent_id, dateRange=beyond)
    assert asked.problem is not None
    assert asked.problem.code == "ABDM-1063"
    await network.control.expire(consent_id)
    expired = await network.control.request_data(consent_id)
    assert expired.problem is not None
    assert expired.problem.code == "ABDM-1061"
    assert (await network.hip.callback("hip/notify", 2)).body["notification"]["status"] == "EXPIRED"


async def test_a_consent_is_dead_after_its_erase_date(network: Network) -> None:
    _, seen = await granted(network)
    await network.hip.on_consent(seen)
    await network.hip.callback("hip/health-information/request")
    network.clock.ahead += timedelta(days=2)
    asked = await network.control.request_data(seen.body["notification"]["consentId"])
    assert asked.problem is not None
    assert asked.problem.code == "ABDM-1061"


def report(seen: Seen, clock: Any, **change: Any) -> dict[str, Any]:
    outcome = {"careContextReference": "v-1", "hiStatus": change.pop("hiStatus", "DELIVERED")}
    notification = {
        "consentId": seen.body["hiRequest"]["consent"]["id"],
        "transactionId": seen.body["transactionId"],
        "doneAt": stamp(clock()),
        "notifier": {"type": "HIP", "id": HIP_ID},
        "statusNotification": {
            "sessionStatus": change.pop("sessionStatus", "TRANSFERRED"),
            "hipId": HIP_ID,
            "statusResponses": change.pop("statusResponses", [outcome]),
        },
    }
    return {"notification": {**notification, **change}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"transactionId": UNKNOWN}, "ABDM-1017"),
        ({"consentId": UNKNOWN}, "ABDM-9999"),
        ({"notifier": {"type": "HIP", "id": OTHER_HIP}}, "ABDM-1035"),
        ({"notifier": {"type": "HIU", "id": "IN0410009001"}}, "ABDM-1040"),
        ({"notifier": {"type": "GATEWAY", "id": HIP_ID}}, "ABDM-1006"),
        ({"doneAt": "yesterday"}, "ABDM-1006"),
        ({"doneAt": "2026-03-14T06:53:02.410"}, "ABDM-1006"),
        ({"sessionStatus": "DELIVERED"}, "ABDM-9999"),
        ({"hiStatus": "FAILED"}, "ABDM-9999"),
        ({"statusResponses": []}, "ABDM-1006"),
    ],
)
async def test_an_invalid_transfer_notify_is_refused(network: Network, change: dict, expected: str) -> None:
    seen = await requested(network)
    path = "/data-flow/v3/health-information/notify"
    refused = await network.hip.call(path, report(seen, network.clock, **change))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, expected)
    taken = await network.hip.call(path, report(seen, network.clock))
    assert (taken.status_code, taken.json()) == (202, {"status": "Notification is Accepted"})


async def test_reports_that_are_not_true_to_each_other_are_noted(network: Network) -> None:
    seen = await requested(network)
    path = "/data-flow/v3/health-information/notify"
    await network.hip.call(path, report(seen, network.clock))
    session = {"transactionId": seen.body["transactionId"], "sessionStatus": "ACKNOWLEDGED"}
    await network.hip.answer(ON_REQUEST, seen, hiRequest=session)
    network.clock.ahead += timedelta(minutes=19)
    await network.hip.sign_in()
    await network.hip.call(path, report(seen, network.clock, hiStatus="ERRORED"))
    network.clock.ahead += timedelta(minutes=2)
    await network.hip.sign_in()
    other = [{"careContextReference": "v-9", "hiStatus": "DELIVERED"}]
    await network.hip.call(path, report(seen, network.clock, sessionStatus="FAILED", statusResponses=other))
    found = [finding.detail for finding in await network.control.findings()]
    said = [detail.partition(seen.body["transactionId"])[2].strip() for detail in found]
    assert said == [
        "came before on-request",
        "says TRANSFERRED though nothing was delivered",
        "disagrees with an earlier notify",
        "does not name every care context of the consent",
        "names a care context outside the consent",
        "says FAILED though something was delivered",
        "disagrees with an earlier notify",
        "came after 20 minutes",
    ]
    assert len(await network.control.notifies(seen.body["transactionId"])) == 3


async def test_the_state_of_a_request_can_be_asked(network: Network) -> None:
    seen = await requested(network)
    path = f"/data-flow/v3/health-information/request/status/{seen.body['transactionId']}"
    reply = await network.hip.call(path, method="GET")
    assert reply.json()["hiRequest"]["sessionStatus"] == "REQUESTED"
