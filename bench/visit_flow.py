"""A flow of visits through real processes, watched: how fast bundles come, what each process costs and weighs."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from process_costs import Memory, cpu_seconds, idle_seconds, memory
from ready_visits import Origin
from sqlalchemy import text

from hip.adapters.postgres.units import PostgresDatabase
from hip.entrypoints.demo.processes import Service, descendants
from hip.entrypoints.embedded.servers import EmbeddedServers

MODULE = "hip.entrypoints.cli.main"
PATIENCE, EVERY, SOON, STARTING = 1800.0, 0.25, 0.02, 4.0


@dataclass(frozen=True)
class Flow:
    """One run: visits and bundles, seconds they took, CPU seconds by process, and how many MB processes grew by.

    ``flagged_after`` are the seconds from the last bundle to the last flag.
    """

    visits: int
    refused: int
    bundles: int
    seconds: float
    flagged_after: float
    cpu: dict[str, float]
    worker_growth: float
    horse_growth: float
    source_growth: float
    idle: float

    @property
    def cores(self) -> float:
        """Processors that were left to us: what we used and what nobody wanted."""
        return (sum(self.cpu.values()) + self.idle) / self.seconds

    @property
    def ours(self) -> float:
        """CPU seconds of our own processes, the servers left out."""
        return sum(seconds for name, seconds in self.cpu.items() if name in ("source", "relay", "workers"))


@dataclass
class Weights:
    """Memory of long-lived processes over time, and of every work-horse of a worker at its end."""

    sources: Sequence[int]
    workers: Sequence[int]
    seen: dict[int, list[float]] = field(default_factory=dict)
    horses: dict[int, Memory] = field(default_factory=dict)

    def look(self) -> None:
        for pid in (*self.sources, *self.workers):
            if (weight := memory(pid)) is not None:
                self.seen.setdefault(pid, []).append(weight.now)
        for parent in self.workers:
            for pid in descendants(parent):
                if (weight := memory(pid)) is not None:
                    self.horses[pid] = weight

    def growth(self, pids: Sequence[int]) -> float:
        """Of the one that grew most, from the first fifth of the run (in median) to its last."""
        grown = [0.0]
        for pid in pids:
            fifth = max(1, len(self.seen[pid]) // 5)
            grown.append(statistics.median(self.seen[pid][-fifth:]) - statistics.median(self.seen[pid][:fifth]))
        return max(grown)

    @property
    def horse_growth(self) -> float:
        """Peaks of the last third of the work-horses less those of the first."""
        peaks = [one.peak for one in self.horses.values()]
        third = max(1, len(peaks) // 3)
        return statistics.mean(peaks[-third:]) - statistics.mean(peaks[:third])


async def run(
    group: Service, servers: EmbeddedServers, database: PostgresDatabase, origin: Origin, workers: int
) -> Flow:
    """Start everything, what takes visits last, and watch until every bundle is stored and every flag set.

    The clock starts when the first visits are claimed, or the first bundles stored where all visits were before.
    """
    environment = {**group.environment_of("upgrade"), **origin.settings}
    names = [f"worker-{number}" for number in range(workers)]
    for name in names:
        group.start(name, "worker", module=MODULE, environment=environment)
    roots = {"workers": [group.processes[name].pid for name in names]}
    roots |= {name: [pid] for name, pid in servers.pids.items()}
    if origin.command:
        roots["relay"] = [group.start("relay", "relay", module=MODULE, environment=environment).pid]
        await asyncio.sleep(STARTING)
        roots["source"] = [group.start("source", *origin.command, module=MODULE, environment=environment).pid]
    else:
        await asyncio.sleep(STARTING)
        roots["relay"] = [group.start("relay", "relay", module=MODULE, environment=environment).pid]
    weights = Weights(roots.get("source", []), roots["workers"])
    while not (before := await _stored(database)) and not (origin.command and (await origin.progress()).begun):
        group.require_running()
        await asyncio.sleep(SOON)
    began, idle = time.monotonic(), idle_seconds()
    costs = {name: sum(map(cpu_seconds, pids)) for name, pids in roots.items()}
    while not await _all_stored(database, origin):
        weights.look()
        _in_time(group, began, f"{await _stored(database)} bundles came")
        await asyncio.sleep(EVERY)
    ended, idle = time.monotonic(), idle_seconds() - idle
    while (progress := await origin.progress()).flagged < origin.count - progress.refused:
        _in_time(group, began, f"{progress.flagged} flags were set")
        await asyncio.sleep(SOON)
    flagged = time.monotonic()
    await asyncio.sleep(1.5)  # the last horses end, and their CPU is their parent's
    return Flow(
        visits=origin.count,
        refused=progress.refused,
        bundles=await _stored(database) - before,
        seconds=ended - began,
        flagged_after=flagged - ended,
        cpu={name: sum(map(cpu_seconds, pids)) - costs[name] for name, pids in roots.items()},
        worker_growth=weights.growth(weights.workers),
        horse_growth=weights.horse_growth,
        source_growth=weights.growth(weights.sources),
        idle=idle,
    )


def _in_time(group: Service, began: float, reached: str) -> None:
    group.require_running()
    if time.monotonic() - began > PATIENCE:
        raise SystemExit(f"after {PATIENCE:.0f} s only {reached}")


async def _all_stored(database: PostgresDatabase, origin: Origin) -> bool:
    progress = await origin.progress()
    if progress.begun < origin.count:
        return False
    [(visits,)] = await _asked(database, "SELECT count(*) FROM visits")
    [(left,)] = await _asked(database, "SELECT count(*) FROM bundle_jobs WHERE state NOT IN ('valid', 'invalid')")
    return bool(visits == origin.count - progress.refused and left == 0)


async def _stored(database: PostgresDatabase) -> int:
    [(count,)] = await _asked(database, "SELECT count(*) FROM bundle_jobs WHERE state IN ('valid', 'invalid')")
    return int(count)


async def _asked(database: PostgresDatabase, query: str) -> Sequence[Sequence[int]]:
    async with database.engine.connect() as connection:
        return (await connection.execute(text(query))).all()
