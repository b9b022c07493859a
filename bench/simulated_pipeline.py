"""The pipeline as queues: relay, workers and stores over processors that are shared by whoever computes on them.

A discrete-event simulation of a source that takes visits claim by claim, of the relay's rules (how many rows a lease
takes, when it holds back or lets documents gather), and of workers that fork once a job and build one chunk while the
last is being stored.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from hip.application.bundling import CHUNK
from hip.application.relay import ENOUGH_WAITING, LARGE_BATCH
from hip.application.visit_sources import CLAIMED
from hip.application.waits import Waits

FORK, POLL, WAKE = 0.09, 1.0, 0.02  # seconds: CPU of a fork, the relay's poll, and how soon it is woken
GATHER = Waits().gather.total_seconds()
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
    source: float = 0.0

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
    gathered: float = -GATHER

    def __post_init__(self) -> None:
        self.idle = self.count
        self.line.at(0.0, self._poll)

    def arrive(self, bundles: int) -> None:
        self.outbox.append((self.line.now, bundles))
        if not self.woken:
            self.woken = True
            self.line.at(self.line.now + WAKE, self._relay)

    def take(self, bundles: int, source: Cores) -> None:
        """A source takes so many from a hospital's list, as fast as it can, claim by claim."""
        claim = min(bundles, max(1, round(CLAIMED * self.costs.bundles_a_visit)))

        def taken() -> None:
            self.arrive(claim)
            if bundles > claim:
                self.take(bundles - claim, source)

        source.compute(claim * self.costs.source, taken)

    def _poll(self) -> None:
        self._relay()
        self.line.at(self.line.now + POLL, self._poll)

    def _relay(self) -> None:
        """Full jobs at once; what does not fill one waits until so much time has passed since the last that did not."""
        self.woken = False
        while self.outbox and len(self.queue) < max(ENOUGH_WAITING, self.count):
            if sum(bundles for _, bundles in self.outbox) < LARGE_BATCH:
                if self.line.now < self.gathered + GATHER:
                    break
                self.gathered = self.line.now
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
