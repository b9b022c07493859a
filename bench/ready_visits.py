"""Where ``pipeline.py`` has its visits from: AMRIT's trigger table, or our own intake. No patient can be reached."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.result_sets import DEMOGRAPHICS
from hip.adapters.amrit.sample_database import fill, make
from hip.adapters.amrit.source import AmritVisitSource
from hip.adapters.clock import system_clock
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.intake import ReceiveVisit
from hip.application.visit_sources import SourceRow
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId, PatientReference, VisitCode
from hip.domain.visits import VisitClass, VisitRecord
from hip.entrypoints.embedded.servers import EmbeddedServers
from hip.entrypoints.example_visits import example_visits
from hip.entrypoints.facilities import ConfiguredFacilities

HIP = HipId("IN0410000123")
CLINIC = Facility(hip_id=HIP, name="Demo Clinic")
NAMES = AmritNames()
AT_ONCE, SEED = 8, 1


@dataclass(frozen=True)
class Progress:
    """Visits that somebody has begun with, those that were refused, and those that are marked as done."""

    begun: int
    refused: int = 0
    flagged: int = 0


class Origin(Protocol):
    """``settings`` are of every process; ``command`` takes the visits, if that is still to be done."""

    count: int
    settings: dict[str, str]
    command: tuple[str, ...]

    async def prepare(self) -> None: ...
    async def sample(self, count: int) -> Sequence[VisitRecord]: ...
    async def progress(self) -> Progress: ...
    async def close(self) -> None: ...


def examples(count: int) -> Iterator[VisitRecord]:
    """The out-patient examples in turn, each visit with a patient of its own whom nobody can reach."""
    known = [one.record for one in example_visits() if one.record.visit_class is VisitClass.AMBULATORY]
    for number in range(count):
        record = known[number % len(known)]
        patient = replace(
            record.patient,
            reference=PatientReference(f"P-{number}"),
            abha_address=None,
            abha_number=None,
            phone=None,
        )
        yield replace(record, hip_id=HIP, visit_code=VisitCode(f"V-{number}"), patient=patient)


@dataclass
class Intake:
    """All are stored before the flow begins."""

    database: PostgresDatabase
    count: int
    settings: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()

    async def prepare(self) -> None:
        facilities, records = ConfiguredFacilities((CLINIC,)), JsonVisitRecords()
        receive = ReceiveVisit(self.database.unit, records, facilities, system_clock)
        waiting = examples(self.count)

        async def carry() -> None:
            for record in waiting:
                await receive(records.write(record), actor="bench")

        await asyncio.gather(*(carry() for _ in range(AT_ONCE)))

    async def sample(self, count: int) -> Sequence[VisitRecord]:
        return list(examples(count))

    async def progress(self) -> Progress:
        return Progress(begun=self.count, flagged=self.count)

    async def close(self) -> None:
        pass


class AmritTable:
    """Open rows of a database of AMRIT's shape, on the same PostgreSQL; one visit in ten is as odd as real ones."""

    command = ("source", "run")

    def __init__(self, servers: EmbeddedServers, count: int, *, name: str = "amrit") -> None:
        self.count = count
        servers.create_database(name)
        self.url = servers.database_url(name)
        self.settings = {"HIP_VISIT_SOURCE": "amrit", "HIP_AMRIT_URL": self.url}
        self.engine: AsyncEngine = create_async_engine(self.url)

    async def prepare(self) -> None:
        await make(self.url, NAMES)
        await fill(self.url, NAMES, count=self.count, seed=SEED, facility=HIP)
        unreachable = "healthid = NULL, healthidnumber = NULL, preferredphonenum = NULL"
        async with self.engine.begin() as connection:
            await connection.execute(text(f"UPDATE {DEMOGRAPHICS.table} SET {unreachable}"))
            await connection.execute(text("ANALYZE"))

    async def sample(self, count: int) -> Sequence[VisitRecord]:
        """Of the rows that can be read."""
        async with self.engine.connect() as connection:
            rows = (
                await connection.execute(
                    text(f"SELECT id, visitcode FROM {NAMES.trigger_table} ORDER BY id LIMIT :count"), {"count": count}
                )
            ).all()
        source = AmritVisitSource(self.url, NAMES)
        try:
            read = await source.read([SourceRow(row_id=n, visit_code=VisitCode(str(c)), attempt=0) for n, c in rows])
        finally:
            await source.close()
        return [visit.record for visit in read if visit.record is not None]

    async def progress(self) -> Progress:
        asked = (
            "SELECT count(*) FILTER (WHERE hip_attempts > 0), count(*) FILTER (WHERE hip_reason IS NOT NULL), "
            f"count(*) FILTER (WHERE {NAMES.trigger_flag}) FROM {NAMES.trigger_table}"
        )
        async with self.engine.connect() as connection:
            begun, refused, flagged = (await connection.execute(text(asked))).one()
        return Progress(begun=begun, refused=refused, flagged=flagged)

    async def close(self) -> None:
        await self.engine.dispose()
