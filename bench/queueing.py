"""The pipeline as queues: what was measured on one box, and what it says of 20 million visits a day on many.

    .venv/bin/python bench/queueing.py [--costs bench/pipeline_costs.json] [--visits 20000000]

It asks ``simulated_pipeline.py``, whose only figures are the costs that ``pipeline.py --costs`` wrote down. First it
repeats that run: exit code 1 unless it comes within 25 % of the measured rate. Then it spreads a day's visits over a
hospital's hours, gives workers, Postgres and MongoDB processors of their own, and looks for the fewest workers that
keep up.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from simulated_pipeline import FORK, Cores, Costs, Line, Pipeline

from hip.application.relay import LARGE_BATCH

HOURS = (0, 0, 0, 0, 0, 0, 0, 1, 4, 9, 13, 14, 12, 8, 7, 9, 9, 6, 4, 2, 1, 1, 0, 0)
"""What share of a day's visits ends in each hour, IST: out-patient departments fill before noon."""
NEAR = 0.25
PEAK = (10, 12)
WITHIN = 60.0  # seconds from a visit's coming to its documents


def one_box(costs: Costs) -> float:
    """Bundles a second of the measured run, simulated: all that waits, on the processors that were left to us."""
    line = Line()
    cores = Cores(line, costs.cores)
    run = Pipeline(line, costs, cores, cores, cores, costs.workers)
    if costs.source:
        run.take(costs.bundles, cores)
    else:
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


def _peak(costs: Costs, visits: int) -> float:
    """Bundles a second in the busiest hour."""
    return visits * max(HOURS) / sum(HOURS) / 3600 * costs.bundles_a_visit


def fewest(costs: Costs, visits: int) -> tuple[int, Day]:
    """The fewest workers that have 99 of 100 documents of the busiest hours stored within a minute."""
    peak = _peak(costs, visits)
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
        sources = _peak(costs, visits) * costs.source
        print(
            f"  {visits:>10} visits: {workers:>3} workers; processors busy in sources {sources:.1f}, in Postgres "
            f"{day.postgres:.1f}, in MongoDB {day.mongo:.1f}; a document took {day.median:.1f} s, 99 of 100 within "
            f"{day.p99:.1f} s"
        )
    return 0 if abs(off) <= NEAR else 1


if __name__ == "__main__":
    sys.exit(main())
