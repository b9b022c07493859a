"""``hip certify --against``: the terminal of the person who acts in the patient's app."""

import asyncio
import select
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from hip.adapters.clock import system_clock
from hip.domain.errors import InvalidValue
from hip.entrypoints.certify.by_hand import HandRun, State, read_state
from hip.entrypoints.certify.catalogue import Case
from hip.entrypoints.certify.running import Result
from hip.entrypoints.cli.terminal import say

ANSWERS = {"y": "yes", "yes": "yes", "n": "no", "no": "no"}


class Terminal:
    """Questions on standard output, answers on standard input."""

    async def announce(self, case: Case, ask: str, seconds: float) -> None:
        """``Asker.announce``."""
        _ask(f"{case.key}: {ask}", f"watching for {seconds:g} s")

    async def answered(self, case: Case, ask: str, seconds: float) -> str:
        """``Asker.answered``; an answer that is none is asked for again."""
        _ask(f"{case.key}: {ask}", f"did it happen? y or n, within {seconds:g} s")
        return await asyncio.to_thread(_answer, seconds)


def _ask(what: str, how: str) -> None:
    say(f"\n{what}\n  {how}")
    sys.stdout.flush()


def _answer(seconds: float) -> str:
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        line = sys.stdin.readline() if ready else ""
        if not line:
            return "later"
        if line.strip().casefold() in ANSWERS:
            return ANSWERS[line.strip().casefold()]
        _ask("y or n", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """``against`` is the base URL of the deployment, ``state`` a file that is kept between runs."""

    against: str
    key: str
    seconds: float
    state: Path

    async def play(self, cases: Sequence[Case], tell: Callable[[Result], None]) -> list[Result]:
        """Every case. Raises InvalidValue for a bad address, Transient when the deployment does not answer."""
        if not self.against.startswith(("http://", "https://")):
            raise InvalidValue("--against", "the URL of a deployment")
        state = read_state(self.state, against=self.against)
        headers = {"X-API-Key": self.key}
        async with httpx.AsyncClient(base_url=self.against, headers=headers, trust_env=False, timeout=30) as hmis:
            run = HandRun(
                hmis=hmis,
                asker=Terminal(),
                state=state,
                keep=self._keep,
                clock=system_clock,
                tell=tell,
                seconds=self.seconds,
            )
            return await run.play(cases)

    def _keep(self, state: State) -> None:
        self.state.parent.mkdir(parents=True, exist_ok=True)
        beside = self.state.with_name(f"{self.state.name}.new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2))
        beside.replace(self.state)
