"""Plays cases and their twins: side by side where they are independent, one after the other where they are not."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import httpx

from hip.application.ports import Clock
from hip.domain.errors import HipError
from hip.entrypoints.certify.catalogue import Case, Twin, cases
from hip.entrypoints.certify.evidence import Evidence, gathered
from hip.entrypoints.certify.repertory import PLAYS
from hip.entrypoints.certify.scene import NotHeld, Scene, Shown
from hip.entrypoints.certify.townsfolk import Person
from hip.entrypoints.demo.stages import Stage
from hip.entrypoints.sandbox.control_line import NeverHappened, Refused

SIDE_BY_SIDE = 8
"""Cases under way at a time in one process; real processes share the machine, and get fewer."""

ROOM = 100
"""Numbers of people that each case, and each twin, has for itself: so a run of some cases has the people of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Which rule did not hold, what was seen, where to look. ``late``: what was awaited did not come."""

    rule: str
    seen: str
    look: str
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinResult:
    """A twin is right when it fails, and where it was meant to."""

    twin: Twin
    failure: Failure | None

    @property
    def right(self) -> bool:
        fault = self.failure
        return fault is not None and (fault.rule, fault.late) == (self.twin.fails, self.twin.never)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one case. ``seconds`` is wall time, twins included."""

    case: Case
    shown: tuple[Shown, ...] = ()
    failure: Failure | None = None
    twins: tuple[TwinResult, ...] = ()
    evidence: Evidence = field(default_factory=Evidence)
    seconds: float = 0.0

    @property
    def played(self) -> bool:
        """A replaced case is reported, never played."""
        return bool(self.case.play)

    @property
    def held(self) -> bool:
        """The case held, and each twin failed as it must."""
        return self.failure is None and all(twin.right for twin in self.twins)

    @property
    def word(self) -> str:
        """``held``, ``FAILED``, or ``replaced``."""
        return ("held" if self.held else "FAILED") if self.played else "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where cases are played: ``stage`` for all, and for those that must be alone ``apart``: a stage of their own."""

    stage: Stage
    clock: Clock
    apart: Callable[[], AbstractAsyncContextManager["Ground"]] | None = None
    side_by_side: int = SIDE_BY_SIDE


@dataclass
class Run:
    """One run over ``cases``; ``tell`` hears each result as it comes. ``twins`` False plays the cases alone."""

    cases: Sequence[Case]
    seed: int
    tell: Callable[[Result], None]
    twins: bool = True
    evidence: bool = True
    results: dict[str, Result] = field(default_factory=dict)

    async def play(self, ground: Ground) -> list[Result]:
        """Every result, in the order of the cases."""
        places = asyncio.Semaphore(ground.side_by_side)
        together = [case for case in self.cases if not case.alone or ground.apart is not None]
        async with asyncio.TaskGroup() as group:
            for case in together:
                group.create_task(self._one(case, ground, places))
        for case in self.cases:
            if case.key not in self.results:
                await self._one(case, ground, places)
        return [self.results[case.key] for case in self.cases]

    async def _one(self, case: Case, ground: Ground, places: asyncio.Semaphore) -> None:
        if not case.play:
            self._ended(Result(case=case))
            return
        async with places:
            began = time.perf_counter()
            number = (cases().index(case) + 1) * ROOM
            failure, scene, evidence = await self._played(case, None, ground, number)
            twins = [
                TwinResult(
                    twin=twin, failure=(await self._played(case, twin, ground, number + ROOM // 2 + offset * 10))[0]
                )
                for offset, twin in enumerate(case.twins if self.twins else ())
            ]
        self._ended(
            Result(
                case=case,
                shown=tuple(scene.shown),
                failure=failure,
                twins=tuple(twins),
                evidence=evidence,
                seconds=time.perf_counter() - began,
            )
        )

    def _ended(self, result: Result) -> None:
        self.results[result.case.key] = result
        self.tell(result)

    async def _played(
        self, case: Case, twin: Twin | None, ground: Ground, number: int
    ) -> tuple[Failure | None, Scene, Evidence]:
        people = count(number)
        async with _ground_of(case, ground) as own:
            scene = Scene(
                stage=own.stage,
                case=case,
                people=lambda: Person(next(people), self.seed),
                clock=own.clock,
                twin=twin,
            )
            failure = await outcome(scene)
            evidence = Evidence()
            if twin is None and self.evidence:
                evidence = await gathered(scene)
        return failure, scene, evidence


async def outcome(scene: Scene) -> Failure | None:
    """Play the case of a scene; None when it holds."""
    try:
        await PLAYS[scene.case.play](scene)
    except NotHeld as fault:
        return Failure(rule=fault.rule or scene.case.id, seen=fault.seen, look=fault.look)
    except (NeverHappened, Refused, HipError, httpx.HTTPError, KeyError, ValueError, IndexError) as fault:
        return Failure(
            rule=scene.rule or scene.case.id, seen=_brief(fault), look=scene.look, late=isinstance(fault, NeverHappened)
        )
    return None


def _brief(fault: Exception) -> str:
    """Without the state last seen, which may hold a person's data."""
    if isinstance(fault, Refused):
        return f"a call of the sandbox was answered {fault.status}"
    text = str(fault).partition("; last seen")[0]
    return f"{type(fault).__name__}: {text}"[:300]


@asynccontextmanager
async def _ground_of(case: Case, ground: Ground) -> AsyncGenerator[Ground]:
    if not case.alone or ground.apart is None:
        yield ground
        return
    async with ground.apart() as own:
        yield own
