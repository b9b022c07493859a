"""The relay is woken when outbox rows were committed, and only then."""

import pytest
from tests.builders.conversations import an_audit_entry
from tests.builders.links import HIP
from tests.builders.moments import NOW
from tests.contract.units.conftest import Database

from hip.application.storage import Topic

pytestmark = pytest.mark.anyio
LONG, SHORT = 30.0, 0.05


async def test_a_committed_row_wakes_every_sleeper_once(database: Database) -> None:
    async with database.wakeups() as one, database.wakeups() as two:
        assert await one(LONG)  # whoever begins to listen is woken once, for it may have missed something
        assert await two(LONG)
        assert not await one(SHORT)
        async with database.unit() as uow:
            await uow.outbox.add(HIP, Topic.LINK, "a", run_at=NOW)
            await uow.outbox.add(HIP, Topic.LINK, "b", run_at=NOW)
            await uow.commit()
        assert await one(LONG)
        assert await two(LONG)
        assert not await one(SHORT)


async def test_an_undone_row_and_other_changes_wake_nobody(database: Database) -> None:
    async with database.wakeups() as wait:
        assert await wait(LONG)
        async with database.unit() as uow:
            await uow.outbox.add(HIP, Topic.LINK, "a", run_at=NOW)
        async with database.unit() as uow:
            await uow.audit.append(an_audit_entry())
            await uow.commit()
        assert not await wait(SHORT)
