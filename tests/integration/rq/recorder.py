"""A job function that writes down what it was called with."""

import sys
import time

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from hip.adapters.rq_jobs import QUEUES
from hip.entrypoints.worker.horses import HipWorker, stopping

calls: list[tuple[str, list[list[int]]]] = []


def run(topic: str, rows: list[list[int]]) -> None:
    """Called by a worker in this process."""
    calls.append((topic, rows))


def until_told(topic: str, rows: list[list[int]]) -> None:
    """Called in a work-horse: goes on until its worker is told to stop, and says so on standard output."""
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    deadline = time.monotonic() + 60
    while not stopping() and time.monotonic() < deadline:
        time.sleep(0.01)
    sys.stdout.write("told\n" if stopping() else "never told\n")
    sys.stdout.flush()


def work(url: str) -> None:
    """A worker of ours over all queues, until it is told to stop."""
    connection = Redis.from_url(url)
    queues = [Queue(name, connection=connection, serializer=JSONSerializer) for name in QUEUES]
    HipWorker(queues, connection=connection, serializer=JSONSerializer).work(logging_level="CRITICAL")
    connection.close()


if __name__ == "__main__":
    work(sys.argv[1])
