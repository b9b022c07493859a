"""Drives the sandbox from a test, the demo or a shell: the gateway, the patient and the requester in one hand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from hip.entrypoints.sandbox.gateway.scenarios import MIXED_PATHS, SCENARIOS
from hip.entrypoints.sandbox.gateway_control import GatewayControl
from hip.entrypoints.sandbox.hiu.config import MIXED_FAULTS
from hip.entrypoints.sandbox.patient_control import PatientControl
from hip.entrypoints.sandbox.requester_control import RequesterControl
from hip.entrypoints.sandbox.switches import at_random
from hip.entrypoints.sandbox.views import ConsentCase


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxControl(GatewayControl, PatientControl, RequesterControl):
    """Plays all three, and does what takes two of them."""

    async def everything_at_random(self, *, seed: int, chance: float, but: Collection[str] = ()) -> None:
        """Switch every scenario of the gateway and every fault of the requester on, ``but`` these, with ``chance``."""
        for base, known in ((self.gateway_url, SCENARIOS), (self.hiu_url, MIXED_FAULTS)):
            names = [name for name in known if name not in but]
            for switch in at_random(names, seed=seed, chance=chance, paths=MIXED_PATHS):
                await self.send("POST", base, "/scenarios", switch)

    async def no_scenarios(self) -> None:
        """Switch everything off, at the requester too."""
        await self.send("DELETE", self.gateway_url, "/scenarios")
        await self.send("DELETE", self.hiu_url, "/scenarios")

    async def consented(self, patient: str, hi_types: Sequence[str], **wish: Any) -> ConsentCase:
        """Ask, grant as asked, and wait until the HIU holds the artefacts and asked for their data."""
        case = await self.start_consent(patient, hi_types, **wish)
        if case.consent_request_id is None:
            return case
        granted = await self.grant(case.consent_request_id)
        return await self.wait_for_requests(case, len(granted.artefacts))
