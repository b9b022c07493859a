"""What the hospital's system and its operators see of invalid bundles."""

import asyncio
import json
from typing import Any

from tests.builders.edge import Edge, edge
from tests.builders.faults import FaultyComposer, untitled_prescriptions, untitled_unless_routed
from tests.builders.visits import a_visit

from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.rebuilds import RebuildVisit
from hip.application.storage import Listing
from hip.domain.identifiers import HipId, VisitCode
from hip.entrypoints.stored import found, listed
from hip.entrypoints.stored_visits import BUNDLES, VISITS

HIP = HipId("IN0410000123")
KEY = {"X-API-Key": "sandbox"}
RECORD = json.loads(JsonVisitRecords().write(a_visit()))
UNROUTED = {**RECORD, "medications": [{"text": "Paracetamol 500 mg tablet", "frequency": "TDS"}]}
PATH = "Bundle.entry[0].resource.title"


async def handed_over(service: Edge, record: dict[str, Any]) -> dict[str, Any]:
    """What `GET /v1/visits/{code}` says once everything is built."""
    response = await service.http.post("/v1/visits", json=record, headers=KEY)
    assert response.status_code == 202
    return await built(service, response.json()["version"])


async def built(service: Edge, version: int) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            await service.idle()
            shown: dict[str, Any] = (await service.http.get("/v1/visits/88120", headers=KEY)).json()
            if [bundle["version"] for bundle in shown["bundles"]] == [version] * 3:
                return shown
            await asyncio.sleep(0.01)


def prescription(shown: dict[str, Any]) -> dict[str, Any]:
    [bundle] = [bundle for bundle in shown["bundles"] if bundle["hiType"] == "Prescription"]
    return dict(bundle)


def test_a_visit_says_which_bundles_are_invalid_and_how_many_errors_they_have():
    async def story() -> None:
        async with edge(composer=FaultyComposer(untitled_prescriptions)) as service:
            shown = await handed_over(service, RECORD)
            assert (shown["invalid"], shown["errors"], shown["linked"]) == (["Prescription"], 1, False)
            assert {bundle["hiType"]: bundle["errors"] for bundle in shown["bundles"]} == {
                "OPConsultation": 0,
                "Prescription": 1,
                "WellnessRecord": 0,
            }
            assert shown["unfinished"] == ["Prescription"]
            assert [(job["hiType"], job["state"], job["attempts"]) for job in shown["jobs"]] == [
                ("OPConsultation", "valid", 1),
                ("Prescription", "invalid", 1),
                ("WellnessRecord", "valid", 1),
            ]
            assert prescription(shown)["servedVersion"] is None
            [row] = (await service.http.get("/v1/visits", headers=KEY)).json()
            assert row == shown

    asyncio.run(story())


def test_a_corrected_record_is_built_anew_and_valid():
    async def story() -> None:
        async with edge(composer=FaultyComposer(untitled_unless_routed)) as service:
            wrong = await handed_over(service, UNROUTED)
            right = await handed_over(service, RECORD)
            worse = await handed_over(service, UNROUTED)
            counts = [
                (prescription(one)["errors"], prescription(one)["servedVersion"]) for one in (wrong, right, worse)
            ]
            assert counts == [(1, None), (0, 2), (1, 2)]
            assert right["invalid"] == []

    asyncio.run(story())


def test_a_rebuild_is_built_by_the_worker_and_seen_over_http():
    async def story() -> None:
        composer = FaultyComposer(untitled_prescriptions)
        async with edge(composer=composer) as service:
            await handed_over(service, RECORD)
            composer.fault = None
            rebuild = RebuildVisit(service.adapters.units(), service.adapters.clock())
            await rebuild(HIP, VisitCode("88120"), actor="test")
            shown = await built(service, 2)
            assert (shown["version"], shown["invalid"], shown["errors"]) == (2, [], 0)

    asyncio.run(story())


def test_an_operator_reads_the_stored_issues_without_what_the_document_says():
    async def story() -> None:
        async with edge(composer=FaultyComposer(untitled_prescriptions)) as service:
            await handed_over(service, RECORD)
            units, bundles = service.adapters.units(), service.adapters.bundles()
            held = await found(BUNDLES, units, bundles, [HipId("IN0410000999"), HIP], "88120/Prescription")
            assert held is not None
            hip_id, shown = held
            assert (hip_id, shown["valid"], shown["errors"], shown["servedVersion"]) == (HIP, False, 1, None)
            [error] = [issue for issue in shown["issues"] if issue["severity"] == "error"]
            assert (error["rule"], error["path"]) == ("min", PATH)
            assert error["fix"]
            assert all("found" not in issue for issue in shown["issues"])
            rows = await listed(BUNDLES, units, bundles, [Listing(hip_id=HIP)])
            assert {row["hiType"]: row["errors"] for row in rows} == {
                "OPConsultation": 0,
                "Prescription": 1,
                "WellnessRecord": 0,
            }
            assert await found(BUNDLES, units, bundles, [HIP], "88120/Invoice") is None

    asyncio.run(story())


def test_while_the_documents_are_away_the_rest_is_shown_without_issues():
    async def story() -> None:
        async with edge(composer=FaultyComposer(untitled_prescriptions)) as service:
            shown = await handed_over(service, RECORD)
            units, bundles = service.adapters.units(), service.adapters.bundles()
            bundles.down = True
            response = await service.http.get("/v1/visits/88120", headers=KEY)
            assert response.status_code == 200
            assert response.json()["errors"] is None
            assert response.json()["invalid"] == shown["invalid"] == ["Prescription"]
            [row] = await listed(VISITS, units, bundles, [Listing(hip_id=HIP)])
            assert [bundle["errors"] for bundle in row["bundles"]] == [0, None, 0]
            held = await found(BUNDLES, units, bundles, [HIP], "88120/Prescription")
            assert held is not None
            assert (held[1]["valid"], held[1]["errors"], held[1]["issues"]) == (False, None, None)

    asyncio.run(story())
