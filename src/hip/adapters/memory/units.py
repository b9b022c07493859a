"""Postgres' stand-in: one process, nothing on disk, and as strict. Units run one after another."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from hip.adapters.memory.audit import AuditTable, MemoryAudit
from hip.adapters.memory.bundle_jobs import BundleJobTable, MemoryBundleJobs
from hip.adapters.memory.callbacks import CallbackTable, MemoryCallbacks, SubjectTable
from hip.adapters.memory.consents import ConsentTable, DiscoveryTable, MemoryConsents, MemoryDiscoveries
from hip.adapters.memory.decisions import DecisionTable, MemoryDecisions
from hip.adapters.memory.exchanges import ExchangeTable, MemoryExchanges
from hip.adapters.memory.link_attempts import LinkAttemptTable, MemoryLinkAttempts
from hip.adapters.memory.links import (
    CareContextTable,
    LinkRequestTable,
    LinkTokenTable,
    MemoryCareContexts,
    MemoryLinkRequests,
    MemoryLinkTokens,
)
from hip.adapters.memory.lost_work import LookedAt, MemoryLostWork
from hip.adapters.memory.outbox import MemoryOutbox, OutboxTable
from hip.adapters.memory.sessions import Outages, Session
from hip.adapters.memory.shares import MemoryShares, ShareTable
from hip.adapters.memory.tables import MemoryTable
from hip.adapters.memory.transfers import MemoryTransfers, PageTable, TransferTable
from hip.adapters.memory.visits import (
    BundleTable,
    MemoryBundleRecords,
    MemoryPatients,
    MemoryTriggers,
    MemoryVisits,
    PatientTable,
    TriggerTable,
    VisitTable,
)
from hip.adapters.memory.waiting_entries import MemoryWaitingEntries, WaitingEntryTable
from hip.application.storage import UnitOfWork
from hip.domain.errors import StorageFailed


class _Tables:
    """Everything the database holds."""

    def __init__(self) -> None:
        self.outbox = OutboxTable()
        self.callbacks = CallbackTable()
        self.callback_subjects = SubjectTable()
        self.exchanges = ExchangeTable()
        self.link_tokens = LinkTokenTable()
        self.link_requests = LinkRequestTable()
        self.care_contexts = CareContextTable()
        self.patients = PatientTable()
        self.visits = VisitTable()
        self.triggers = TriggerTable()
        self.bundles = BundleTable()
        self.bundle_jobs = BundleJobTable()
        self.discoveries = DiscoveryTable()
        self.link_attempts = LinkAttemptTable()
        self.shares = ShareTable()
        self.consents = ConsentTable()
        self.transfers = TransferTable()
        self.pages = PageTable()
        self.waiting_entries = WaitingEntryTable()
        self.decisions = DecisionTable()
        self.audit = AuditTable()

    def all(self) -> tuple[MemoryTable[Any, Any], ...]:
        return (
            self.outbox.rows,
            self.callbacks,
            self.callback_subjects,
            self.exchanges,
            self.link_tokens,
            self.link_requests,
            self.care_contexts,
            self.patients,
            self.visits,
            self.triggers,
            self.bundles,
            self.bundle_jobs,
            self.discoveries,
            self.link_attempts,
            self.shares,
            self.consents,
            self.transfers,
            self.pages,
            self.waiting_entries,
            self.decisions.rows,
            self.audit.rows,
            self.audit.heads,
        )


class MemoryUnit:
    """One transaction on a MemoryDatabase."""

    def __init__(self, tables: _Tables, session: Session) -> None:
        self._tables = tables
        self._session = session
        self.outbox = MemoryOutbox(session, tables.outbox)
        self.callbacks = MemoryCallbacks(session, tables.callbacks, tables.callback_subjects)
        self.exchanges = MemoryExchanges(session, tables.exchanges)
        self.link_tokens = MemoryLinkTokens(session, tables.link_tokens)
        self.link_requests = MemoryLinkRequests(session, tables.link_requests)
        self.care_contexts = MemoryCareContexts(session, tables.care_contexts)
        self.patients = MemoryPatients(session, tables.patients)
        self.visits = MemoryVisits(session, tables.visits)
        self.triggers = MemoryTriggers(session, tables.triggers)
        self.bundles = MemoryBundleRecords(session, tables.bundles)
        self.bundle_jobs = MemoryBundleJobs(session, tables.bundle_jobs)
        self.discoveries = MemoryDiscoveries(session, tables.discoveries)
        self.link_attempts = MemoryLinkAttempts(session, tables.link_attempts)
        self.shares = MemoryShares(session, tables.shares)
        self.consents = MemoryConsents(session, tables.consents)
        self.transfers = MemoryTransfers(session, tables.transfers, tables.pages)
        self.waiting_entries = MemoryWaitingEntries(session, tables.waiting_entries)
        self.decisions = MemoryDecisions(session, tables.decisions)
        self.lost_work = MemoryLostWork(
            session,
            LookedAt(
                outbox=tables.outbox,
                callbacks=tables.callbacks,
                transfers=tables.transfers,
                link_requests=tables.link_requests,
                bundle_jobs=tables.bundle_jobs,
                triggers=tables.triggers,
                care_contexts=tables.care_contexts,
                patients=tables.patients,
            ),
        )
        self.audit = MemoryAudit(session, tables.audit)
        self.committed = False

    async def commit(self) -> None:
        await self._session.step()
        for table in self._tables.all():
            table.keep()
        self.committed = True
        self._session.end()


class MemoryDatabase:
    """All storage in this process, gone with it; refused in production.

    ``down = True`` makes everything raise StorageFailed; ``fail_next`` does so for a number of operations.
    """

    def __init__(self) -> None:
        self._tables = _Tables()
        self._outages = Outages()
        self._turn = asyncio.Lock()
        self._holder: asyncio.Task[Any] | None = None
        self._sleepers: set[asyncio.Event] = set()
        self._leaders: dict[str, object] = {}

    @property
    def down(self) -> bool:
        """True while nothing answers."""
        return self._outages.down

    @down.setter
    def down(self, value: bool) -> None:
        self._outages.down = value

    def fail_next(self, count: int = 1, *, after: int = 0) -> None:
        """Fail ``count`` operations once ``after`` more have passed. Opening, each call and commit are one each."""
        self._outages.fail_next(count, after=after)

    @asynccontextmanager
    async def unit(self) -> AsyncGenerator[UnitOfWork]:
        """A unit of work. Raises StorageFailed, and RuntimeError inside another unit of the same task."""
        if self._holder is not None and self._holder is asyncio.current_task():
            raise RuntimeError("a unit of work is open in this task already; units do not nest")
        async with self._turn:
            self._outages.check()
            session = Session(self._outages)
            unit = MemoryUnit(self._tables, session)
            self._holder = asyncio.current_task()
            try:
                yield unit
            finally:
                self._holder = None
                session.end()
                for table in self._tables.all():
                    table.undo()
        if unit.committed and unit.outbox.added:
            for sleeper in self._sleepers:
                sleeper.set()

    @asynccontextmanager
    async def wakeups(self) -> AsyncGenerator[Callable[[float], Awaitable[bool]]]:
        """Gives ``wait(seconds)``: True as soon as outbox rows were committed since the last wait, else False.

        The first wait is True at once: something may have been committed before.
        """
        rung = asyncio.Event()
        rung.set()
        self._sleepers.add(rung)

        async def wait(seconds: float) -> bool:
            try:
                async with asyncio.timeout(seconds):
                    await rung.wait()
            except TimeoutError:
                return False
            rung.clear()
            return True

        try:
            yield wait
        finally:
            self._sleepers.discard(rung)

    @asynccontextmanager
    async def leadership(self, name: str) -> AsyncGenerator[Callable[[], Awaitable[bool]]]:
        """Gives ``lead()``: True for the first that asks under this name, until it leaves the block."""
        mine = object()

        async def lead() -> bool:
            return not self.down and self._leaders.setdefault(name, mine) is mine

        try:
            yield lead
        finally:
            if self._leaders.get(name) is mine:
                del self._leaders[name]

    async def ping(self) -> None:
        """Raises StorageFailed when the store does not answer."""
        if self.down:
            raise StorageFailed("the store does not answer")

    async def close(self) -> None:
        """Nothing to let go of; here so that both databases close alike."""
