"""The pipeline under SIGKILL, flushes and restarts: every visit gets exactly its documents, and nobody is told twice.

Repeatable by HIP_SOAK_SEED as far as real processes are: which process is struck, and when.
"""

import asyncio
import hashlib
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.builders.databases import a_postgres_database
from tests.builders.visits import a_visit
from tests.e2e.fleet import HIP_ID, NAME, Fleet, fleet
from tests.servers import quick_disk

from hip.adapters.clock import system_clock
from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.intake import ReceiveVisit
from hip.application.storage import Listing
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.errors import Transient
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId, PatientReference, VisitCode
from hip.domain.visits import VisitRecord
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.facilities import ConfiguredFacilities

SEED = int(os.environ.get("HIP_SOAK_SEED", "1"))
HIP = HipId(HIP_ID)
FACILITY = Facility(hip_id=HIP, name=NAME)
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

    database: PostgresDatabase
    documents: MongoDocuments
    count: int

    async def hand_over(self, *, seconds: float) -> None:
        receive = ReceiveVisit(self.database.unit, JsonVisitRecords(), ConfiguredFacilities((FACILITY,)), system_clock)
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

    async def unfinished(self) -> int:
        async with self.database.unit() as uow:
            return await uow.outbox.waiting()

    async def wrong(self) -> list[str]:
        """Every visit that has not exactly its documents, and why; empty at a good end."""
        found: list[str] = []
        composer = FhirComposer()
        for number in range(self.count):
            late = number % LATE == 0 and number + 5 < self.count
            record, version = visit(number, late=late), 2 if late else 1
            code = record.visit_code
            async with self.database.unit() as uow:
                trigger = await uow.triggers.get(HIP, code)
                newest = {one.key.hi_type: one for one in await uow.bundles.of_visit(HIP, code)}
                jobs = await uow.bundle_jobs.of_visit(HIP, code)
            if trigger is None or not trigger.processed:
                found.append(f"{code}: the flag is not set")
            if [(job.state, job.version) for job in jobs] != [(BundleJobState.VALID, version)] * len(newest):
                found.append(f"{code}: its jobs are {[(job.state, job.version) for job in jobs]}")
            if set(newest) != set(record.required_hi_types):
                found.append(f"{code}: documents of {sorted(newest)}")
            for hi_type, one in newest.items():
                wanted = composer.compose(record, hi_type, facility=FACILITY, version=version)
                stored = await self.documents.get(one.key, version)
                if one.version != version or one.sha256 != hashlib.sha256(wanted).hexdigest() or stored != wanted:
                    found.append(f"{code}: {hi_type} in version {one.version} is not what the visit says")
        return found

    async def rows(self, query: str) -> Sequence[tuple[object, ...]]:
        async with self.database.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(query))]


@asynccontextmanager
async def hospital(fleet: Fleet, count: int) -> AsyncIterator[Hospital]:
    vault = LocalKeyVault.open(Path(fleet.environment["HIP_KEY_FILE"]), create=True)
    database = a_postgres_database(fleet.servers.urls.database_url, vault=vault)
    documents = MongoDocuments(fleet.servers.urls.mongo_url, "AmritHRP")
    try:
        yield Hospital(database, documents, count)
    finally:
        await database.close()
        await documents.close()


async def judge(fleet: Fleet, held: Hospital) -> None:
    assert await held.wrong() == []
    assert await held.rows("SELECT state, count(*) FROM outbox WHERE state <> 'done' GROUP BY state") == []
    # Nothing but what was asked for: one row for each document and version, one care context for each visit.
    [(contexts,)] = await held.rows("SELECT count(*) FROM care_context")
    assert contexts == held.count
    versions = await held.rows("SELECT visit_code, hi_type, max(version) FROM bundles GROUP BY 1, 2")
    stray = await held.rows("SELECT count(*) FROM bundles b JOIN visits v USING (hip_id, visit_code) "
                            "WHERE b.version > v.version")  # fmt: skip
    assert stray == [(0,)]
    assert len(versions) == sum(len(visit(number).required_hi_types) for number in range(held.count))
    # Nobody was told twice; whoever may not have been told is shown, and they are no more than what was struck.
    rung = Counter(fleet.telephones.rung)
    wanted = {told for number in range(held.count) if (told := phone(number)) is not None}
    assert set(rung) <= wanted
    assert [number for number, times in rung.items() if times > 1] == []
    hidden = await held.rows(
        "SELECT e.business_key FROM exchanges e JOIN attempts a ON a.hip_id = e.hip_id AND a.exchange_id = e.id "
        "WHERE e.flow = 'sms-notify' AND a.status IS NULL"
    )
    assert len(hidden) <= fleet.disturbances
    async with held.database.unit() as uow:
        listed = await uow.exchanges.list(Listing(hip_id=HIP, limit=10_000))
    unanswered = {one.business_key for one in listed if one.outcome.value == "unanswered"}
    assert {key for (key,) in hidden} <= unanswered
    assert len(wanted - set(rung)) <= len(hidden)


async def drained(fleet: Fleet, held: Hospital, *, within: float) -> None:
    deadline = time.monotonic() + within
    while await held.unfinished():
        if time.monotonic() > deadline:
            left = await held.rows("SELECT topic, state, count(*), max(attempt), max(error) FROM outbox "
                                   "WHERE state <> 'done' GROUP BY 1, 2")  # fmt: skip
            raise AssertionError(f"after {fleet.kills} kills: {left}{fleet.tails()}")
        await asyncio.sleep(0.2)


async def shaken(fleet: Fleet, handing: asyncio.Task[None], every: tuple[float, float], events: list[str]) -> None:
    """Kill one every so often while visits come; at moments of their own the servers are flushed and restarted."""
    chance = random.Random(fleet.chance.random())
    while not handing.done() or events:
        await asyncio.sleep(chance.uniform(*every))
        await asyncio.to_thread(fleet.kill_one)
        if events and (handing.done() or chance.random() < 0.3):
            await asyncio.to_thread(getattr(fleet, events.pop(0)))
    await handing


async def _story(folder: Path, *, visits: int, over: float, every: tuple[float, float], scale: float) -> None:
    events = ["flush_redis", "restart_postgres", "restart_mongo", "flush_redis"]
    context = fleet(folder, seed=SEED, wait_scale=scale)
    running = await asyncio.to_thread(context.__enter__)
    try:
        async with hospital(running, visits) as held:
            running.start(relays=2, workers=3)
            handing = asyncio.create_task(held.hand_over(seconds=over))
            await shaken(running, handing, every, events)
            await drained(running, held, within=300)
            await judge(running, held)
            assert running.kills > 3
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


async def _small(folder: Path) -> None:
    context = fleet(folder, seed=SEED, wait_scale=0.02)
    running = await asyncio.to_thread(context.__enter__)
    try:
        async with hospital(running, 60) as held:
            running.start(relays=1, workers=2)
            handing = asyncio.create_task(held.hand_over(seconds=3))
            for strike in ("kill_one", "flush_redis", "kill_one", "stop_one_worker"):
                await asyncio.sleep(running.chance.uniform(0.5, 1.5))
                await asyncio.to_thread(getattr(running, strike))
            await handing
            await drained(running, held, within=120)
            await judge(running, held)
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
