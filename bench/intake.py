"""Taking visits in: read, made canonical, sealed, stored with patient, trigger, jobs, outbox rows and audit.

    .venv/bin/python bench/intake.py [--visits 200] [--rounds 8]

Each round stores as many new visits in each of these ways, on one embedded Postgres: one by one, as a caller with one
visit in each request has it; together from JSON, as `hip visits import` and a stream of `POST /v1/visits` have it;
together as records, as `hip source run` has it; and bare, an `executemany` of the same bytes into a table of two
columns, in one transaction. The processor time is that of this process and of Postgres. Exit code 1 when a limit is
missed.
"""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter, process_time
from typing import Any

import asyncpg
from process_costs import cpu_seconds

from hip.adapters.clock import system_clock
from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.postgres.dsn import engine_url
from hip.adapters.postgres.schema import upgrade
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.intake import ReceivedVisit, ReceiveVisit, ReceiveVisits
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId, PatientReference, VisitCode
from hip.domain.visits import VisitRecord
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.embedded.servers import EmbeddedServers, embedded_servers
from hip.entrypoints.example_visits import example_visits
from hip.entrypoints.facilities import ConfiguredFacilities

HIP = HipId("IN0410000123")
CLINIC = Facility(hip_id=HIP, name="Demo Clinic")
RECORDS = JsonVisitRecords()
LEAST_FROM_JSON, LEAST_FROM_RECORDS, MOST_OF_BARE = 4.0, 8.0, 12.0


@dataclass
class Way:
    """One way of storing visits, and what each of its rounds took: seconds, ours and Postgres's of the processor."""

    store: Callable[[Sequence[VisitRecord], Sequence[bytes]], Awaitable[None]]
    seconds: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    postgres: list[float] = field(default_factory=list)

    def each(self, visits: int) -> tuple[float, float, float]:
        """Microseconds a visit: the median, and on average of the processor, whose clock is coarse."""
        ours, postgres = (statistics.mean(found[1:]) / visits * 1e6 for found in (self.ours, self.postgres))
        return statistics.median(self.seconds[1:]) / visits * 1e6, ours, postgres


def made(way: int, round_: int, count: int) -> list[VisitRecord]:
    """New visits, the examples in turn, two of them a patient's."""
    examples = [example.record for example in example_visits()]
    records = []
    for number in range(count):
        record = examples[number % len(examples)]
        patient = replace(record.patient, reference=PatientReference(f"P-{way}-{round_}-{number // 2}"))
        code = VisitCode(f"V-{way}-{round_}-{number}")
        records.append(replace(record, hip_id=HIP, visit_code=code, patient=patient))
    return records


async def measure(database: PostgresDatabase, servers: EmbeddedServers, options: argparse.Namespace) -> int:
    given = (database.unit, RECORDS, ConfiguredFacilities((CLINIC,)), system_clock)
    single, together = ReceiveVisit(*given), ReceiveVisits(*given)
    url = engine_url(servers.urls.database_url)
    bare = await asyncpg.connect(host=url.query.get("host", url.host), user=url.username, database=url.database)
    await bare.execute("CREATE TABLE bare (code text PRIMARY KEY, source bytea NOT NULL)")

    async def one_by_one(_records: Sequence[VisitRecord], contents: Sequence[bytes]) -> None:
        for content in contents:
            await single(content, actor="bench")

    async def from_json(_records: Sequence[VisitRecord], contents: Sequence[bytes]) -> None:
        _all_stored(await together(contents, actor="bench"), len(contents))

    async def from_records(records: Sequence[VisitRecord], _contents: Sequence[bytes]) -> None:
        _all_stored(await together(records, actor="bench"), len(records))

    async def inserted(records: Sequence[VisitRecord], contents: Sequence[bytes]) -> None:
        rows = [(record.visit_code, content) for record, content in zip(records, contents, strict=True)]
        async with bare.transaction():
            await bare.executemany("INSERT INTO bare VALUES ($1, $2)", rows)

    ways = {
        "one by one": Way(one_by_one),
        "together, from JSON": Way(from_json),
        "together, from records": Way(from_records),
        "bare executemany": Way(inserted),
    }
    postgres = servers.pids["postgres"]
    for round_ in range(options.rounds + 1):
        for number, way in enumerate(ways.values()):
            records = made(number, round_, options.visits)
            contents = [RECORDS.write(record) for record in records]
            began, ours, theirs = perf_counter(), process_time(), cpu_seconds(postgres)
            await way.store(records, contents)
            way.seconds.append(perf_counter() - began)
            way.ours.append(process_time() - ours)
            way.postgres.append(cpu_seconds(postgres) - theirs)
    await bare.close()
    return report(ways, options.visits)


def _all_stored(answers: Sequence[Any], count: int) -> None:
    assert sum(isinstance(answer, ReceivedVisit) and answer.changed for answer in answers) == count


def report(ways: dict[str, Way], visits: int) -> int:
    each_of = {name: way.each(visits) for name, way in ways.items()}
    for name, (each, ours, postgres) in each_of.items():
        print(
            f"  {name:<24}{1e6 / each:>8.0f} visits a second;"
            f" processor {ours:>6.0f} µs here, {postgres:>6.0f} µs in Postgres, a visit"
        )
    alone, from_json, from_records, bare = (each_of[name][0] for name in ways)
    lines = [
        ("together, from JSON : one by one", alone / from_json, LEAST_FROM_JSON, "at least"),
        ("together, from records : one by one", alone / from_records, LEAST_FROM_RECORDS, "at least"),
        ("time of together, from records : bare", from_records / bare, MOST_OF_BARE, "at most"),
    ]
    missed = 0
    for name, value, limit, word in lines:
        met = value >= limit if word == "at least" else value <= limit
        missed += not met
        print(f"  {name:<48}{value:>8.2f}   {word} {limit:g}   {'met' if met else 'MISSED'}")
    return int(missed > 0)


def main() -> int:
    """Servers of its own, gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    with fresh_folder() as folder, embedded_servers(folder) as servers:
        upgrade(servers.urls.database_url)
        vault = LocalKeyVault.open(folder / "hip.keys", create=True)

        async def run() -> int:
            database = PostgresDatabase(servers.urls.database_url, vault=vault, records=RECORDS)
            try:
                return await measure(database, servers, options)
            finally:
                await database.close()

        return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
