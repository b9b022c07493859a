"""One of many processes leads: an advisory lock of the server, held by a connection of its own."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hip.adapters.postgres.failures import FAILED
from hip.adapters.postgres.statements import lock_number


class PostgresLeadership:
    """Whoever takes the lock leads until its connection ends, by itself or with the process or the server.

    The lock belongs to a session, so a pooler between us and the server must not share sessions out by transaction.
    """

    def __init__(self, engine: AsyncEngine, name: str) -> None:
        self._engine = engine
        self._lock = lock_number("leadership", name)
        self._connection: AsyncConnection | None = None
        self._leads = False

    async def lead(self) -> bool:
        """True while this process is the one that leads. False as well while the server is away."""
        try:
            connection = self._connection or await self._connect()
            if self._leads:
                await connection.execute(text("SELECT 1"))  # the lock lives as long as this connection does
            else:
                taken = await connection.execute(select(func.pg_try_advisory_lock(self._lock)))
                self._leads = bool(taken.scalar_one())
        except FAILED:
            await self.close()
        return self._leads

    async def close(self) -> None:
        """Lead no longer."""
        connection, self._connection, self._leads = self._connection, None, False
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def _connect(self) -> AsyncConnection:
        connection = await self._engine.connect()
        self._connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        return self._connection
