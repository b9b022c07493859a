"""Each flow, and each way a gateway or a requester misbehaves, against the service over real HTTP (contract §7.2).

The service runs in memory mode, a process of its own; `test_conversations_soak` plays the same on real servers.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.e2e.conversations import Conversations, End
from tests.e2e.loopback import memory_loopback
from tests.e2e.townsfolk import Person

from hip.entrypoints.demo.stages import Stage
from hip.entrypoints.sandbox.gateway.scenarios import SCENARIOS
from hip.entrypoints.sandbox.hiu.config import FAULTS

LINKED, SENT = End("link", "linked"), End("transfer", "TRANSFERRED", "1 bundle sent")
numbers = count(1)


class Town:
    """One stage for the whole module, and the loop it lives on."""

    def __init__(self, folder: Path) -> None:
        self.runner = asyncio.Runner()
        self.opened = memory_loopback(folder)
        self.stage: Stage = self.runner.run(self.opened.__aenter__())

    def close(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    def play(self, flow: str, scenario: str = "", *faults: str, **more: object) -> End:
        """One conversation of a new person while the scenario is on."""
        return self.runner.run(self._play(flow, scenario, faults, more))

    async def _play(self, flow: str, scenario: str, faults: tuple[str, ...], more: dict[str, object]) -> End:
        control = self.stage.control
        await control.no_scenarios()
        await control.hiu_faults(*faults)
        if scenario:
            await control.scenario(scenario, **more)
        end: End = await getattr(Conversations(self.stage, unreadable=bool(faults)), flow)(Person(next(numbers)))
        assert end.explained, end
        return end


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with tempfile.TemporaryDirectory() as folder:
        town = Town(Path(folder))
        yield town
        town.close()


WELL = {
    "link": LINKED,
    "sms": End("sms", "sms-sent"),
    "find": End("find", "linked"),
    "transfer": SENT,
    "revoke": End("revoke", "revoked"),
    "close": End("close", "closed"),
    "announce": End("announce", "announced"),
    "share": End("share", "shared"),
}


@pytest.mark.parametrize("flow", WELL)
def test_a_conversation_without_incident_ends_well(town: Town, flow: str) -> None:
    assert town.play(flow) == WELL[flow]


# Scenario → flow that meets it, what it comes to, and its options.
MET: dict[str, tuple[str, End, dict[str, object]]] = {
    "callback-before-reply": ("link", LINKED, {}),
    "duplicate-callbacks": ("transfer", SENT, {}),
    "repeated-business": ("find", WELL["find"], {}),
    "null-request-ids": ("transfer", SENT, {}),
    "empty-request-ids": ("find", WELL["find"], {}),
    "null-unverified": ("find", WELL["find"], {}),
    "hiu-header-on-confirm": ("find", WELL["find"], {}),
    "numeric-otp": ("find", WELL["find"], {}),
    "wrong-otp": ("find", WELL["find"], {}),
    "bare-revocation": ("revoke", WELL["revoke"], {}),
    "artefact-without-hiu": ("transfer", SENT, {}),
    "array-date-range": ("transfer", SENT, {}),
    "zoneless-timestamps": ("transfer", SENT, {}),
    "skewed-clock": ("link", LINKED, {}),
    "once-503": ("link", LINKED, {}),
    "once-429": ("link", LINKED, {}),
    "once-401": ("link", LINKED, {}),
    "error-shapes": ("link", LINKED, {}),
    "duplicate-token-request": ("link", LINKED, {"times": 1}),  # asked again once the window is over
    "token-blocked": ("link", End("link", "refused", "ABDM-1027"), {}),
    "early-notify": ("announce", End("announce", "announced", "ABDM-1006"), {"times": 1}),
    "slow": ("link", LINKED, {}),
    "slow-callbacks": ("link", LINKED, {}),
    "silent": ("link", End("link", "unanswered", "no-answer"), {"paths": ["on-generate-token"]}),
    "silent-calls": ("link", LINKED, {"paths": ["link/carecontext"], "times": 1}),
    "unchecked-requests": ("transfer", SENT, {}),
    "self-fetch": ("link", LINKED, {}),
}


def test_every_scenario_is_met_by_some_flow() -> None:
    assert set(MET) == set(SCENARIOS)
    assert set(DIFFICULT) == set(FAULTS)


@pytest.mark.parametrize("scenario", MET)
def test_a_scenario_of_the_gateway_ends_as_the_contract_wants(town: Town, scenario: str) -> None:
    flow, end, more = MET[scenario]
    assert town.play(flow, scenario, **more) == end


DIFFICULT = {
    **dict.fromkeys(FAULTS, "TRANSFERRED"),
    "always-400": "FAILED",
    "needs-authorization": "FAILED",
}


@pytest.mark.parametrize("fault", [fault for fault in DIFFICULT if fault != "silent"])
def test_a_difficult_requester_gets_its_records_or_a_truthful_notify(town: Town, fault: str) -> None:
    """PUSH-08: the gateway is told what came of it, whatever the requester does."""
    assert town.play("transfer", "", fault).state == DIFFICULT[fault]
