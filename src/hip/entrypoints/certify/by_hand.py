"""A running deployment and the real sandbox: a person acts in a patient's app, step by step, and our API is watched.

Each step that is done is written down, so a run that was broken off goes on where it was.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec

from hip.application.ports import Clock
from hip.domain.errors import InvalidValue, Transient
from hip.entrypoints.certify.catalogue import Case, HandStep
from hip.entrypoints.certify.evidence import Evidence
from hip.entrypoints.certify.running import Failure, Result
from hip.entrypoints.certify.scene import Json, Shown

LOOK_EVERY = 2.0
"""Seconds between two looks at our API: an app and its patient take their time."""

MOST = 1000
"""Rows of a list that are looked at, the newest."""


class Asker(Protocol):
    """Whoever talks to the person."""

    async def announce(self, case: Case, ask: str, seconds: float) -> None:
        """Ask for something that is seen by itself once it is done."""

    async def answered(self, case: Case, ask: str, seconds: float) -> str:
        """Ask for something only a person sees: ``yes``, ``no``, or ``later`` when nothing was said in time."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was done: when, and what was seen."""

    at: str
    seen: str
    consents: tuple[str, ...] = ()
    exchanges: tuple[Json, ...] = ()


class State(msgspec.Struct, kw_only=True):
    """What was done so far against one deployment; a step is named by its case and its number from 1."""

    against: str
    done: dict[str, Done] = {}


def read_state(path: Path, *, against: str) -> State:
    """The state of an earlier run, or a new one. Raises InvalidValue for a file of something else."""
    if not path.exists():
        return State(against=against)
    try:
        state = msgspec.json.decode(path.read_bytes(), type=State)
    except msgspec.MsgspecError:
        raise InvalidValue("--state", f"the state of an earlier run in {path}") from None
    if state.against != against:
        raise InvalidValue("--state", f"the state of a run against {against}, not {state.against}")
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """What a look at our API found: rows by key, and those whose state is the one that is waited for."""

    rows: Mapping[str, str]
    good: Mapping[str, str]
    of_old: bool = False
    """Only what was there before counts."""

    def new_since(self, before: "_Sight") -> list[str]:
        """What is good and was not, or has changed."""
        changed = [key for key in self.good if before.rows.get(key) != self.rows[key]]
        return [f"{key} {self.good[key]}" for key in changed if key in before.rows or not self.of_old]


@dataclass
class HandRun:
    """``hmis`` reaches the deployment and carries its API key. ``seconds`` is how long each step may take."""

    hmis: httpx.AsyncClient
    asker: Asker
    state: State
    keep: Callable[[State], None]
    clock: Clock
    tell: Callable[[Result], None]
    seconds: float = 600.0
    look_every: float = LOOK_EVERY
    _results: list[Result] = field(default_factory=list)

    async def play(self, cases: Sequence[Case]) -> list[Result]:
        """Every case in order; one whose step is not done in time fails, and the next run asks for it again."""
        for case in cases:
            result = await self._one(case) if case.play else Result(case=case)
            self._results.append(result)
            self.tell(result)
        return self._results

    async def _one(self, case: Case) -> Result:
        shown: list[Shown] = []
        consents: list[str] = []
        exchanges: list[Json] = []
        failure = None
        for number, step in enumerate(case.by_hand, 1):
            name = f"{case.key}#{number}"
            done = self.state.done.get(name)
            if done is None:
                done, failure = await self._step(case, step)
            if done is None:
                break
            self.state.done[name] = done
            self.keep(self.state)
            shown.append(Shown(step=step.ask, result=done.seen))
            consents += done.consents
            exchanges += done.exchanges
        evidence = Evidence(
            decisions=tuple([line for one in dict.fromkeys(consents) for line in await self._decisions(one)]),
            exchanges=tuple(exchanges),
        )
        return Result(case=case, shown=tuple(shown), failure=failure, evidence=evidence)

    async def _step(self, case: Case, step: HandStep) -> tuple[Done | None, Failure | None]:
        began = await self._exchanges()
        if not step.watch:
            answer = await self.asker.answered(case, step.ask, self.seconds)
            if answer != "yes":
                said = "nobody answered" if answer == "later" else "the person says it did not happen"
                return None, Failure(rule=case.id, seen=said, look="the patient's app")
            return await self._done("confirmed by the person", began), None
        look = self._watch(case, step.watch)
        before = await look()
        await self.asker.announce(case, step.ask, self.seconds)
        seen: list[str] = []
        try:
            async with asyncio.timeout(self.seconds):
                while not seen:
                    await asyncio.sleep(self.look_every)
                    seen = (await look()).new_since(before)
        except TimeoutError:
            kind, _, state = step.watch.partition(":")
            missing = f"no {kind} became {state} within {self.seconds:g} s"
            return None, Failure(rule=case.id, seen=missing, look=f"hip {kind}s list")
        consents = tuple(one.partition(" ")[0] for one in seen) if step.watch.startswith("consent") else ()
        return await self._done(f"seen: {', '.join(seen)}", began, consents), None

    async def _done(self, seen: str, began: dict[str, Json], consents: tuple[str, ...] = ()) -> Done:
        now = await self._exchanges()
        new = tuple(one for key, one in now.items() if began.get(key) != one)
        at = self.clock().isoformat(timespec="seconds").replace("+00:00", "Z")
        return Done(at=at, seen=seen, consents=consents, exchanges=new)

    def _watch(self, case: Case, watch: str) -> Callable[[], Awaitable[_Sight]]:
        kind, _, wanted = watch.partition(":")
        if kind == "bundle":
            return lambda: self._documents(case.part)
        if wanted == "gone":
            return lambda: self._rows("visits", "visitCode", lambda row: "linked" if row["linked"] else "gone", "gone")
        path, key, status = {
            "link": ("links", "visitCode", "status"),
            "consent": ("consents", "consentId", "status"),
            "transfer": ("transfers", "transactionId", "outcome"),
        }[kind]
        return lambda: self._rows(path, key, lambda row: str(row[status]), wanted)

    async def _rows(self, path: str, key: str, said: Callable[[Json], str], wanted: str) -> _Sight:
        rows = {str(row[key]): row for row in await self._get(f"/v1/{path}?limit={MOST}")}
        good = {name: said(row) for name, row in rows.items() if said(row) == wanted}
        spelt = {name: json.dumps(row, sort_keys=True) for name, row in rows.items()}
        return _Sight(rows=spelt, good=good, of_old=wanted == "gone")

    async def _documents(self, hi_type: str) -> _Sight:
        rows: dict[str, str] = {}
        for visit in await self._get(f"/v1/visits?limit={MOST}"):
            for bundle in visit["bundles"]:
                if bundle["hiType"] == hi_type and bundle["valid"]:
                    rows[f"{visit['visitCode']}|{hi_type}"] = f"valid, version {bundle['version']}"
        return _Sight(rows=rows, good=rows)

    async def _exchanges(self) -> dict[str, Json]:
        kept = ("flow", "outcome", "firstRefusal", "openedAt", "attempts")
        rows = await self._get(f"/v1/exchanges?limit={MOST}")
        return {row["id"]: {name: row[name] for name in kept} for row in rows}

    async def _decisions(self, consent_id: str) -> list[Json]:
        shown = await self._get(f"/v1/consents/{consent_id}")
        lines = shown.get("decisions", []) if isinstance(shown, dict) else []
        return [{name: value for name, value in line.items() if name != "warned"} for line in reversed(lines)]

    async def _get(self, path: str) -> Any:
        try:
            response = await self.hmis.get(path)
        except httpx.HTTPError as fault:
            raise Transient(f"{self.state.against}: {type(fault).__name__}") from None
        if response.status_code in (401, 403):
            raise InvalidValue("HIP_CERTIFY_KEY", "a key of this deployment's API")
        if not response.is_success:
            raise Transient(f"{self.state.against}: HTTP {response.status_code}")
        return response.json()
