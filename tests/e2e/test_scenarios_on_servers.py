"""The flows and the scenarios once more, on real servers with web, relay and worker as processes of their own."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from tests.e2e.conversations import Conversations, End
from tests.e2e.ledger import all_settled
from tests.e2e.loopback import PATIENCE
from tests.e2e.town import DIFFICULT, MET, WELL, Town, numbers
from tests.e2e.townsfolk import Person
from tests.servers import quick_disk

from hip.entrypoints.demo.stages import HIP_ID, server_stage
from hip.entrypoints.embedded.places import fresh_folder

SCALE = 0.02  # leases that outlast a busy machine's queue


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with fresh_folder(inside=quick_disk()) as folder:
        more = {"HIP_GATEWAY_TIMEOUT": PATIENCE, "HIP_PUSH_TIMEOUT": PATIENCE}
        options = ("--ack-patience", "20", "--keep-bodies")
        town = Town(
            server_stage(folder, wait_scale=SCALE, report=lambda _: None, settings=more, gateway_options=options)
        )
        town.run(town.stage.register_bridge())
        yield town
        town.close()


def test_every_flow_ends_well_on_real_servers_and_a_place_in_the_queue_survives_a_restart(town: Town) -> None:
    async def story() -> None:
        await town.settle()
        people = {flow: Person(next(numbers)) for flow in WELL}
        plays = (getattr(Conversations(town.stage), flow)(person) for flow, person in people.items())
        ends: list[End] = await asyncio.gather(*plays)
        assert dict(zip(WELL, ends, strict=True)) == WELL
        sharer, control = people["share"], town.stage.control
        [before] = (await town.stage.hmis.get("/v1/queue")).json()
        await asyncio.to_thread(_restarted, town)
        again = await control.share_profile(sharer.address, HIP_ID, sharer.counter)
        assert again.token_number == before["tokenNumber"]
        await all_settled(control)

    town.run(story())


def _restarted(town: Town) -> None:
    """SIGKILL to all of ours, and a start of each at the same place."""
    group = town.stage.service
    assert group is not None
    bind = httpx.URL(town.stage.addresses["hip"]).netloc.decode()
    names = ("serve", "relay", "worker")
    for name in names:
        group.processes[name].kill_family()
        group.processes[name].stop()
    for name in names:
        environment = {**group.environment_of(name), "HIP_BIND": bind}
        again = group.start(name, name, module="hip.entrypoints.cli.main", environment=environment)
        if name == "serve":
            again.address()


@pytest.mark.soak
@pytest.mark.parametrize("scenario", MET)
def test_a_scenario_of_the_gateway_ends_on_real_servers_as_in_memory(town: Town, scenario: str) -> None:
    flow, end, more = MET[scenario]
    assert town.play(flow, scenario, **more) == end


@pytest.mark.soak
@pytest.mark.parametrize("fault", [fault for fault in DIFFICULT if fault != "silent"])
def test_a_difficult_requester_is_served_on_real_servers_as_from_memory(town: Town, fault: str) -> None:
    assert town.play("transfer", "", fault).state == DIFFICULT[fault]
