"""AMRIT's trigger table → validated bundles, by real processes on real servers.

    .venv/bin/python bench/pipeline.py [--from amrit|intake] [--visits 10000] [--workers 2] [--costs FILE]

The visits stand in AMRIT's trigger table, in a database of its shape. The clock starts when ``hip source run`` claims
the first ones, and stops when every bundle is stored: claim, read, intake, lease, RQ, fork, compose, validate, MongoDB,
Postgres. Then the flags are waited for. With ``--from intake`` all visits are taken in first, and the clock starts when
the first bundles are stored. Embedded PostgreSQL (AMRIT's database is on it too), MongoDB-wire server and Valkey. The
patients have neither ABHA nor telephone, so that nothing follows and the pipeline alone is measured.

What is spent outside composing and validating is the CPU of the workers, or of all our processes, less what composing
and validating the same visits costs in this process, in the same run. Exit code 1 when a limit is missed.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from claims import FEW, MANY, of_outbox, of_trigger_table
from ready_visits import CLINIC, HIP, AmritTable, Intake, Origin
from visit_flow import MODULE, Flow, run

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.postgres.schema import upgrade
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.domain.visits import VisitRecord
from hip.entrypoints.demo.processes import Service, service
from hip.entrypoints.embedded.servers import EmbeddedServers, embedded_servers

LEAST_RATE, MOST_OUTSIDE, MOST_CLOSED_RATIO, MOST_GROWTH = 200.0, 0.5, 1.2, 20.0
SAMPLE = 300


def making(records: Sequence[VisitRecord]) -> float:
    """CPU seconds of composing and validating one bundle, on average."""
    composer, validator = FhirComposer(), NrcesValidator()

    def once() -> int:
        made = 0
        for record in records:
            for hi_type in record.required_hi_types:
                assert validator.validate(composer.compose(record, hi_type, facility=CLINIC)).valid
                made += 1
        return made

    once()
    began = time.process_time()
    made = once()
    return (time.process_time() - began) / made


async def measure(options: argparse.Namespace, servers: EmbeddedServers, group: Service) -> int:
    vault = LocalKeyVault.open(servers.folder / "hip.keys", create=True)
    for name in ("few", "many"):
        servers.create_database(name)
        await asyncio.to_thread(upgrade, servers.database_url(name))
    urls = (servers.urls.database_url, servers.database_url("few"), servers.database_url("many"))
    opened = [PostgresDatabase(url, vault=vault, records=JsonVisitRecords()) for url in urls]
    database, few, many = opened
    origin: Origin = (
        Intake(database, options.visits) if options.origin == "intake" else AmritTable(servers, options.visits)
    )
    try:
        claims = {"outbox": await of_outbox(few, many), "AMRIT's table": await of_trigger_table(servers)}
        began = time.monotonic()
        await origin.prepare()
        print(f"{options.visits} visits made ready in {time.monotonic() - began:.0f} s")
        sample = await origin.sample(SAMPLE)
        before = making(sample)
        flow = await run(group, servers, database, origin, options.workers)
        return report(options, flow, statistics.mean((before, making(sample))), claims)
    finally:
        await origin.close()
        for one in opened:
            await one.close()


def report(options: argparse.Namespace, flow: Flow, made: float, claims: dict[str, tuple[float, float]]) -> int:
    rate = flow.bundles / flow.seconds
    useful = made * flow.bundles
    print(f"{flow.bundles} bundles in {flow.seconds:.1f} s with {options.workers} workers; CPU a bundle:")
    for name, seconds in flow.cpu.items():
        print(f"  {name:<62}{seconds / flow.bundles * 1000:>8.2f} ms")
    print(f"  {'composing and validating alone':<62}{made * 1000:>8.2f} ms")
    lines = [
        ("bundles a second", rate, LEAST_RATE, rate >= LEAST_RATE),
        _at_most("share of the workers outside composing and validating", 1 - useful / flow.cpu["workers"],
                 MOST_OUTSIDE),
        _at_most("share of source, relay and workers outside it", 1 - useful / flow.ours, MOST_OUTSIDE),
        *(_at_most(f"a claimed row of {name}, {MANY} closed : {FEW}", many / few, MOST_CLOSED_RATIO)
          for name, (few, many) in claims.items()),
        _at_most("MB a worker grew by", flow.worker_growth, MOST_GROWTH),
        _at_most("MB, last third of the workers' horses less the first", flow.horse_growth, MOST_GROWTH),
        _at_most("MB the source's process grew by", flow.source_growth, MOST_GROWTH),
    ]  # fmt: skip
    for name, value, limit, met in lines:
        print(f"  {name:<62}{value:>8.2f}   limit {limit:g}   {'met' if met else 'MISSED'}")
    if options.costs is not None:
        options.costs.write_text(json.dumps(measured(options, flow), indent=2) + "\n", encoding="utf-8")
    each = ", ".join(f"{name} {few:.3f} and {many:.3f} ms" for name, (few, many) in claims.items())
    print(f"  ({flow.cores:.2f} processors were left to us; a claimed row: {each})")
    if options.origin == "amrit":
        flags = flow.visits - flow.refused
        print(f"  ({flow.refused} visits refused; the last of {flags} flags {flow.flagged_after:.1f} s after the end)")
    return 0 if all(met for *_, met in lines) else 1


def _at_most(name: str, value: float, limit: float) -> tuple[str, float, float, bool]:
    return name, value, limit, value <= limit


def measured(options: argparse.Namespace, flow: Flow) -> dict[str, float]:
    """What ``queueing.py`` starts from."""
    each = {name: round(seconds / flow.bundles, 6) for name, seconds in flow.cpu.items()}
    return {
        "source": each.get("source", 0.0),
        "worker": each["workers"],
        "postgres": each["postgres"],
        "mongo": each["mongo"],
        "relay": each["relay"] + each["valkey"],
        "bundles_a_visit": round(flow.bundles / (flow.visits - flow.refused), 3),
        "bundles": flow.bundles,
        "rate": round(flow.bundles / flow.seconds, 1),
        "cores": round(flow.cores, 2),
        "workers": options.workers,
    }


@contextmanager
def ours(servers: EmbeddedServers) -> Iterator[Service]:
    """The group that our processes will join, with the schema in place."""
    environment = {
        "HIP_GATEWAY_URL": "http://127.0.0.1:9",
        "HIP_CLIENT_ID": "bench",
        "HIP_CLIENT_SECRET": "bench",
        "HIP_FACILITIES": json.dumps([{"id": HIP, "name": CLINIC.name}]),
        "HIP_DATABASE_URL": servers.urls.database_url,
        "HIP_MONGO_URL": servers.urls.mongo_url,
        "HIP_REDIS_URL": servers.urls.redis_url,
        "HIP_KEY_FILE": str(servers.folder / "hip.keys"),
        "HIP_CM_ID": "sbx",
    }
    with service(servers.folder / "logs") as group:
        group.start("upgrade", "db", "upgrade", module=MODULE, environment=environment).finish()
        del group.processes["upgrade"]
        yield group


def main() -> int:
    parser = argparse.ArgumentParser(description="From visits to stored bundles.")
    parser.add_argument("--from", dest="origin", choices=("amrit", "intake"), default="amrit")
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--costs", type=Path, help="write what queueing.py needs to this file")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded_servers(Path(folder) / "d") as servers,
        ours(servers) as group,
    ):
        return asyncio.run(measure(options, servers, group))


if __name__ == "__main__":
    sys.exit(main())
