"""Every flow once, from start to end, between the three apps and a scripted HIP."""

import pytest
from tests.unit.sandbox.conftest import Network
from tests.unit.sandbox.scripted_hip import BUNDLE, HIP_ID, entry

pytestmark = pytest.mark.anyio


async def test_a_linked_record_is_consented_pushed_opened_and_accounted_for(network: Network) -> None:
    hip, control = network.hip, network.control
    hip.behave()
    hip.records = {"visit-1": BUNDLE, "visit-2": BUNDLE.replace("female", "male")}
    await hip.linked(entry("visit-1"), entry("visit-2", "OPConsultation"))

    case = await control.consented("meera.k01@sbx", ["Prescription", "OPConsultation"])
    transfer = await control.wait_for_pages(case.transfers[0])
    assert transfer.transaction_id is not None
    records = await control.opened_records(transfer.transaction_id)

    assert {r.care_context_reference: r.content.decode() for r in records} == hip.records
    assert [r.problem for r in records] == [None, None]
    assert {r.checksum for r in records} == {"match"}
    assert {r.key_form for r in records} == {"x509"}
    notify = await control.wait_for_notify(transfer.transaction_id)
    assert notify.session_status == "TRANSFERRED"
    assert notify.outcomes == {"visit-1": "DELIVERED", "visit-2": "DELIVERED"}
    received = await control.wait_for_notify(transfer.transaction_id, "HIU")
    assert received.session_status == "RECEIVED"
    assert await control.findings() == []


async def test_a_patient_finds_and_links_records_with_an_otp(network: Network) -> None:
    hip, control = network.hip, network.control
    hip.behave()
    hip.contexts = [entry("visit-1"), entry("visit-1", "OPConsultation")]

    found = await control.discover("meera.k01@sbx", HIP_ID, identifiers=[{"type": "MR", "value": "PAT-1"}])
    assert found.references() == ["visit-1"]
    attempt = await control.choose(found)
    assert attempt.meta["communicationHint"] == "******3210"
    wrong = await control.enter_otp(attempt, "000000")
    assert wrong.problem is not None
    assert wrong.problem.code == "ABDM-1035"
    assert await control.links("meera.k01@sbx") == []
    assert (await control.enter_otp(attempt)).status == "linked"

    (link,) = await control.links("meera.k01@sbx")
    assert link.by == "PATIENT"
    assert link.hi_types == ("Prescription", "OPConsultation")
    asked = (await hip.callback("care-context/discover")).body["patient"]
    assert asked["verifiedIdentifiers"] == [
        {"type": "MOBILE", "value": "+919876543210"},
        {"type": "ABHA_NUMBER", "value": "91-1234-5678-9012"},
        {"type": "abhaAddress", "value": "meera.k01@sbx"},
    ]
    assert asked["unverifiedIdentifiers"] == [{"type": "MR", "value": "PAT-1"}]


async def test_a_profile_is_shared_at_a_counter(network: Network) -> None:
    network.hip.behave()
    shared = await network.control.share_profile("meera.k01@sbx", HIP_ID, "counter1")
    assert (shared.status, shared.token_number, shared.expiry) == ("shared", "0017", 1800)


async def test_a_patient_without_abha_gets_a_text_message(network: Network) -> None:
    notice = {"phoneNo": "+91-9812345678", "hip": {"id": HIP_ID, "name": "Demo Clinic"}}
    reply = await network.hip.call("/hip/v3/link/patient/links/sms/notify2", {"notification": notice})
    assert reply.status_code == 202
    message = await network.control.wait_for_sms("9812345678")
    assert "Demo Clinic" in message.text
    body = (await network.hip.callback("/api/v3/patients/sms/on-notify")).body
    assert body["status"] == "ACKNOWLEDGED"
    assert set(body) == {"requestId", "timestamp", "status", "error", "resp"}


async def test_a_revoked_consent_is_told_and_gives_no_more_data(network: Network) -> None:
    hip, control = network.hip, network.control
    hip.behave()
    await hip.linked(entry("visit-1"))
    case = await control.consented("meera.k01@sbx", ["Prescription"])
    await control.wait_for_pages(case.transfers[0])
    (consent_id,) = case.artefacts

    await control.revoke(consent_id)
    assert (await control.wait_for_acknowledgement(consent_id, "REVOKED")).hip_acknowledged == "OK"
    assert (await hip.callback("hip/notify", 2)).body["notification"]["status"] == "REVOKED"
    await control.wait_for_status(case, "REVOKED")
    again = await control.request_data(consent_id)
    assert again.state == "refused"
    assert again.problem is not None
    assert again.problem.code == "ABDM-1062"


async def test_what_is_linked_is_fetched_by_the_patients_app_when_told_so(network: Network) -> None:
    network.hip.behave()
    await network.control.scenario("self-fetch")
    await network.hip.linked(entry("visit-1"))
    detail = (await network.hip.callback("hip/notify")).body["notification"]["consentDetail"]
    assert detail["purpose"]["code"] == "PATRQT"
    seen = await network.control.until("a transfer", network.control.hiu_transfers, bool)
    pages = await network.control.wait_for_pages(seen[0])
    assert pages.state == "received"
