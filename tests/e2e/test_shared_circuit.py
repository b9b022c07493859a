"""A gateway that fails in one batch of a worker is left alone by the next, which is another process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from tests.builders.databases import migrated
from tests.e2e import own_gateway as gw
from tests.e2e.outside import Outside, outside_of
from tests.servers import Servers

EXAMPLES = Path(__file__).parents[2] / "examples" / "visits"
MEERA, SURESH, ANIL = (
    json.loads(next(EXAMPLES.glob(f"{number}-*.json")).read_bytes()) for number in ("01", "02", "03")
)


@contextmanager
def _outside(servers: Servers, mongo_url: str, redis_url: str, folder: Path, **settings: str) -> Iterator[Outside]:
    with Redis.from_url(redis_url) as redis, servers.scratch_database() as url:
        redis.flushdb()
        migrated(url)
        with outside_of(
            "relay",
            "worker",
            folder=folder,
            HIP_DATABASE_URL=url,
            HIP_MONGO_URL=mongo_url,
            HIP_MONGO_DATABASE=servers.mongo_database,
            HIP_REDIS_URL=redis_url,
            HIP_KEY_FILE=str(folder / "hip.keys"),
            **settings,
        ) as outside:
            yield outside
        redis.flushdb()


def _worker_said(outside: Outside, event: str) -> list[dict[str, object]]:
    text = outside.service.processes["worker"].log.read_text(encoding="utf-8")
    whole = text.rpartition("\n")[0].splitlines()  # the last line may be half written
    said = [json.loads(line) for line in whole if line.startswith("{")]
    return [line for line in said if line["event"] == event]


def test_the_next_batch_finds_the_circuit_open_and_a_flushed_redis_closes_it(
    servers: Servers, mongo_url: str, redis_url: str, tmp_path: Path
) -> None:
    # One failure opens it, for 3600 s times HIP_WAIT_SCALE: longer than anything here is waited for.
    rules = {"HIP_GATEWAY_FAILURES": "1", "HIP_GATEWAY_PAUSE": "3600", "HIP_WAIT_SCALE": "0.1"}
    with _outside(servers, mongo_url, redis_url, tmp_path, **rules) as outside:
        outside.gateway.broken = True
        outside.hand_over(MEERA)
        gw.until(lambda: _worker_said(outside, "circuit-opened"), lambda: "the circuit did not open")
        [opened] = _worker_said(outside, "circuit-opened")
        outside.gateway.broken = False  # nobody tries, so nobody knows

        def stopped() -> set[object]:
            deferred = _worker_said(outside, "row-deferred")
            return {line["row"] for line in deferred if "CircuitOpen" in str(line["error"])}

        # Handed over after the first batch had failed: this visit's calls are another batch's, another process's.
        before = stopped()
        outside.hand_over(SURESH)
        gw.until(lambda: stopped() - before, lambda: "no later batch was stopped")
        came = {path: len(outside.gateway.calls(path)) for path in (gw.GENERATE_TOKEN, gw.SMS)}
        assert came == {gw.GENERATE_TOKEN: 1, gw.SMS: 0}
        assert _worker_said(outside, "circuit-opened") == [opened], "said once, by whoever met the failure"
        ready = outside.hmis.get("/health/ready")
        assert (ready.status_code, ready.json()["circuits"]) == (200, {"gateway": "open"}), "the web process sees it"

        with Redis.from_url(redis_url) as redis:
            for key in list(redis.scan_iter("hip:circuit:*")):
                redis.delete(key)
        outside.hand_over(ANIL)
        outside.gateway.call(gw.GENERATE_TOKEN, lambda body: body["name"] == ANIL["patient"]["name"])
