"""The first fault test: workers are killed in the middle of transfers, and no transfer notices."""

import asyncio
import os
import random
from pathlib import Path

import pytest
from tests.servers import quick_disk

from hip.entrypoints.demo.examples import Example, example_profiles, example_visits
from hip.entrypoints.demo.processes import descendants, kill
from hip.entrypoints.demo.stages import HIP_ID, Stage, server_stage
from hip.entrypoints.embedded.places import fresh_folder

FATIMA, ADDRESS = ("87502", "88170"), "fatima.s90@sbx"
TYPES = ["OPConsultation", "Prescription"]
SCALE = 0.01
LONGEST = 0.9  # seconds after the request within which a kill may fall; a transfer takes about half of it


class Killing:
    """Two workers, one of which is killed now and then: with its work-horse, without it, or the horse alone."""

    def __init__(self, stage: Stage, seed: int) -> None:
        assert stage.service is not None
        self.service = stage.service
        self.chance = random.Random(seed)
        self.kills = 0
        self.environment = self.service.environment_of("worker")
        self._start("worker-2")

    def _start(self, name: str) -> None:
        self.service.start(name, "worker", module="hip.entrypoints.cli.main", environment=self.environment)

    async def strike(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, LONGEST))
        name = self.chance.choice(["worker", "worker-2"])
        process = self.service.processes[name]
        match self.chance.choice(["family", "worker", "horse"]):
            case "family":
                process.kill_family()
            case "worker":
                process.kill()
            case "horse":
                for pid in descendants(process.pid):
                    kill(pid)
        self.kills += 1
        if not process.running:
            process.stop()
            self._start(name)


async def _linked(stage: Stage) -> dict[str, dict[str, str]]:
    visits: list[Example] = [e for e in example_visits() if e.record.visit_code in FATIMA]
    for profile in example_profiles():
        await stage.control.register_patient(profile)
    await stage.register_bridge()
    for visit in visits:
        assert (await stage.hmis.post("/v1/visits", content=visit.content)).status_code == 202
    await stage.control.wait_for_links(ADDRESS, FATIMA)
    hashes: dict[str, dict[str, str]] = {}
    for code in FATIMA:
        shown = (await stage.hmis.get(f"/v1/visits/{code}")).json()
        hashes[code] = {bundle["hiType"]: bundle["sha256"] for bundle in shown["bundles"] if bundle["hiType"] in TYPES}
    return hashes


async def _story(folder: Path, *, transfers: int, seed: int) -> None:
    async with server_stage(folder, wait_scale=SCALE, report=lambda _: None) as stage:
        hashes = await _linked(stage)
        case = await stage.control.start_consent(ADDRESS, TYPES, hipId=HIP_ID)
        assert case.consent_request_id is not None
        granted = await stage.control.grant(case.consent_request_id)
        [consent_id] = granted.artefacts
        await stage.control.wait_for_acknowledgement(consent_id)
        await stage.control.wait_for_requests(case, 1)
        killing = Killing(stage, seed)
        asked = [(await stage.control.case(case.id)).transfers[0]]
        while len(asked) <= transfers:
            asked.append(await stage.control.request_data(consent_id))
            await killing.strike()
        assert killing.kills == transfers
        for one in asked:
            assert one.transaction_id is not None
            await _ended_well(stage, one.transaction_id, hashes, kills=killing.kills)


async def _ended_well(stage: Stage, transaction: str, hashes: dict[str, dict[str, str]], *, kills: int) -> None:
    async def book() -> dict[str, object]:
        shown: dict[str, object] = (await stage.hmis.get(f"/v1/transfers/{transaction}")).json()
        return shown

    ended = await stage.control.until(f"the end of {transaction}", book, lambda seen: seen.get("state") == "done")
    assert ended["outcome"] == "TRANSFERRED", ended
    notifies = await stage.control.notifies(transaction)
    assert 1 <= len(notifies) <= 1 + kills
    assert {notify.session_status for notify in notifies} == {"TRANSFERRED"}
    assert all(notify.outcomes == dict.fromkeys(hashes, "DELIVERED") for notify in notifies)
    records = await stage.control.opened_records(transaction)
    assert [record.problem for record in records if record.problem] == []
    received = {(record.care_context_reference, record.sha256) for record in records}
    assert received == {(code, sha) for code, types in hashes.items() for sha in types.values()}


def _run(*, transfers: int) -> None:
    seed = int(os.environ.get("HIP_SOAK_SEED", "1"))
    with fresh_folder(inside=quick_disk()) as folder:
        asyncio.run(_story(folder, transfers=transfers, seed=seed))


@pytest.mark.timeout(280)
def test_a_worker_killed_at_twenty_points_of_transfers_loses_and_contradicts_nothing():
    _run(transfers=20)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_worker_killed_at_a_hundred_points_of_transfers_loses_and_contradicts_nothing():
    _run(transfers=100)
