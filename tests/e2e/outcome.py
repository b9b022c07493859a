"""What the pipeline must come to, whatever is killed: exactly the documents of every visit, and nobody told twice."""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from tests.builders.databases import a_postgres_database
from tests.e2e.fleet import HIP_ID, NAME, Fleet

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.application.storage import Listing
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId
from hip.domain.visits import VisitRecord

HIP = HipId(HIP_ID)
FACILITY = Facility(hip_id=HIP, name=NAME)


@dataclass(frozen=True)
class Wanted:
    """A visit as it must be known at the end, and in which version."""

    record: VisitRecord
    version: int = 1

    @property
    def told(self) -> str | None:
        """The number that is sent a message: of those without an ABHA address."""
        return self.record.patient.phone if self.record.patient.abha_address is None else None


@dataclass
class Outcome:
    database: PostgresDatabase
    documents: MongoDocuments

    async def unfinished(self) -> int:
        async with self.database.unit() as uow:
            return await uow.outbox.waiting()

    async def drained(self, fleet: Fleet, *, within: float) -> None:
        deadline = time.monotonic() + within
        while await self.unfinished():
            if time.monotonic() > deadline:
                left = await self.rows("SELECT topic, state, count(*), max(attempt), max(error) FROM outbox "
                                       "WHERE state <> 'done' GROUP BY 1, 2")  # fmt: skip
                raise AssertionError(f"after {fleet.kills} kills: {left}{fleet.tails()}")
            await asyncio.sleep(0.2)

    async def wrong(self, wanted: Iterable[Wanted]) -> list[str]:
        """Every visit that has not exactly its documents, and why; empty at a good end."""
        found: list[str] = []
        composer = FhirComposer()
        for each in wanted:
            record, version = each.record, each.version
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
                made = composer.compose(record, hi_type, facility=FACILITY, version=version)
                stored = await self.documents.get(one.key, version)
                if one.version != version or one.sha256 != hashlib.sha256(made).hexdigest() or stored != made:
                    found.append(f"{code}: {hi_type} in version {one.version} is not what the visit says")
        return found

    async def judge(self, fleet: Fleet, wanted: Sequence[Wanted]) -> None:
        wrong = await self.wrong(wanted)
        assert not wrong, "\n".join([f"{len(wrong)} in all", *wrong[:20]])
        assert await self.rows("SELECT state, count(*) FROM outbox WHERE state <> 'done' GROUP BY state") == []
        # Nothing but what was asked for: one row for each document and version, one care context for each visit.
        assert await self.rows("SELECT count(*) FROM visits") == [(len(wanted),)]
        assert await self.rows("SELECT count(*) FROM care_context") == [(len(wanted),)]
        newest = await self.rows("SELECT visit_code, hi_type, max(version) FROM bundles GROUP BY 1, 2")
        assert len(newest) == sum(len(each.record.required_hi_types) for each in wanted)
        stray = await self.rows("SELECT count(*) FROM bundles b JOIN visits v USING (hip_id, visit_code) "
                                "WHERE b.version > v.version")  # fmt: skip
        assert stray == [(0,)]
        await self._judge_messages(fleet, {each.told for each in wanted} - {None})

    async def _judge_messages(self, fleet: Fleet, told: set[str | None]) -> None:
        """Nobody was told twice; whoever may not have been told is shown, and is no more than what was struck."""
        rung = Counter(fleet.telephones.rung)
        assert set(rung) <= told
        assert [number for number, times in rung.items() if times > 1] == []
        hidden = await self.rows(
            "SELECT e.business_key FROM exchanges e JOIN attempts a ON a.hip_id = e.hip_id AND a.exchange_id = e.id "
            "WHERE e.flow = 'sms-notify' AND a.status IS NULL"
        )
        assert len(hidden) <= fleet.disturbances
        async with self.database.unit() as uow:
            listed = await uow.exchanges.list(Listing(hip_id=HIP, limit=10_000))
        unanswered = {one.business_key for one in listed if one.outcome.value == "unanswered"}
        assert {key for (key,) in hidden} <= unanswered
        assert len(told - set(rung)) <= len(hidden)

    async def rows(self, query: str, **values: object) -> Sequence[tuple[object, ...]]:
        async with self.database.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(query), values)]


@asynccontextmanager
async def outcome_of(fleet: Fleet) -> AsyncIterator[Outcome]:
    vault = LocalKeyVault.open(Path(fleet.environment["HIP_KEY_FILE"]), create=True)
    database = a_postgres_database(fleet.servers.urls.database_url, vault=vault)
    documents = MongoDocuments(fleet.servers.urls.mongo_url, "AmritHRP")
    try:
        yield Outcome(database, documents)
    finally:
        await database.close()
        await documents.close()


async def shaken(fleet: Fleet, handing: asyncio.Task[None], every: tuple[float, float], events: list[str]) -> None:
    """Kill one every so often while visits come; at moments of their own the servers are flushed and restarted."""
    chance = random.Random(fleet.chance.random())
    while not handing.done() or events:
        await asyncio.sleep(chance.uniform(*every))
        await asyncio.to_thread(fleet.kill_one)
        if events and (handing.done() or chance.random() < 0.3):
            await asyncio.to_thread(getattr(fleet, events.pop(0)))
    await handing
