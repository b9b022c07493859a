"""Deliveries for an inbox, and what becomes of many at once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, cast

from tests.builders.conversations import a_callback

from hip.application.inbox import Inbox
from hip.application.storage import UnitOfWork, Units
from hip.domain.callbacks import Callback, CallbackId, Receipt
from hip.domain.identifiers import RequestId

_numbers = count(1)


class _BrokenOff:
    """A unit whose store goes away at the commit."""

    def __init__(self, uow: UnitOfWork, breaks: Callable[[], Awaitable[None]]) -> None:
        self._uow = uow
        self._breaks = breaks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    async def commit(self) -> None:
        await self._breaks()
        await self._uow.commit()


def broken_off_once(units: Units, breaks: Callable[[], Awaitable[None]]) -> Units:
    """``units``, of which the first is broken off by ``breaks`` when it is to be committed."""
    first = count()

    @asynccontextmanager
    async def unit() -> AsyncGenerator[UnitOfWork]:
        async with units() as uow:
            yield cast("UnitOfWork", _BrokenOff(uow, breaks)) if next(first) == 0 else uow

    return unit


def a_delivery(key: int, body: str, **changes: Any) -> Callback:
    """With a fresh id; deliveries of one ``key`` have one REQUEST-ID, those of one ``body`` are repeats."""
    return a_callback(
        **{
            "id": CallbackId(f"delivery-{next(_numbers)}"),
            "request_id": RequestId(f"request-{key}"),
            "body_hash": body,
            **changes,
        }
    )


async def told(inbox: Inbox, callbacks: Sequence[Callback]) -> Sequence[Receipt | BaseException]:
    """What each is told when all are delivered at once."""
    return await asyncio.gather(*(inbox.put(callback) for callback in callbacks), return_exceptions=True)
