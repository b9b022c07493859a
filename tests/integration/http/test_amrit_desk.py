"""AMRIT's registration desk against our ``/careContext`` paths: its fields, its states, and true HTTP statuses."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from tests.builders.edge import Edge, edge
from tests.builders.visits import MEERA, a_visit

from hip.adapters.visit_records.records import JsonVisitRecords
from hip.domain.identifiers import AbhaAddress, HipId
from hip.entrypoints.sandbox.parties import Patient

KEY = {"Authorization": "Bearer sandbox"}
HIP = "IN0410000123"
ADDRESS = "meera.k01@sbx"
ACCOUNT = Patient(
    abha_address=ADDRESS,
    abha_number="91123456789012",
    name="Meera Kulkarni",
    gender="F",
    year_of_birth=1984,
    mobile="9876543210",
)
# As AMRIT's own screen sends them.
TOKEN = {
    "abhaNumber": "91-1234-5678-9012",
    "abhaAddress": ADDRESS,
    "name": "Meera Kulkarni",
    "gender": "Female",
    "yearOfBirth": 1984,
    "abdmFacilityId": HIP,
}
LINK = {
    "beneficiaryID": "PAT-20417",
    "abhaAddress": ADDRESS,
    "abhaNumber": "91-1234-5678-9012",
    "linkToken": None,
    "requestId": None,
    "visitCategory": "General OPD",
    "visitCode": 88120,
    "abdmFacilityId": HIP,
    "abdmFacilityName": "Demo Clinic",
    "hiType": "OPConsultation",
    "display": "General OPD",
}


def record(**patient: Any) -> dict[str, Any]:
    """Meera's visit as the hospital knew it before the desk made her an ABHA."""
    read: dict[str, Any] = json.loads(JsonVisitRecords().write(a_visit()))
    read["patient"] = {k: v for k, v in read["patient"].items() if not k.startswith("abha")} | patient
    return read


async def post(service: Edge, path: str, body: Any, **headers: str) -> httpx.Response:
    return await service.http.post(f"/careContext/{path}", json=body, headers=headers or KEY)


async def hand_over(service: Edge, **patient: Any) -> None:
    taken = await service.http.post("/v1/visits", json=record(**patient), headers={"X-API-Key": "sandbox"})
    assert taken.status_code == 202
    async with asyncio.timeout(20):
        while len((await service.http.get("/v1/visits/88120", headers={"X-API-Key": "sandbox"})).json()["bundles"]) < 3:
            await asyncio.sleep(0.01)


async def poll(service: Edge, wanted: str, **query: str) -> dict[str, Any]:
    """Ask as the screen does, until it is so."""
    shown: dict[str, Any] = {}
    async with asyncio.timeout(20):
        while shown.get("state") != wanted:
            told = await service.http.get("/careContext/linkStatus", params=query, headers=KEY)
            assert told.status_code == 200, told.text
            shown = told.json()["data"]
            await asyncio.sleep(0.02)
    return shown


def desk() -> Any:
    return edge(patients=(ACCOUNT,), HIP_AMRIT_PATHS="on")


def test_a_visit_without_abha_is_linked_by_the_desk_and_shown_as_it_goes() -> None:
    async def story() -> None:
        async with desk() as service:
            await hand_over(service)
            asked = await post(service, "generateCareContextToken", TOKEN)
            assert asked.status_code == 202
            told = asked.json()
            assert (told["statusCode"], told["status"]) == (200, "Success")
            shown = await poll(service, "tokenReady", requestId=told["data"]["requestId"], abdmFacilityId=HIP)
            assert shown["retryCount"] == 0
            assert shown["lastPolled"].endswith("Z")
            ready = await post(service, "generateLinkToken", TOKEN)
            assert ready.status_code == 200
            mark = ready.json()["data"]["linkToken"]
            async with service.adapters.units()() as uow:
                token = await uow.link_tokens.current(HipId(HIP), AbhaAddress(ADDRESS), now=service.adapters.clock()())
            assert token is not None
            assert token.value not in ready.text
            linking = await post(service, "linkCareContext", LINK | {"linkToken": mark})
            assert linking.status_code in (200, 202)
            shown = await poll(service, "linked", visitCode="88120", abdmFacilityId=HIP)
            assert shown["message"] is None
            again = await post(service, "linkCareContext", LINK)
            assert again.status_code == 200
            assert again.json()["data"]["message"] == "Care Context added successfully"
            visit = await service.http.get("/v1/visits/88120", headers={"X-API-Key": "sandbox"})
            assert visit.json()["linked"] is True

    asyncio.run(story())


def test_a_link_alone_asks_for_its_token_by_itself() -> None:
    async def story() -> None:
        async with desk() as service:
            await hand_over(service)
            linking = await post(service, "linkCareContext", LINK)
            assert linking.status_code in (200, 202)
            await poll(service, "linked", visitCode="88120", abdmFacilityId=HIP)

    asyncio.run(story())


def test_demographics_that_abdm_does_not_know_are_told_with_what_to_do() -> None:
    async def story() -> None:
        async with desk() as service:
            wrong = TOKEN | {"name": "Somebody Else"}
            asked = await post(service, "generateCareContextToken", wrong)
            assert asked.status_code == 202
            request_id = asked.json()["data"]["requestId"]
            shown = await poll(service, "linkFailed", requestId=request_id, abdmFacilityId=HIP)
            assert "ABDM-1207" in shown["message"]
            assert "correct it at the desk" in shown["message"]
            again = await post(service, "generateCareContextToken", wrong)
            assert again.status_code == 422
            told = again.json()
            assert told["statusCode"] == 5000
            assert "ABDM-1207" in told["errorMessage"]
            assert told["data"]["error"] == told["errorMessage"]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"visitCode": "no-such-visit"}, 404),
        ({"beneficiaryID": "PAT-1"}, 400),
        ({"abhaAddress": "not an address"}, 400),
        ({"abhaNumber": "12"}, 400),
        ({"abhaAddress": None}, 400),
        ({"visitCode": ""}, 400),
        ({"abdmFacilityId": "IN0410000555"}, 403),
        ({"abdmFacilityId": None}, 400),  # the key acts for two
    ],
)
def test_what_the_desk_may_not_link_gets_a_true_status_in_amrits_wrapper(change: dict[str, Any], status: int) -> None:
    async def story() -> None:
        async with desk() as service:
            await hand_over(service)
            refused = await post(service, "linkCareContext", LINK | change)
            assert refused.status_code == status, refused.text
            told = refused.json()
            assert set(told) == {"data", "statusCode", "errorMessage", "status"}
            assert told["statusCode"] == 5000
            async with service.adapters.units()() as uow:
                patient = await uow.patients.get(HipId(HIP), MEERA.reference)
            assert patient is not None
            assert patient.abha_address is None

    asyncio.run(story())


def test_a_patient_who_has_another_abha_is_not_relinked() -> None:
    async def story() -> None:
        async with desk() as service:
            await hand_over(service, abhaAddress="somebody@sbx")
            refused = await post(service, "linkCareContext", LINK)
            assert refused.status_code == 409
            assert "another ABHA address" in refused.json()["errorMessage"]

    asyncio.run(story())


@pytest.mark.parametrize("headers", [{"X-Nothing": "1"}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "wrong"}])
def test_without_a_known_key_nothing_is_done(headers: dict[str, str]) -> None:
    async def story() -> None:
        async with desk() as service:
            for path, body in (("generateCareContextToken", TOKEN), ("linkCareContext", LINK)):
                refused = await post(service, path, body, **headers)
                assert refused.status_code == 401
                assert refused.json()["statusCode"] == 5000
            looked = await service.http.get("/careContext/linkStatus?visitCode=88120", headers=headers)
            assert looked.status_code == 401

    asyncio.run(story())


def test_a_link_that_nobody_asked_for_and_an_unknown_request_are_404() -> None:
    async def story() -> None:
        async with desk() as service:
            await hand_over(service)
            for query in ("visitCode=88120", "visitCode=no-such", "requestId=no-such"):
                looked = await service.http.get(f"/careContext/linkStatus?{query}&abdmFacilityId={HIP}", headers=KEY)
                assert looked.status_code == 404, query
            looked = await service.http.get(f"/careContext/linkStatus?abdmFacilityId={HIP}", headers=KEY)
            assert looked.status_code == 400

    asyncio.run(story())


def test_the_paths_are_off_unless_they_are_switched_on() -> None:
    async def story() -> None:
        async with edge() as service:
            refused = await post(service, "linkCareContext", LINK)
            assert refused.status_code == 401  # taken for a callback, whose sender must be the gateway
            looked = await service.http.get("/careContext/linkStatus?visitCode=88120", headers=KEY)
            assert looked.status_code in (404, 405)

    asyncio.run(story())
