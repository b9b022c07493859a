"""Ways the real gateway was seen to misbehave, each switched on by name (contract §7.2, item 5 and after)."""

from dataclasses import dataclass, field
from random import Random

import msgspec

SCENARIOS = {
    "callback-before-reply": "the callback arrives before the HTTP reply of the call that caused it",
    "duplicate-callbacks": "every callback comes twice, with the same REQUEST-ID",
    "repeated-business": "every callback comes twice, the second time with a new REQUEST-ID",
    "null-request-ids": "bodies carry requestId and timestamp, both null",
    "null-unverified": "unverifiedIdentifiers is null in discovery",
    "hiu-header-on-confirm": "link confirm names the facility in X-HIU-ID instead of X-HIP-ID",
    "numeric-otp": "the OTP of link confirm is a JSON number",
    "bare-revocation": "REVOKED and EXPIRED notices carry the consentId alone",
    "artefact-without-hiu": "the artefact a HIP gets names neither hiu nor requester",
    "array-date-range": "the dateRange of a data request is an array of one object",
    "zoneless-timestamps": "the gateway's times lack their Z",
    "skewed-clock": "callbacks carry a TIMESTAMP 15 minutes old",
    "once-503": "the first call to each path is answered 503",
    "once-429": "the first call to each path is answered 429",
    "once-401": "the first call to each path is answered 401 although the session is good",
    "error-shapes": "refusals come in five shapes in turn",
    "slow": "every reply takes 3 seconds more",
    "slow-callbacks": "every callback comes 5 seconds later",
    "silent": "calls are accepted and their callbacks never come",
    "silent-calls": "calls are read and never answered",
    "unchecked-requests": "data requests reach the HIP though the consent does not allow them",
    "self-fetch": "the patient's app fetches what was linked by itself",
}


class Switch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One scenario. It strikes calls whose path contains one of ``paths`` (all, when empty), each with ``chance`` drawn
    from ``seed``, at most ``times`` times (without limit when null)."""

    name: str
    on: bool = True
    paths: tuple[str, ...] = ()
    times: int | None = None
    chance: float = 1.0
    seed: int = 0


@dataclass(slots=True)
class _Running:
    switch: Switch
    random: Random
    struck: int = 0
    seen: set[str] = field(default_factory=set)


class UnknownScenario(ValueError):
    """No scenario has this name."""


class Scenarios:
    """The switches that are on."""

    def __init__(self, switches: tuple[Switch, ...] = ()) -> None:
        self._running: dict[str, _Running] = {}
        for switch in switches:
            self.set(switch)

    def set(self, switch: Switch) -> None:
        """Turn a scenario on, anew, or off. Raises UnknownScenario."""
        if switch.name not in SCENARIOS:
            raise UnknownScenario(f"{switch.name!r} is none of {', '.join(SCENARIOS)}")
        self._running.pop(switch.name, None)
        if switch.on:
            # Only repeatability matters here: a seed must give the same run again.
            self._running[switch.name] = _Running(switch, Random(switch.seed))  # noqa: S311

    def clear(self) -> None:
        """Turn everything off."""
        self._running.clear()

    def on(self) -> list[Switch]:
        """What is on."""
        return [running.switch for running in self._running.values()]

    def strikes(self, name: str, path: str = "") -> bool:
        """Whether the scenario happens to this call; asking counts as one draw."""
        running = self._running.get(name)
        if running is None or not _concerns(running.switch, path):
            return False
        if running.switch.times is not None and running.struck >= running.switch.times:
            return False
        if running.random.random() >= running.switch.chance:
            return False
        running.struck += 1
        return True

    def strikes_first(self, name: str, path: str) -> bool:
        """As ``strikes``, but only the first time for each path."""
        running = self._running.get(name)
        if running is None or path in running.seen:
            return False
        if not self.strikes(name, path):
            return False
        running.seen.add(path)
        return True


def _concerns(switch: Switch, path: str) -> bool:
    return not switch.paths or any(part in path for part in switch.paths)
