"""A process of its own that asks to call a host as often as it is told, and says how often it was the one to probe.

Arguments: the Redis URL, the client id, the host, and how many calls it asks for at once. It prints ``ready``, waits
for a line, and prints how many of its calls were let through. A call goes on until the process is sent another line.
"""

import asyncio
import sys
from datetime import datetime, timedelta

from hip.adapters.circuit_memory import RedisCircuitMemory
from hip.adapters.clock import system_clock
from hip.application.circuits import Circuits
from hip.domain.circuits import CircuitRules
from hip.domain.errors import CircuitOpen

RULES = CircuitRules(failures=3, pause=timedelta(milliseconds=1), probe=timedelta(hours=1))


def quiet(event: str, *, host: str, failures: int, until: datetime | None) -> None:
    """What the log would have."""


def said(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def probe(url: str, client_id: str, host: str, calls: int) -> None:
    memory = RedisCircuitMemory(url, client_id=client_id, answered_within=timedelta(seconds=30))
    circuits, ended = Circuits(RULES, system_clock, quiet, memory), asyncio.Event()
    let_through: list[bool] = []
    asked = asyncio.Semaphore(0)

    async def call() -> None:
        try:
            async with circuits.passage(host) as passage:
                let_through.append(passage.probe)
                asked.release()
                await ended.wait()
                passage.answered(200)
        except CircuitOpen:
            asked.release()

    said("ready")
    await asyncio.to_thread(sys.stdin.readline)
    async with asyncio.TaskGroup() as group:
        for _ in range(calls):
            group.create_task(call())
        for _ in range(calls):
            await asked.acquire()
        said(f"{len(let_through)} {sum(let_through)}")
        await asyncio.to_thread(sys.stdin.readline)
        ended.set()
    await memory.close()


if __name__ == "__main__":
    asyncio.run(probe(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
