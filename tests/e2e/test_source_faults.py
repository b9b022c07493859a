"""From AMRIT's trigger table to the flag, by real processes: nothing lost, nothing doubled, no flag before its time.

Repeatable by HIP_SOAK_SEED as far as real processes are: which process is struck, and when.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy.exc import DBAPIError
from tests.e2e.amrit_hospital import AmritHospital, amrit_hospital
from tests.e2e.fleet import Fleet, fleet
from tests.e2e.outcome import outcome_of, shaken
from tests.servers import quick_disk

from hip.entrypoints.embedded.places import fresh_folder

T = TypeVar("T")
SEED = int(os.environ.get("HIP_SOAK_SEED", "1"))
FEW, MANY = 40, 2000
LATE = 10
"""One in so many visits has a laboratory result that comes when it is done."""


async def _until(what: str, reached: Callable[[], Awaitable[bool]], fleet: Fleet, *, within: float) -> None:
    deadline = time.monotonic() + within
    while not await reached():
        assert time.monotonic() < deadline, f"not within {within} s: {what}{fleet.tails()}"
        await asyncio.sleep(0.1)


async def _judge(running: Fleet, hospital: AmritHospital) -> None:
    """The books of both sides: every document of every visit, and in the trigger table what became of each row."""
    await hospital.outcome.judge(running, hospital.wanted())
    refused = hospital.refused()
    assert refused, "a sample without a visit that is refused"
    rows = {code: (bool(flag), reason) for code, flag, reason, _ in await hospital.rows()}
    assert len(rows) == len(hospital.held)
    assert {code: reason for code, (_, reason) in rows.items() if reason} == refused
    assert {code for code, (flag, _) in rows.items() if flag} == set(rows) - set(refused)
    assert await hospital.flagged_too_early() == []


async def _small(running: Fleet, hospital: AmritHospital) -> None:
    await hospital.enter(FEW, odd=4)
    running.start(sources=2, relays=1)
    wanted, refused = hospital.wanted(), hospital.refused()

    async def taken() -> bool:
        stored = await hospital.outcome.rows("SELECT count(*) FROM visits")
        return stored == [(len(wanted),)] and sum(bool(reason) for _, _, reason, _ in await hospital.rows()) == len(
            refused
        )

    await _until("every visit is stored or refused", taken, running, within=60)
    assert await hospital.closed() == set()  # there is no worker yet, so there is no bundle
    # One ends well and puts its rows back; the other has them long before their claims run out.
    assert await asyncio.to_thread(running.stop, "source-0") == 0
    running.start(workers=2)
    await _until("every flag is set", hospital.at_rest, running, within=90)
    assert await hospital.flagged_too_early() == []
    (late,) = hospital.some_closed(await hospital.closed(), random.Random(SEED), 1)
    await hospital.report_late(late)

    async def second_version() -> bool:
        stored = await hospital.outcome.rows("SELECT count(*) FROM visits WHERE version = 2")
        return stored == [(1,)] and await hospital.at_rest()

    await _until("the late result is in a new version", second_version, running, within=60)
    await hospital.outcome.drained(running, within=60)
    await _judge(running, hospital)
    assert await asyncio.to_thread(running.stop, "source-1") == 0


async def _ending(running: Fleet, hospital: AmritHospital, count: int, seconds: float) -> None:
    """Visits end, and results of some come late, while everything shakes."""
    chance = random.Random(SEED)
    step = 20
    for _ in range(count // step):
        await hospital.enter(step)
        for number in hospital.some_closed(await _patiently(hospital.closed), chance, step // LATE):
            await hospital.report_late(number)
        await asyncio.sleep(seconds * step / count)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """While PostgreSQL is restarted, it does not answer."""
    while True:
        try:
            return await ask()
        except (DBAPIError, OSError):
            await asyncio.sleep(0.2)


async def _watch(hospital: AmritHospital, looks: list[int]) -> None:
    while True:
        early = await _patiently(hospital.flagged_too_early)
        assert early == []
        looks.append(len(early))
        await asyncio.sleep(0.5)


async def _shaken(
    running: Fleet, hospital: AmritHospital, *, count: int, over: float, every: tuple[float, float]
) -> None:
    looks: list[int] = []
    events = ["flush_redis", "restart_postgres", "restart_mongo", "flush_redis"]
    watch = asyncio.create_task(_watch(hospital, looks))
    running.start(sources=2, relays=2, workers=3)
    ending = asyncio.create_task(_ending(running, hospital, count, over))
    await shaken(running, ending, every, events)
    deadline = time.monotonic() + 300
    while not await hospital.at_rest() or len(await _second_versions(hospital)) < len(hospital.late):
        assert not watch.done(), watch.result()
        assert time.monotonic() < deadline, f"{await hospital.rows()}{running.tails()}"
        await hospital.ten_minutes_pass()  # for rows of sources that were killed
        await asyncio.sleep(5)
    await hospital.outcome.drained(running, within=300)
    watch.cancel()
    assert looks
    assert hospital.late
    await _judge(running, hospital)
    assert running.kills > 3


async def _second_versions(hospital: AmritHospital) -> list[object]:
    return [code for (code,) in await hospital.outcome.rows("SELECT visit_code FROM visits WHERE version = 2")]


def _play(play: Callable[[Fleet, AmritHospital], Awaitable[None]], *, scale: float) -> None:
    async def story(folder: Path) -> None:
        context = fleet(folder, seed=SEED, wait_scale=scale)
        running = await asyncio.to_thread(context.__enter__)
        try:
            async with outcome_of(running) as outcome, amrit_hospital(running, outcome, seed=SEED) as hospital:
                await play(running, hospital)
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)

    with fresh_folder(inside=quick_disk()) as folder:
        asyncio.run(story(folder))


@pytest.mark.timeout(300)
def test_visits_of_amrit_become_documents_and_their_flags_are_set_then_and_not_before() -> None:
    _play(_small, scale=0.02)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_two_thousand_visits_of_amrit_survive_kills_flushes_and_restarts() -> None:
    async def play(running: Fleet, hospital: AmritHospital) -> None:
        await _shaken(running, hospital, count=MANY, over=240, every=(2, 4))

    _play(play, scale=0.1)
