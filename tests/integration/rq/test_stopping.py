"""SIGTERM reaches the work-horse too: it ends with what it has begun, not after ten minutes."""

import subprocess
import sys
from pathlib import Path

from redis import Redis
from tests.integration.rq.test_rq_jobs import enqueued, row

ROOT = Path(__file__).parents[3]


def test_a_worker_that_is_told_to_stop_tells_its_work_horse_and_ends_well(redis_url: str):
    with Redis.from_url(redis_url) as client:
        client.flushdb()
        enqueued(redis_url, [row(1)], function="tests.integration.rq.recorder.until_told")
        with subprocess.Popen(
            (sys.executable, "-m", "tests.integration.rq.recorder", redis_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as worker:
            assert worker.stdout is not None
            try:
                assert worker.stdout.readline() == "begun\n"
                worker.terminate()
                said, complained = worker.communicate(timeout=60)
            finally:
                worker.kill()
        client.flushdb()
    assert (said, worker.returncode) == ("told\n", 0), complained
