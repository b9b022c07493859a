"""The HMIS API: keys, tenants, and clear answers to bad records."""

import asyncio
import hashlib
import json

import pytest
from tests.builders.edge import edge
from tests.builders.visits import a_visit

from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.storage import Listing
from hip.domain.identifiers import HipId

KEY = {"X-API-Key": "sandbox"}
RECORD = json.loads(JsonVisitRecords().write(a_visit()))


def test_a_visit_is_taken_once_and_shown_with_what_became_of_it():
    async def story() -> None:
        async with edge() as service:
            first = await service.http.post("/v1/visits", json=RECORD, headers=KEY)
            again = await service.http.post("/v1/visits", json=RECORD, headers=KEY)
            assert (first.status_code, again.status_code) == (202, 200)
            assert first.json()["version"] == again.json()["version"] == 1
            async with asyncio.timeout(10):
                while len((shown := (await _show(service)).json())["bundles"]) < 3:
                    await asyncio.sleep(0.01)
            assert {bundle["hiType"] for bundle in shown["bundles"]} == set(shown["hiTypes"])
            assert shown["linked"] is False

    asyncio.run(story())


async def _show(service):
    return await service.http.get("/v1/visits/88120", headers=KEY)


NDJSON = {**KEY, "Content-Type": "application/x-ndjson"}


def test_a_stream_of_visits_is_taken_line_by_line_and_each_bad_line_is_named():
    async def story() -> None:
        lines = [json.dumps({**RECORD, "visitCode": f"s-{number}"}).encode() for number in range(20)]
        lines[3] = json.dumps({**RECORD, "visitCode": "s-3", "vitals": {"systolic": "high"}}).encode()
        lines[7] = b"no json"
        body = b"\n".join([*lines[:10], b"", *lines[10:]])

        async def chunks():
            for start in range(0, len(body), 997):  # lines are cut anywhere
                yield body[start : start + 997]

        async with edge() as service:
            first = await service.http.post("/v1/visits", content=chunks(), headers=NDJSON)
            again = await service.http.post("/v1/visits", content=body, headers=NDJSON)
            assert first.status_code == 202
            told = first.json()
            assert (told["taken"], told["unchanged"], told["refused"]) == (18, 0, 2)
            assert next((one["line"], one["field"]) for one in told["refusals"]) == (4, "vitals.systolic")
            assert told["refusals"][1]["line"] == 8
            assert (again.json()["taken"], again.json()["unchanged"], again.json()["refused"]) == (0, 18, 2)
            assert (await service.http.get("/v1/visits/s-19", headers=KEY)).status_code == 200

    asyncio.run(story())


def test_a_stream_whose_store_fails_is_answered_503_and_can_be_sent_again():
    async def story() -> None:
        body = b"\n".join(
            json.dumps({**RECORD, "visitCode": f"s-{number}", "hiTypes": ["OPConsultation"]}).encode()
            for number in range(30)
        )

        async with edge() as service:
            database = service.adapters.database()
            database.fail_next(100_000, after=20)
            first = await service.http.post("/v1/visits", content=body, headers=NDJSON)
            database.fail_next(0, after=0)
            again = (await service.http.post("/v1/visits", content=body, headers=NDJSON)).json()
            assert first.status_code == 503
            assert (again["refused"], again["taken"] + again["unchanged"]) == (0, 30)
            assert 0 < again["taken"] <= 30
            third = (await service.http.post("/v1/visits", content=body, headers=NDJSON)).json()
            assert (third["taken"], third["unchanged"]) == (0, 30)

    asyncio.run(story())


def test_a_slow_stream_is_stored_while_it_comes():
    async def story() -> None:
        more = asyncio.Event()

        async with edge() as service:

            async def slow():
                yield json.dumps({**RECORD, "visitCode": "s-1"}).encode() + b"\n"
                async with asyncio.timeout(20):
                    while (await service.http.get("/v1/visits/s-1", headers=KEY)).status_code != 200:
                        await asyncio.sleep(0.02)
                more.set()
                yield json.dumps({**RECORD, "visitCode": "s-2"}).encode()

            answer = await service.http.post("/v1/visits", content=slow(), headers=NDJSON)
            assert more.is_set()
            assert answer.json()["taken"] == 2

    asyncio.run(story())


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_a_visit_above_the_limit_is_refused_before_it_is_held(media_type):
    async def story() -> None:
        async def endless():
            for _ in range(40):
                yield b"x" * 1024 * 1024

        async with edge() as service:
            headers = {**KEY, "Content-Type": media_type}
            response = await service.http.post("/v1/visits", content=endless(), headers=headers)
            assert response.status_code == 413
            assert "at most" in response.json()["error"]["message"]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"start": 5}, "start", id="wrong type"),
        pytest.param({"patient": {**RECORD["patient"], "birthDate": "09/04/1984"}}, "patient.birthDate", id="bad date"),
        pytest.param({"patient": {**RECORD["patient"], "abhaNumber": "123"}}, "patient.abhaNumber", id="ABHA number"),
        pytest.param({"hiTypes": ["Horoscope"]}, "hiTypes[0]", id="unknown HI type"),
        pytest.param({"vitals": {"systolic": "high"}}, "vitals.systolic", id="text for a number"),
        pytest.param({"medications": [{"dose": "1"}]}, "medications[0].text", id="missing key"),
        pytest.param({"complaint": []}, "complaint", id="unknown key"),
        pytest.param({"hipId": "IN0000000000"}, "hipId", id="a facility that is not ours"),
    ],
)
def test_a_bad_visit_names_the_field_and_nothing_is_stored(changes, field):
    async def story() -> None:
        async with edge() as service:
            response = await service.http.post("/v1/visits", json={**RECORD, **changes}, headers=KEY)
            assert response.status_code == 400
            error = response.json()["error"]
            assert error["field"] == field
            assert error["expected"]
            assert (await _show(service)).status_code == 404

    asyncio.run(story())


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}])
def test_api_01_without_a_known_key_there_is_nothing_to_see(headers):
    async def story() -> None:
        async with edge() as service:
            for path in ("/v1/visits/88120", "/v1/links", "/v1/consents", "/v1/transfers", "/v1/exchanges"):
                response = await service.http.get(path, headers=headers)
                assert response.status_code == 401
            assert (await service.http.post("/v1/visits", json=RECORD, headers=headers)).status_code == 401

    asyncio.run(story())


def test_cb_05_a_key_sees_and_writes_its_own_facilities_only():
    keys = json.dumps(
        [
            {"name": "own", "sha256": hashlib.sha256(b"own").hexdigest(), "hips": ["IN0410000123"]},
            {"name": "other", "sha256": hashlib.sha256(b"other").hexdigest(), "hips": ["IN0410000999"]},
        ]
    )

    async def story() -> None:
        async with edge(HIP_API_KEYS=keys) as service:
            own, other = {"X-API-Key": "own"}, {"X-API-Key": "other"}
            assert (await service.http.post("/v1/visits", json=RECORD, headers=other)).status_code == 400
            assert (await service.http.post("/v1/visits", json=RECORD, headers=own)).status_code == 202
            assert (await service.http.get("/v1/visits/88120", headers=own)).status_code == 200
            assert (await service.http.get("/v1/visits/88120", headers=other)).status_code == 404
            assert (await service.http.get("/v1/visits?hip=IN0410000123", headers=other)).status_code == 403
            assert (await service.http.get("/v1/visits", headers=other)).json() == []

    asyncio.run(story())


def test_aud_01_every_look_at_what_is_stored_is_written_down_with_the_key_that_looked():
    async def story() -> None:
        async with edge() as service:
            await service.http.post("/v1/visits", json=RECORD, headers=KEY)
            for kind in ("visits", "links", "exchanges", "consents", "transfers"):
                assert (await service.http.get(f"/v1/{kind}?limit=9", headers=KEY)).status_code == 200
            assert (await service.http.get("/v1/visits/88120", headers=KEY)).status_code == 200
            assert (await service.http.get("/v1/visits/none", headers=KEY)).status_code == 404
            async with service.adapters.units()() as uow:
                entries = await uow.audit.list(Listing(hip_id=HipId("IN0410000123"), limit=100))
            looks = {entry.action: entry for entry in entries if entry.action.endswith(("-listed", "-viewed"))}
            assert looks.keys() == {
                "visits-listed",
                "links-listed",
                "exchanges-listed",
                "consents-listed",
                "transfers-listed",
                "visit-viewed",
            }
            assert {entry.actor for entry in looks.values()} == {"key sandbox"}
            assert dict(looks["visits-listed"].detail) == {"since": "", "limit": "9", "found": "1"}
            assert looks["visit-viewed"].subject == "88120"

    asyncio.run(story())


def test_the_openapi_document_describes_the_api_and_not_the_callbacks():
    async def story() -> None:
        async with edge() as service:
            paths = (await service.http.get("/schema/openapi.json")).json()["paths"]
            assert {"/v1/visits", "/v1/visits/{key}", "/v1/transfers", "/v1/links"} <= set(paths)
            assert not any(path.startswith("/api/v3") for path in paths)

    asyncio.run(story())


def test_api_03_a_bad_query_parameter_is_named_and_the_url_is_not_repeated():
    async def story() -> None:
        async with edge() as service:
            response = await service.http.get("/v1/links?since=canary&limit=0", headers=KEY)
            assert response.status_code == 400
            message = response.json()["error"]["message"]
            assert "since" in message
            assert "canary" not in response.text

    asyncio.run(story())
