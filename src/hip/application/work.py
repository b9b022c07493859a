"""The worker's side of the outbox: run leased rows, and say truthfully what became of each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from hip.application.ports import Clock
from hip.application.storage import OutboxRow, Topic, Units
from hip.application.waits import Waits
from hip.domain.errors import DomainError, StorageFailed, Transient, Waiting
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.transfers import TransferState

ATTEMPTS = 20
"""After so many the row is dead and waits for an operator."""

TRANSFER_ATTEMPTS = 400
"""A transfer has a deadline of its own, and takes a lease for each look at whether its turn has come."""


class Handler(Protocol):
    async def __call__(self, hip_id: HipId, key: str) -> None: ...


class Report(Protocol):
    def __call__(self, event: str, *, topic: str, row: int, attempt: int, error: str) -> None:
        """One line for the log: never a value, only the kind of error and its code."""


@dataclass(frozen=True, slots=True)
class RunRows:
    """Runs a batch of one topic. Each row stands alone: a poisoned one does not fail its batch."""

    units: Units
    handlers: Mapping[Topic, Handler]
    clock: Clock
    waits: Waits
    jitter: Callable[[], float]
    report: Report

    async def __call__(self, claims: Sequence[tuple[int, int]]) -> None:
        """``claims`` are (row id, attempt) as they stood in the job. Leases are renewed while the batch runs."""
        held = await self._held(claims)
        pending = {row_id for row_id, _ in held}
        beat = asyncio.create_task(self._renew(pending))
        try:
            for row_id, attempt in held:
                await self._run(row_id, attempt)
                pending.discard(row_id)
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat

    async def _held(self, claims: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
        """Those whose lease still holds, renewed: the batch may have waited for most of it."""
        async with self.units() as uow:
            held = [claim for claim in claims if await uow.outbox.current(*claim) is not None]
            if held:
                await uow.outbox.renew([row_id for row_id, _ in held], until=self.clock() + self.waits.lease)
                await uow.commit()
        return held

    async def _renew(self, pending: set[int]) -> None:
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
        except Transient as failure:
            await self._later(row, failure)
        except DomainError as refusal:
            error = _kind(refusal)
            self._tell("row-refused", row, error)
            await self._bury(row, error)
        except Exception as bug:  # noqa: BLE001 - a bug in one row must not lose the others
            self._tell("row-failed", row, type(bug).__name__)
            await self._later(row, Transient("a bug"), error=type(bug).__name__)
        else:
            async with self.units() as uow:
                await uow.outbox.done(row.id, row.attempt)
                await uow.commit()

    async def _later(self, row: OutboxRow, failure: Transient, *, error: str | None = None) -> None:
        waits = isinstance(failure, Waiting)
        error = None if waits else error or _kind(failure)
        if error is not None:
            self._tell("row-deferred", row, error)
        most = TRANSFER_ATTEMPTS if row.topic is Topic.TRANSFER else ATTEMPTS
        if row.attempt >= most and row.topic is not Topic.CALLBACK and not waits:
            await self._bury(row, error)
            return
        wait: timedelta = failure.retry_after or self.waits.backoff(row.attempt, jitter=self.jitter())
        with suppress(StorageFailed):  # the lease runs out and the row comes back by itself
            async with self.units() as uow:
                await uow.outbox.defer(row.id, row.attempt, run_at=self.clock() + wait, error=error)
                await uow.commit()

    async def _bury(self, row: OutboxRow, error: str | None) -> None:
        async with self.units() as uow:
            await uow.outbox.bury(row.id, row.attempt, error=error)
            if row.topic is Topic.TRANSFER:
                transfer = await uow.transfers.lock(row.hip_id, TransactionId(row.key))
                if transfer is not None and transfer.state not in (TransferState.DONE, TransferState.DEAD):
                    await uow.transfers.save(transfer.give_up("too many failures", now=self.clock()))
            await uow.commit()

    def _tell(self, event: str, row: OutboxRow, error: str) -> None:
        self.report(event, topic=row.topic, row=row.id, attempt=row.attempt, error=error)


def _kind(error: DomainError | Transient) -> str:
    """The kind of error and its code: what may be kept and logged of it."""
    return f"{type(error).__name__} {error.code or ''}".strip()
