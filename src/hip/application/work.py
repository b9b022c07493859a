"""The worker's side of the outbox: run leased rows, and say truthfully what became of each."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Protocol, runtime_checkable

from hip.application.bundling import note_failed_bundle
from hip.application.ports import Clock
from hip.application.storage import Claim, OutboxRow, Topic, Units
from hip.application.tries import TRIES, counts, used_up
from hip.application.waits import Waits
from hip.domain.bundle_jobs import CALM
from hip.domain.errors import CircuitOpen, DomainError, StorageFailed, Transient, Waiting
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.transfers import TransferState


class Handler(Protocol):
    async def __call__(self, hip_id: HipId, key: str) -> None: ...


class Report(Protocol):
    def __call__(self, event: str, *, topic: str, row: int, attempt: int, error: str) -> None:
        """One line for the log: never a value, only the kind of error and its code."""


@runtime_checkable
class BatchHandler(Protocol):
    """A handler that does many rows together, and marks done what it did."""

    def batch(self, rows: Sequence[OutboxRow]) -> AsyncGenerator[tuple[OutboxRow, Exception | None]]:
        """Each row with None once it is done, or with what went wrong about it alone."""


@dataclass(frozen=True, slots=True)
class RunRows:
    """Runs a batch of one topic. Each row stands alone: a poisoned one does not fail its batch."""

    units: Units
    handlers: Mapping[Topic, Handler]
    clock: Clock
    waits: Waits
    jitter: Callable[[], float]
    report: Report
    tries: Mapping[Topic, int] = field(default_factory=lambda: TRIES)

    async def __call__(self, claims: Sequence[Claim], *, stopping: Callable[[], bool] = lambda: False) -> None:
        """``claims`` are (row id, attempt) as they stood in the job. Leases are renewed while the batch runs.

        Once ``stopping`` says so, what nobody has begun is given back, for another worker to take at once.
        """
        held = await self._held(claims)
        pending = {row.id: row for row in held}
        beat = asyncio.create_task(self._renew(pending))
        try:
            by_topic = [list(rows) for _, rows in groupby(held, key=lambda row: row.topic)]
            for rows in by_topic:
                handler = self.handlers[rows[0].topic]
                if isinstance(handler, BatchHandler):
                    await self._run_together(handler, rows, pending, stopping)
                else:
                    await self._run_each(rows, pending, stopping)
            if pending:
                await self._give_back(list(pending.values()))
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat

    async def _run_each(
        self, rows: Sequence[OutboxRow], pending: dict[int, OutboxRow], stopping: Callable[[], bool]
    ) -> None:
        for row in sorted(rows, key=_calm_first):
            if stopping():
                return
            await self._run(row.id, row.attempt)
            del pending[row.id]

    async def _run_together(
        self,
        handler: BatchHandler,
        rows: Sequence[OutboxRow],
        pending: dict[int, OutboxRow],
        stopping: Callable[[], bool],
    ) -> None:
        async with aclosing(handler.batch(rows)) as outcomes:
            async for row, failure in outcomes:
                if failure is not None:
                    await self._failed(row, failure)
                del pending[row.id]
                if stopping():
                    return

    async def _give_back(self, rows: Sequence[OutboxRow]) -> None:
        with suppress(StorageFailed):  # then the leases run out
            async with self.units() as uow:
                await uow.outbox.give_back([(row.id, row.attempt) for row in rows], run_at=self.clock())
                await uow.commit()

    async def _held(self, claims: Sequence[Claim]) -> Sequence[OutboxRow]:
        """Those whose lease still holds, renewed: the batch may have waited for most of it."""
        async with self.units() as uow:
            held = await uow.outbox.held(claims)
            if held:
                await uow.outbox.renew([row.id for row in held], until=self.clock() + self.waits.lease)
                await uow.commit()
        return held

    async def _renew(self, pending: Mapping[int, OutboxRow]) -> None:
        while True:
            await asyncio.sleep(self.waits.heartbeat.total_seconds())
            with suppress(StorageFailed):
                async with self.units() as uow:
                    await uow.outbox.renew(sorted(pending), until=self.clock() + self.waits.lease)
                    await uow.commit()

    async def _run(self, row_id: int, attempt: int) -> None:
        async with self.units() as uow:
            row = await uow.outbox.current(row_id, attempt)
        if row is None:
            return
        try:
            await self.handlers[row.topic](row.hip_id, row.key)
        except Exception as failure:  # noqa: BLE001 - a bug in one row must not lose the others
            await self._failed(row, failure)
        else:
            async with self.units() as uow:
                await uow.outbox.done(row.id, row.attempt)
                await uow.commit()

    async def _failed(self, row: OutboxRow, failure: Exception) -> None:
        match failure:
            case Transient():
                await self._later(row, failure)
            case DomainError():
                error = _kind(failure)
                self._tell("row-refused", row, error)
                await self._bury(row, error)
            case _:
                self._tell("row-failed", row, type(failure).__name__)
                await self._later(row, Transient("a bug"), error=type(failure).__name__)

    async def _later(self, row: OutboxRow, failure: Transient, *, error: str | None = None) -> None:
        error = None if isinstance(failure, Waiting) else error or _kind(failure)
        if error is not None:
            self._tell("row-deferred", row, error)
        if used_up(row, failure, self.tries):
            await self._bury(row, error)
            return
        wait: timedelta = failure.retry_after or self.waits.backoff(row.attempt, jitter=self.jitter())
        if isinstance(failure, CircuitOpen):
            # Not all at the moment when one may try: the others would only be stopped again.
            wait += self.waits.backoff(min(row.attempt, 4), jitter=self.jitter())
        with suppress(StorageFailed):  # the lease runs out and the row comes back by itself
            async with self.units() as uow:
                run_at = self.clock() + wait
                held = await uow.outbox.defer(
                    row.id, row.attempt, run_at=run_at, error=error, counted=counts(row, failure)
                )
                if held and row.topic is Topic.BUNDLE:
                    await note_failed_bundle(uow, row, error=error, next_run_at=run_at, now=self.clock())
                await uow.commit()

    async def _bury(self, row: OutboxRow, error: str | None) -> None:
        async with self.units() as uow:
            held = await uow.outbox.bury(row.id, row.attempt, error=error)
            if held and row.topic is Topic.BUNDLE:
                await note_failed_bundle(uow, row, error=error, next_run_at=None, now=self.clock())
            if row.topic is Topic.TRANSFER:
                transfer = await uow.transfers.lock(row.hip_id, TransactionId(row.key))
                if transfer is not None and transfer.state not in (TransferState.DONE, TransferState.DEAD):
                    await uow.transfers.save(transfer.give_up("too many failures", now=self.clock()))
            await uow.commit()

    def _tell(self, event: str, row: OutboxRow, error: str) -> None:
        self.report(event, topic=row.topic, row=row.id, attempt=row.attempt, error=error)


def _calm_first(row: OutboxRow) -> tuple[bool, bytes]:
    """Rows that come back again and again stand last, in an order that is another one at each attempt.

    One of them may be what ends its workers, and whatever stands behind it is not run.
    """
    again = row.attempt > CALM
    return again, hashlib.sha256(f"{row.id} {row.attempt}".encode()).digest() if again else b""


def _kind(error: DomainError | Transient) -> str:
    """The kind of error and its code: what may be kept and logged of it."""
    return f"{type(error).__name__} {error.code or ''}".strip()
