"""Postgres as the store that decides: a unit of work is one connection and one transaction."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from hip.adapters.postgres.audit import PostgresAudit
from hip.adapters.postgres.bundle_jobs import PostgresBundleJobs
from hip.adapters.postgres.bundle_records import PostgresBundleRecords
from hip.adapters.postgres.callbacks import PostgresCallbacks
from hip.adapters.postgres.care_contexts import PostgresCareContexts
from hip.adapters.postgres.consents import PostgresConsents, PostgresDiscoveries
from hip.adapters.postgres.decisions import PostgresDecisions
from hip.adapters.postgres.dsn import engine_url
from hip.adapters.postgres.exchanges import PostgresExchanges
from hip.adapters.postgres.failures import FAILED, translated
from hip.adapters.postgres.leadership import PostgresLeadership
from hip.adapters.postgres.link_attempts import PostgresLinkAttempts
from hip.adapters.postgres.link_requests import PostgresLinkRequests
from hip.adapters.postgres.link_tokens import PostgresLinkTokens
from hip.adapters.postgres.lost_work import PostgresLostWork
from hip.adapters.postgres.names import Names
from hip.adapters.postgres.outbox import CHANNEL, PostgresOutbox
from hip.adapters.postgres.patients import PostgresPatients
from hip.adapters.postgres.shares import PostgresShares
from hip.adapters.postgres.statements import Statements
from hip.adapters.postgres.tables.clinical import trigger_table
from hip.adapters.postgres.transfers import PostgresTransfers
from hip.adapters.postgres.visits import PostgresTriggers, PostgresVisits
from hip.adapters.postgres.waiting_entries import PostgresWaitingEntries
from hip.adapters.postgres.wakeups import PostgresWakeups
from hip.application.ports import KeyVault, VisitRecords
from hip.application.storage import UnitOfWork

_GATHERING = 0.005  # seconds
# Together they are one transaction of their own. It need not wait for the disk: after a crash nobody listens any more.
_RING = f"SET LOCAL synchronous_commit TO off; NOTIFY {CHANNEL}"


class PostgresUnit:
    """One transaction."""

    def __init__(self, connection: AsyncConnection, database: "PostgresDatabase") -> None:
        self._database = database
        self.statements = statements = Statements(connection)
        vault = database.vault
        self.outbox = PostgresOutbox(statements)
        self.callbacks = PostgresCallbacks(statements)
        self.exchanges = PostgresExchanges(statements)
        self.link_tokens = PostgresLinkTokens(statements, vault)
        self.link_requests = PostgresLinkRequests(statements)
        self.care_contexts = PostgresCareContexts(statements)
        self.patients = PostgresPatients(statements)
        self.visits = PostgresVisits(statements, vault, database.records)
        self.triggers = PostgresTriggers(statements, database.triggers)
        self.bundles = PostgresBundleRecords(statements)
        self.bundle_jobs = PostgresBundleJobs(statements)
        self.discoveries = PostgresDiscoveries(statements)
        self.link_attempts = PostgresLinkAttempts(statements, vault)
        self.shares = PostgresShares(statements, vault)
        self.consents = PostgresConsents(statements, vault)
        self.transfers = PostgresTransfers(statements, vault)
        self.waiting_entries = PostgresWaitingEntries(statements, vault)
        self.decisions = PostgresDecisions(statements)
        self.lost_work = PostgresLostWork(statements, database.triggers)
        self.audit = PostgresAudit(statements)

    async def commit(self) -> None:
        """Raises StorageFailed when the server does not confirm it: then it may or may not have happened."""
        await self.audit.flush()
        await self.statements.commit()
        if self.outbox.rang:
            self._database.ring()


class PostgresDatabase:
    """Opens units on one server. Nothing is connected before the first; one event loop per database.

    ``pool_size`` 0 connects anew for each unit. ``pool_timeout`` is how long a unit waits for a free connection,
    ``lock_timeout`` for a row another one holds, ``statement_timeout`` for any one answer; each then raises
    StorageFailed.
    """

    def __init__(
        self,
        dsn: str,
        *,
        vault: KeyVault,
        records: VisitRecords,
        names: Names = Names(),  # noqa: B008 - frozen
        pool_size: int = 10,
        pool_timeout: timedelta = timedelta(seconds=5),
        connect_timeout: timedelta = timedelta(seconds=5),
        lock_timeout: timedelta = timedelta(seconds=5),
        statement_timeout: timedelta = timedelta(seconds=15),
    ) -> None:
        self.vault = vault
        self.records = records
        self.triggers = trigger_table(names)
        url = engine_url(dsn)
        arguments: dict[str, Any] = {
            "timeout": connect_timeout.total_seconds(),
            # A server that vanished without a word answers nothing, not even that the statement took too long.
            "command_timeout": (statement_timeout + timedelta(seconds=2)).total_seconds(),
            "server_settings": {
                "application_name": "hip",
                "timezone": "UTC",
                "jit": "off",  # short statements only: compiling one costs more than it saves
                "lock_timeout": _milliseconds(lock_timeout),
                "statement_timeout": _milliseconds(statement_timeout),
                "idle_in_transaction_session_timeout": _milliseconds(2 * statement_timeout),
            },
        }
        pool: dict[str, Any] = {"poolclass": NullPool}
        if pool_size:
            pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": pool_timeout.total_seconds()}
        self._engine = create_async_engine(url, hide_parameters=True, connect_args=arguments, **pool)
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)
        self._listening = create_async_engine(url, hide_parameters=True, connect_args=arguments, poolclass=NullPool)
        self._holders: set[asyncio.Task[Any]] = set()
        self._gathering = False
        self._rings: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def unit(self) -> AsyncGenerator[UnitOfWork]:
        """A unit of work. Raises StorageFailed, and RuntimeError inside another unit of the same task."""
        task = asyncio.current_task()
        if task is None or task in self._holders:
            raise RuntimeError("a unit of work is open in this task already; units do not nest")
        with translated():
            connection = await self._engine.connect()
        unit = PostgresUnit(connection, self)
        self._holders.add(task)
        try:
            yield unit
        finally:
            self._holders.discard(task)
            unit.statements.end()
            await asyncio.shield(_closed(connection, broken=unit.statements.broken))

    @asynccontextmanager
    async def wakeups(self) -> AsyncGenerator[Callable[[float], Awaitable[bool]]]:
        """Gives ``wait(seconds)``: True as soon as outbox rows may have been committed since the last wait, else False.

        While the server is away it only sleeps.
        """
        wakeups = PostgresWakeups(self._listening)
        try:
            yield wakeups.wait
        finally:
            await asyncio.shield(wakeups.close())

    @asynccontextmanager
    async def leadership(self, name: str) -> AsyncGenerator[Callable[[], Awaitable[bool]]]:
        """Gives ``lead()``: True while this process is the only one that leads under this name, of any number."""
        leadership = PostgresLeadership(self._listening, name)
        try:
            yield leadership.lead
        finally:
            await asyncio.shield(leadership.close())

    async def ping(self) -> None:
        """Raises StorageFailed when the server does not answer."""
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    def ring(self) -> None:
        """Wake the relays, once for all that commits in the next moment.

        Not inside the units' own transactions: a NOTIFY there makes commits wait for one another's disk. A relay that
        misses this looks again by itself.
        """
        if self._gathering:
            return
        self._gathering = True
        ring = asyncio.create_task(self._ring())
        self._rings.add(ring)
        ring.add_done_callback(self._rings.discard)

    async def _ring(self) -> None:
        try:
            await asyncio.sleep(_GATHERING)
        finally:
            self._gathering = False  # whoever commits from now on rings anew
        with suppress(*FAILED):
            async with self._engine.connect() as connection:
                raw: Any = (await connection.get_raw_connection()).driver_connection
                await raw.execute(_RING)

    async def close(self) -> None:
        """Let every connection go."""
        await asyncio.gather(*self._rings, return_exceptions=True)
        await self._engine.dispose()
        await self._listening.dispose()

    @property
    def engine(self) -> AsyncEngine:
        """For those who read outside the units: benchmarks, the doctor."""
        return self._engine


async def _closed(connection: AsyncConnection, *, broken: bool) -> None:
    """Undo what was not committed and give the connection back.

    One that broke is thrown away unasked, for the server may be past answering. The server undoes a transaction whose
    connection is gone, and whoever ran it has been told: so a failure here is nobody's.
    """
    with suppress(*FAILED):
        if broken:
            await connection.invalidate()
        await connection.close()


def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """A pooled connection that the server closed meanwhile is replaced, without asking the server each time."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


def _milliseconds(span: timedelta) -> str:
    return str(round(span.total_seconds() * 1000))
