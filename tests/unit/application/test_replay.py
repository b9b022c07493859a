"""An operator's replay is work for a worker and a line of the audit."""

import asyncio
from dataclasses import replace

import pytest
from tests.builders.conversations import a_callback
from tests.builders.links import HIP
from tests.builders.moments import NOW

from hip.adapters.memory.units import MemoryDatabase
from hip.application.callbacks import ReplayCallback
from hip.application.storage import Listing
from hip.domain.callbacks import CallbackId
from hip.domain.errors import DomainError


def test_aud_01_a_replay_is_queued_and_audited_with_who_asked_for_it() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        async with database.unit() as uow:
            await uow.callbacks.add(a_callback())
            await uow.commit()
        await ReplayCallback(database.unit, lambda: NOW)(HIP, CallbackId("callback-1"), actor="command line")
        async with database.unit() as uow:
            (entry,) = await uow.audit.list(Listing())
            assert await uow.outbox.waiting() == 1
        assert (entry.action, entry.subject, entry.actor) == ("callback-replayed", "callback-1", "command line")

    asyncio.run(story())


def test_a_callback_whose_body_was_cut_out_cannot_be_replayed_and_is_not_audited_as_if() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        async with database.unit() as uow:
            await uow.callbacks.add(replace(a_callback(), sealed_body=None))
            await uow.commit()
        with pytest.raises(DomainError, match="only the hash"):
            await ReplayCallback(database.unit, lambda: NOW)(HIP, CallbackId("callback-1"), actor="command line")
        async with database.unit() as uow:
            assert await uow.audit.list(Listing()) == []

    asyncio.run(story())
