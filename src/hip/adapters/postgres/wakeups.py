"""Being woken by the server when outbox rows were committed (LISTEN)."""

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hip.adapters.postgres.failures import FAILED
from hip.adapters.postgres.outbox import CHANNEL


class PostgresWakeups:
    """One listening connection, made when first waited on and again after it was lost."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._rung = asyncio.Event()
        self._lost = False

    async def wait(self, seconds: float) -> bool:
        """True when woken within so many seconds, or when listening began and something may have been missed."""
        try:
            async with asyncio.timeout(seconds):
                if self._connection is None or self._lost:
                    await self._listen()
                    return True
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return not self._lost

    async def close(self) -> None:
        """Stop listening."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def _listen(self) -> None:
        """Until it succeeds; the caller's timeout ends it."""
        await self.close()
        while True:
            try:
                self._connection, self._lost = await self._engine.connect(), True
                raw: Any = (await self._connection.get_raw_connection()).driver_connection
                raw.add_termination_listener(self._on_loss)
                await raw.add_listener(CHANNEL, self._on_notice)
            except FAILED:
                await self.close()
                await asyncio.sleep(1)
            else:
                self._rung.clear()
                self._lost = raw.is_closed()
                return

    def _on_notice(self, *_: object) -> None:
        self._rung.set()

    def _on_loss(self, _: object) -> None:
        self._lost = True
        self._rung.set()
