"""What RQ calls: one function for every topic. Arguments are row ids and attempts; nothing else ever enters Redis."""

import asyncio
from collections.abc import Callable, Sequence

from hip.entrypoints.worker.horses import stopping

LIMIT = 600.0
"""Seconds one batch may take; RQ's own time-out is half a minute later and less polite (style.md §5)."""


class JobFailed(Exception):
    """A batch broke off. Carries the kind of error only: RQ would keep the text of any other for a day."""


def run(topic: str, claims: Sequence[Sequence[int]]) -> None:
    """Run leased rows in this work-horse process, with everything opened and closed for it.

    ``claims`` are [row id, attempt] pairs. Raises JobFailed without the original error, whose text or traceback could
    hold what must not rest in Redis.
    """
    kind = ""
    try:
        asyncio.run(_run([(int(row_id), int(attempt)) for row_id, attempt in claims], stopping))
    except Exception as failure:  # noqa: BLE001 - every failure is reduced to its kind
        kind = type(failure).__name__
    if kind:
        raise JobFailed(f"{topic}: {kind}")


async def _run(claims: Sequence[tuple[int, int]], stopping: Callable[[], bool]) -> None:
    from hip.entrypoints.container import running
    from hip.entrypoints.settings import Settings

    async with asyncio.timeout(LIMIT), running(Settings.read()) as uses:
        await uses.run_rows()(claims, stopping=stopping)
