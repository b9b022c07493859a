"""The pipeline under SIGKILL, flushes and restarts: every visit gets exactly its documents, and nobody is told twice.

Repeatable by HIP_SOAK_SEED as far as real processes are: which process is struck, and when.
"""

import asyncio
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.builders.visits import a_visit
from tests.e2e.fleet import fleet
from tests.e2e.outcome import FACILITY, HIP, Outcome, Wanted, outcome_of, shaken
from tests.servers import quick_disk

from hip.adapters.clock import system_clock
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.intake import ReceiveVisit
from hip.domain.errors import Transient
from hip.domain.identifiers import PatientReference, VisitCode
from hip.domain.visits import VisitRecord
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.facilities import ConfiguredFacilities

SEED = int(os.environ.get("HIP_SOAK_SEED", "1"))
WITH_PHONE, LATE = 2, 10
"""Every second patient can be told by SMS; every tenth visit comes again with late results."""


def phone(number: int) -> str | None:
    return f"9{number:09}" if number % WITH_PHONE == 0 else None


def visit(number: int, *, late: bool = False) -> VisitRecord:
    patient = replace(
        a_visit().patient,
        reference=PatientReference(f"P-{number}"),
        abha_address=None,
        abha_number=None,
        phone=phone(number),
    )
    record = a_visit(hip_id=HIP, visit_code=VisitCode(f"V-{number}"), patient=patient)
    # Late results change what is known of the visit, not which documents it has.
    return replace(record, medications=record.medications * 2) if late else record


@dataclass
class Hospital:
    """Hands visits over while everything shakes; whoever hands over tries again, for the intake repeats harmlessly."""

    outcome: Outcome
    count: int

    @property
    def wanted(self) -> list[Wanted]:
        late = [number % LATE == 0 and number + 5 < self.count for number in range(self.count)]
        return [Wanted(visit(n, late=again), version=2 if again else 1) for n, again in enumerate(late)]

    async def hand_over(self, *, seconds: float) -> None:
        units, facilities = self.outcome.database.unit, ConfiguredFacilities((FACILITY,))
        receive = ReceiveVisit(units, JsonVisitRecords(), facilities, system_clock)
        pause = seconds / self.count
        for number in range(self.count):
            await self._taken(receive, visit(number))
            earlier = number - 5
            if earlier >= 0 and earlier % LATE == 0:
                await self._taken(receive, visit(earlier, late=True))
            await asyncio.sleep(pause)

    async def _taken(self, receive: ReceiveVisit, record: VisitRecord) -> None:
        while True:
            try:
                await receive(JsonVisitRecords().write(record), actor="test")
            except Transient:
                await asyncio.sleep(0.2)
            else:
                return


async def _story(folder: Path, *, visits: int, over: float, every: tuple[float, float], scale: float) -> None:
    events = ["flush_redis", "restart_postgres", "restart_mongo", "flush_redis"]
    context = fleet(folder, seed=SEED, wait_scale=scale)
    running = await asyncio.to_thread(context.__enter__)
    try:
        async with outcome_of(running) as outcome:
            held = Hospital(outcome, visits)
            running.start(relays=2, workers=3)
            handing = asyncio.create_task(held.hand_over(seconds=over))
            await shaken(running, handing, every, events)
            await outcome.drained(running, within=300)
            await outcome.judge(running, held.wanted)
            assert running.kills > 3
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


async def _small(folder: Path) -> None:
    context = fleet(folder, seed=SEED, wait_scale=0.02)
    running = await asyncio.to_thread(context.__enter__)
    try:
        async with outcome_of(running) as outcome:
            held = Hospital(outcome, 60)
            running.start(relays=1, workers=2)
            handing = asyncio.create_task(held.hand_over(seconds=3))
            for strike in ("kill_one", "flush_redis", "kill_one", "stop_one_worker"):
                await asyncio.sleep(running.chance.uniform(0.5, 1.5))
                await asyncio.to_thread(getattr(running, strike))
            await handing
            await outcome.drained(running, within=120)
            await outcome.judge(running, held.wanted)
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@pytest.mark.timeout(200)
def test_kills_a_flush_and_a_stop_lose_no_document_and_tell_nobody_twice():
    with fresh_folder(inside=quick_disk()) as folder:
        asyncio.run(_small(folder))


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_two_thousand_visits_survive_kills_flushes_and_restarts():
    with fresh_folder(inside=quick_disk()) as folder:
        asyncio.run(_story(folder, visits=2000, over=240, every=(2, 4), scale=0.1))
