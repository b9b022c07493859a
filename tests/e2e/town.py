"""What each flow comes to without incident and under each scenario, and a stage to play it on (contract §7.2)."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Any, TypeVar

from tests.e2e.conversations import Conversations, End
from tests.e2e.townsfolk import Person

from hip.entrypoints.demo.stages import Stage
from hip.entrypoints.sandbox.hiu.config import FAULTS

T = TypeVar("T")
LINKED, SENT = End("link", "linked"), End("transfer", "TRANSFERRED", "1 bundle sent")
numbers = count(1)


class Town:
    """One stage for the whole module, and the loop it lives on."""

    def __init__(self, opened: AbstractAsyncContextManager[Stage]) -> None:
        self.runner = asyncio.Runner()
        self.opened = opened
        self.stage: Stage = self.run(opened.__aenter__())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def close(self) -> None:
        self.runner.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    def play(self, flow: str, scenario: str = "", *faults: str, **more: object) -> End:
        """One conversation of a new person while the scenario is on."""
        return self.runner.run(self._play(flow, scenario, faults, more))

    async def settle(self, scenario: str = "", *faults: str, **more: object) -> None:
        """This scenario and these faults are on, and nothing else."""
        control = self.stage.control
        await control.no_scenarios()
        await control.hiu_faults(*faults)
        if scenario:
            await control.scenario(scenario, **more)

    async def _play(self, flow: str, scenario: str, faults: tuple[str, ...], more: dict[str, object]) -> End:
        await self.settle(scenario, *faults, **more)
        end: End = await getattr(Conversations(self.stage, unreadable=bool(faults)), flow)(Person(next(numbers)))
        assert end.explained, end
        return end


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

DIFFICULT = {
    **dict.fromkeys(FAULTS, "TRANSFERRED"),
    "always-400": "FAILED",
    "needs-authorization": "FAILED",
}
