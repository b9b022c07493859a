"""The inbox: what is delivered at the same moment is stored in one transaction, and acknowledged after its commit.

A commit costs more than all that is stored by it. So while one is under way the next deliveries gather, and go together
when it has ended (docs/adr/0023). Nothing waits for company: a delivery that finds no commit under way begins its own.
Nobody hears of a row before it lasts, and each hears of their own row alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hip.application.storage import Topic, UnitOfWork, Units, Work
from hip.domain.callbacks import Callback, Receipt
from hip.domain.errors import StorageFailed, Transient

MOST_TOGETHER = 128
"""Deliveries in one transaction."""

MOST_BYTES_TOGETHER = 8 * 1024 * 1024
"""Of bodies in one transaction; a single larger one goes alone."""

MOST_WAITING = 2048
MOST_BYTES_WAITING = 128 * 1024 * 1024
"""Deliveries that wait or are being stored, and their bodies. Whoever comes beyond is told to come again (503)."""

MOST_AT_ONCE = 4
PATIENCE = 0.25
"""Transactions at once, and seconds for which one is alone: one that hangs holds up nobody who comes after it."""

LONGEST_WAIT = 5.0
"""Seconds; when so many transactions hang for so long, all who wait behind them are told to come again (503)."""


@dataclass(slots=True, eq=False)
class _Line:
    """A delivery, and who waits for what becomes of it; they may have gone away meanwhile."""

    callback: Callback
    told: asyncio.Future[Receipt]

    @property
    def size(self) -> int:
        return len(self.callback.sealed_body or b"")

    def tell(self, outcome: Receipt | Exception) -> None:
        if self.told.done():
            return
        if isinstance(outcome, Receipt):
            self.told.set_result(outcome)
        else:
            self.told.set_exception(outcome)


@dataclass(slots=True, eq=False)
class Inbox:
    """One of these for a process; it works in the event loop of whoever calls it."""

    units: Units
    most_together: int = MOST_TOGETHER
    most_waiting: int = MOST_WAITING
    most_bytes_waiting: int = MOST_BYTES_WAITING
    patience: float = PATIENCE
    longest_wait: float = LONGEST_WAIT
    _waiting: deque[_Line] = field(default_factory=deque, repr=False)
    _held: int = 0
    _held_bytes: int = 0
    _writer: asyncio.Task[None] | None = None
    _writing: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    async def put(self, callback: Callback) -> Receipt:
        """Store a delivery, and the outbox row that makes a worker take it up; returns once both last.

        Raises StorageFailed (answer 503): then it may or may not be stored, and the gateway comes again. Whoever stops
        waiting takes nothing back.
        """
        line = _Line(callback, asyncio.get_running_loop().create_future())
        if self._held >= self.most_waiting or self._held_bytes + line.size > self.most_bytes_waiting:
            raise StorageFailed("too many deliveries wait to be stored")
        self._held += 1
        self._held_bytes += line.size
        self._waiting.append(line)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_waiting())
        return await line.told

    async def drained(self) -> None:
        """Until nothing waits any more and nothing is being stored."""
        while self._writer is not None or self._writing:
            await asyncio.wait({*self._writing, *([] if self._writer is None else [self._writer])})

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                if len(self._writing) < MOST_AT_ONCE:
                    written = asyncio.create_task(self._write(self._next()))
                    self._writing.add(written)
                    written.add_done_callback(self._writing.discard)
                    await asyncio.wait({written}, timeout=self.patience)
                elif not await self._one_ends():
                    self._send_away()
        finally:
            self._writer = None

    async def _one_ends(self) -> bool:
        ended, _ = await asyncio.wait(self._writing, timeout=self.longest_wait, return_when=asyncio.FIRST_COMPLETED)
        return bool(ended)

    def _send_away(self) -> None:
        while self._waiting:
            self._leave(self._waiting.popleft(), StorageFailed("the store does not answer"))

    def _leave(self, line: _Line, outcome: Receipt | Exception) -> None:
        self._held -= 1
        self._held_bytes -= line.size
        line.tell(outcome)

    def _next(self) -> Sequence[_Line]:
        """In the order of their arrival."""
        lines = [self._waiting.popleft()]
        size = lines[0].size
        while self._waiting and len(lines) < self.most_together:
            size += self._waiting[0].size
            if size > MOST_BYTES_TOGETHER:
                break
            lines.append(self._waiting.popleft())
        return lines

    async def _write(self, lines: Sequence[_Line]) -> None:
        outcomes: list[Receipt | Exception] = [Transient("the transaction broke off") for _ in lines]
        try:
            outcomes = await self._outcomes(lines)
        finally:
            for line, outcome in zip(lines, outcomes, strict=True):
                self._leave(line, outcome)

    async def _outcomes(self, lines: Sequence[_Line]) -> list[Receipt | Exception]:
        callbacks = [line.callback for line in lines]
        try:
            return list(await self._stored(callbacks))
        except StorageFailed as outage:  # nobody's fault, and the same for all
            return [StorageFailed(str(outage)) for _ in lines]
        except Exception as failure:  # noqa: BLE001 - raised to whoever delivered
            if len(lines) == 1:
                return [failure]
        return await self._one_by_one(callbacks)

    async def _one_by_one(self, callbacks: Sequence[Callback]) -> list[Receipt | Exception]:
        """One of them cannot be stored: it must be nobody else's matter."""
        outcomes: list[Receipt | Exception] = []
        for callback in callbacks:
            try:
                outcomes += await self._stored([callback])
            except StorageFailed as outage:
                return outcomes + [StorageFailed(str(outage)) for _ in callbacks[len(outcomes) :]]
            except Exception as failure:  # noqa: BLE001 - raised to whoever delivered
                outcomes.append(failure)
        return outcomes

    async def _stored(self, callbacks: Sequence[Callback]) -> Sequence[Receipt]:
        async with self.units() as uow:
            receipts = await uow.callbacks.add_all(callbacks)
            new = [one for one, receipt in zip(callbacks, receipts, strict=True) if receipt is Receipt.STORED]
            if new:
                await _cause_work(uow, new)
                await uow.commit()
        return receipts


async def _cause_work(uow: UnitOfWork, callbacks: Sequence[Callback]) -> None:
    await uow.outbox.add_all(
        [
            Work(hip_id=callback.hip_id, topic=Topic.CALLBACK, key=callback.id, run_at=callback.received_at)
            for callback in callbacks
        ]
    )
