"""Each flow, and each way a gateway or a requester misbehaves, against the service over real HTTP (contract §7.2).

The service runs in memory mode, a process of its own; `test_scenarios_on_servers` plays the same on real servers.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conversations import Conversations, End
from tests.e2e.loopback import memory_loopback
from tests.e2e.town import DIFFICULT, LINKED, MET, WELL, Town, numbers
from tests.e2e.townsfolk import Person

from hip.entrypoints.demo.stages import HIP_ID
from hip.entrypoints.sandbox.gateway.refusals import ROTATION
from hip.entrypoints.sandbox.gateway.scenarios import SCENARIOS
from hip.entrypoints.sandbox.hiu.config import FAULTS


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with tempfile.TemporaryDirectory() as folder:
        town = Town(memory_loopback(Path(folder)))
        yield town
        town.close()


@pytest.mark.parametrize("flow", WELL)
def test_a_conversation_without_incident_ends_well(town: Town, flow: str) -> None:
    assert town.play(flow) == WELL[flow]


def test_every_scenario_is_met_by_some_flow() -> None:
    assert set(MET) == set(SCENARIOS)
    assert set(DIFFICULT) == set(FAULTS)


@pytest.mark.parametrize("scenario", MET)
def test_a_scenario_of_the_gateway_ends_as_the_contract_wants(town: Town, scenario: str) -> None:
    flow, end, more = MET[scenario]
    assert town.play(flow, scenario, **more) == end


@pytest.mark.parametrize("fault", [fault for fault in DIFFICULT if fault != "silent"])
def test_a_difficult_requester_gets_its_records_or_a_truthful_notify(town: Town, fault: str) -> None:
    """PUSH-08: the gateway is told what came of it, whatever the requester does."""
    assert town.play("transfer", "", fault).state == DIFFICULT[fault]


def test_a_refusal_is_understood_in_each_of_its_shapes(town: Town) -> None:
    """Contract §1.10: the code is found wherever it stands and acted upon; the one shape without a code is no 1092."""

    async def story() -> list[tuple[End, str]]:
        await town.settle("error-shapes")
        ends: list[tuple[End, str]] = []
        known: set[str] = set()
        for _ in ROTATION:
            known |= {one["id"] for one in await exchanges(town)}
            await town.stage.control.scenario("duplicate-token-request", times=1)
            end = await Conversations(town.stage).link(Person(next(numbers)))
            [refusal] = {
                one["firstRefusal"] for one in await exchanges(town) if one["id"] not in known and one["firstRefusal"]
            }
            ends.append((end, refusal))
        return ends

    understood, bare = (LINKED, "ABDM-1092"), (End("link", "refused", "400"), "400")
    assert sorted(town.run(story()), key=str) == sorted([understood] * (len(ROTATION) - 1) + [bare], key=str)


async def exchanges(town: Town) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = (await town.stage.hmis.get("/v1/exchanges?limit=1000")).json()
    return shown


def test_what_was_just_linked_is_fetched_by_the_patients_app_and_arrives(town: Town) -> None:
    """Contract §2.3: within seconds of the link a PATRQT consent and a request come, and the record is ready."""

    async def story() -> None:
        await town.settle("self-fetch")
        person, control = Person(next(numbers)), town.stage.control
        assert await Conversations(town.stage).link(person) == LINKED
        [consent] = await control.until("the app's own consent", lambda: control.consents(person.address), bool)
        transfer = await control.wait_for_transfer_at(consent.id)
        assert (await control.wait_for_notify(transfer.transaction_id)).session_status == "TRANSFERRED"

    town.run(story())


def test_push_08_a_requester_that_never_answers_is_told_of_as_failed_when_its_consent_ends(town: Town) -> None:
    """It may hold what it never acknowledged, but nobody knows: the notify does not say TRANSFERRED."""

    async def story() -> None:
        await town.settle("", "silent")
        person, control = Person(next(numbers)), town.stage.control
        assert await Conversations(town.stage).link(person) == LINKED
        case = await control.start_consent(person.address, ["Prescription"], hipId=HIP_ID)
        await control.grant(case.consent_request_id or "")
        case = await control.wait_for_requests(case, 1)
        transaction = case.transfers[0].transaction_id or ""

        async def pushed() -> int:
            seen = await control.http.get(f"{control.hiu_url}/sandbox/transfers/{transaction}")
            return int(seen.json()["pages"])

        await control.until("a push that nobody answers", pushed, bool)
        assert not await control.notifies(transaction)
        await control.revoke(case.artefacts[0])
        assert (await control.wait_for_notify(transaction)).session_status == "FAILED"
        shown = (await town.stage.hmis.get(f"/v1/transfers/{transaction}")).json()
        assert (shown["state"], shown["outcome"]) == ("done", "FAILED")

    town.run(story())
