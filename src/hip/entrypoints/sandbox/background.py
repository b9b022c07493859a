"""Work an app goes on with after it has replied: tracked, paced by one scale, and gone when the app stops."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

LOG = logging.getLogger(__name__)


class Background:
    """The tasks of one app. Every wait is in seconds of the real network, multiplied by ``wait_scale``."""

    def __init__(self, *, wait_scale: float = 1.0) -> None:
        self.wait_scale = wait_scale
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> None:
        """Run ``work`` in the background. A failure is logged by name and type of error, without its text."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def pause(self, seconds: float) -> None:
        """Wait ``seconds``, scaled."""
        await asyncio.sleep(seconds * self.wait_scale)

    async def settle(self) -> None:
        """Wait until nothing is under way, including work that work started."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def aclose(self) -> None:
        """Cancel what is under way and wait for its end."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.error("background work %s failed: %s", task.get_name(), type(error).__name__)
