"""The pipeline as queues: what was measured on one box, and what it says of 20 million visits a day on many.

    .venv/bin/python bench/queueing.py [--costs bench/pipeline_costs.json] [--visits 20000000]

A discrete-event simulation of the relay's rules (how many rows a lease takes, when it holds back), of workers that fork
once a job and build one chunk while the last is being stored, and of processors that are shared by whoever computes
on them. Its only figures are the costs that ``pipeline.py --costs`` wrote down. First it repeats that run: exit code 1
unless it comes within 25 % of the measured rate. Then it spreads a day's visits over a hospital's hours, gives workers,
Postgres and MongoDB processors of their own, and looks for the fewest workers that keep up.
"""

import argparse
import heapq
import itertools
import json
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hip.application.bundling import CHUNK
from hip.application.relay import ENOUGH_WAITING, LARGE_BATCH

FORK, POLL, WAKE = 0.09, 1.0, 0.02  # seconds: CPU of a fork, the relay's poll, and how soon it is woken
HOURS = (0, 0, 0, 0, 0, 0, 0, 1, 4, 9, 13, 14, 12, 8, 7, 9, 9, 6, 4, 2, 1, 1, 0, 0)
"""What share of a day's visits ends in each hour, IST: out-patient departments fill before noon."""
NEAR = 0.25
PEAK = (10, 12)
WITHIN = 60.0  # seconds from a visit's coming to its documents
Action = Callable[[], None]


@dataclass(frozen=True)
class Costs:
    """CPU seconds of one bundle by process, and the run they come from; ``cores`` is what the machine left to us."""

    worker: float
    postgres: float
    mongo: float
    relay: float
    bundles_a_visit: float
    bundles: int
    rate: float
    cores: float
    workers: int

    @property
    def build(self) -> float:
        """CPU seconds of a worker for one bundle, its share of a fork taken away."""
        return max(self.worker - FORK / LARGE_BATCH, 0.0001)


class Line:
    """Time, and what happens when."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Action]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Action) -> None:
        heapq.heappush(self._events, (when, next(self._order), action))

    def run(self, until: Callable[[], bool]) -> None:
        while self._events and not until():
            self.now, _, action = heapq.heappop(self._events)
            action()


class Cores:
    """Processors shared evenly by whoever computes; nobody gets more than one."""

    def __init__(self, line: Line, count: float) -> None:
        self.line, self.count = line, count
        self._work, self._seen, self._round = 0.0, 0.0, 0
        self._running: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self.busy = 0.0

    def compute(self, seconds: float, then: Action) -> None:
        self._advance()
        heapq.heappush(self._running, (self._work + seconds, next(self._order), then))
        self._plan()

    @property
    def _pace(self) -> float:
        return min(1.0, self.count / len(self._running)) if self._running else 0.0

    def _advance(self) -> None:
        passed = self.line.now - self._seen
        self._work += passed * self._pace
        self.busy += passed * self._pace * len(self._running)
        self._seen = self.line.now

    def _plan(self) -> None:
        self._round += 1
        if self._running:
            due = self.line.now + max(0.0, self._running[0][0] - self._work) / self._pace
            self.line.at(due, lambda planned=self._round: self._end(planned))  # type: ignore[misc]

    def _end(self, planned: int) -> None:
        if planned != self._round:
            return  # somebody came meanwhile, and it was planned anew
        self._advance()
        _, _, then = heapq.heappop(self._running)
        self._plan()
        then()


@dataclass
class Pipeline:
    """Outbox, relay, queue and workers. ``waits`` has (seconds, bundles) from arrival to stored, by chunk."""

    line: Line
    costs: Costs
    workers: Cores
    postgres: Cores
    mongo: Cores
    count: int
    outbox: deque[tuple[float, int]] = field(default_factory=deque)
    queue: deque[list[tuple[float, int]]] = field(default_factory=deque)
    idle: int = 0
    stored: int = 0
    waits: list[tuple[float, int]] = field(default_factory=list)
    woken: bool = False

    def __post_init__(self) -> None:
        self.idle = self.count
        self.line.at(0.0, self._poll)

    def arrive(self, bundles: int) -> None:
        self.outbox.append((self.line.now, bundles))
        if not self.woken:
            self.woken = True
            self.line.at(self.line.now + WAKE, self._relay)

    def _poll(self) -> None:
        self._relay()
        self.line.at(self.line.now + POLL, self._poll)

    def _relay(self) -> None:
        self.woken = False
        while self.outbox and len(self.queue) < max(ENOUGH_WAITING, self.count):
            job: list[tuple[float, int]] = []
            room = LARGE_BATCH
            while room and self.outbox:
                came, bundles = self.outbox.popleft()
                taken = min(room, bundles)
                job.append((came, taken))
                room -= taken
                if bundles > taken:
                    self.outbox.appendleft((came, bundles - taken))
            self.queue.append(job)
        while self.idle and self.queue:
            self.idle -= 1
            self._begin(self.queue.popleft())

    def _begin(self, job: list[tuple[float, int]]) -> None:
        chunks = deque(_chunked(job))
        storing = 0
        built: deque[list[tuple[float, int]]] = deque()

        def build() -> None:
            if chunks:
                self.workers.compute(_size(chunks[0]) * self.costs.build, lambda: done_building(chunks.popleft()))

        def done_building(chunk: list[tuple[float, int]]) -> None:
            built.append(chunk)
            if not storing:
                store()
                build()

        def store() -> None:
            nonlocal storing
            storing, chunk = 1, built.popleft()
            to_postgres = _size(chunk) * self.costs.postgres
            after = lambda: self.postgres.compute(to_postgres, lambda: done_storing(chunk))  # noqa: E731
            self.mongo.compute(_size(chunk) * self.costs.mongo, after)

        def done_storing(chunk: list[tuple[float, int]]) -> None:
            nonlocal storing
            storing = 0
            self.stored += _size(chunk)
            self.waits += [(self.line.now - came, bundles) for came, bundles in chunk]
            if built:
                store()
                build()
            elif not chunks:
                self.idle += 1
                self._relay()

        self.workers.compute(FORK, build)


def _size(parts: list[tuple[float, int]]) -> int:
    return sum(bundles for _, bundles in parts)


def _chunked(job: list[tuple[float, int]]) -> list[list[tuple[float, int]]]:
    chunks: list[list[tuple[float, int]]] = [[]]
    for came, bundles in job:
        left = bundles
        while left:
            room = CHUNK - _size(chunks[-1])
            if not room:
                chunks.append([])
                continue
            taken = min(room, left)
            chunks[-1].append((came, taken))
            left -= taken
    return chunks


def one_box(costs: Costs) -> float:
    """Bundles a second of the measured run, simulated: all that waits, on the processors that were left to us."""
    line = Line()
    cores = Cores(line, costs.cores)
    run = Pipeline(line, costs, cores, cores, cores, costs.workers)
    run.arrive(costs.bundles)
    line.run(lambda: run.stored >= costs.bundles)
    return run.stored / line.now


@dataclass(frozen=True)
class Day:
    """How long documents took in the busiest hours, in seconds, and how much of each kind of processor was used."""

    median: float
    p99: float
    left: int
    postgres: float
    mongo: float


def busiest_hours(costs: Costs, visits: int, workers: int, postgres: float, mongo: float) -> Day:
    line = Line()
    pools = [Cores(line, count) for count in (workers, postgres, mongo)]
    run = Pipeline(line, costs, *pools, workers)
    begin, end = PEAK
    span = (end - begin) * 3600
    for second in range(span):
        rate = visits * HOURS[begin + second // 3600] / sum(HOURS) / 3600 * costs.bundles_a_visit
        due = round(rate * (second + 1)) - round(rate * second)
        line.at(float(second), lambda bundles=due: run.arrive(bundles))  # type: ignore[misc]
    line.run(lambda: line.now >= span)
    took = sorted(run.waits)
    return Day(
        _at(took, 0.5), _at(took, 0.99), sum(bundles for _, bundles in run.outbox), *(p.busy / span for p in pools[1:])
    )


def _at(took: list[tuple[float, int]], share: float) -> float:
    wanted, seen = share * sum(bundles for _, bundles in took), 0
    for seconds, bundles in took:
        seen += bundles
        if seen >= wanted:
            return seconds
    return 0.0


def fewest(costs: Costs, visits: int) -> tuple[int, Day]:
    """The fewest workers that have 99 of 100 documents of the busiest hours stored within a minute."""
    peak = visits * max(HOURS) / sum(HOURS) / 3600 * costs.bundles_a_visit
    workers = max(1, int(peak * (costs.build + FORK / LARGE_BATCH)))
    postgres, mongo = (max(2.0, 2 * peak * cost) for cost in (costs.postgres, costs.mongo))
    while True:
        day = busiest_hours(costs, visits, workers, postgres, mongo)
        if day.p99 <= WITHIN and day.left < peak * WITHIN:
            return workers, day
        workers += max(1, workers // 8)


def main() -> int:
    parser = argparse.ArgumentParser(description="The pipeline, simulated.")
    parser.add_argument("--costs", type=Path, default=Path(__file__).with_name("pipeline_costs.json"))
    parser.add_argument("--visits", type=int, default=20_000_000, help="a day")
    options = parser.parse_args()
    costs = Costs(**json.loads(options.costs.read_text(encoding="utf-8")))
    simulated = one_box(costs)
    off = simulated / costs.rate - 1
    print(f"one box, {costs.cores:.2f} processors left to it, {costs.workers} workers")
    print(f"  bundles a second: measured {costs.rate:.0f}, simulated {simulated:.0f} ({off:+.0%}, at most {NEAR:.0%})")
    print(f"{options.visits} visits a day, {costs.bundles_a_visit:.2f} bundles each")
    for part in (20, 4, 1):
        visits = options.visits // part
        workers, day = fewest(costs, visits)
        print(
            f"  {visits:>10} visits: {workers:>3} workers; of Postgres {day.postgres:.1f} and of MongoDB "
            f"{day.mongo:.1f} processors busy; a document took {day.median:.1f} s, 99 of 100 within {day.p99:.1f} s"
        )
    return 0 if abs(off) <= NEAR else 1


if __name__ == "__main__":
    sys.exit(main())
