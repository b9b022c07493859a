"""The inbox on a real server: what one row does to those it is stored with, and who waits for whom."""

import asyncio
import sys

import pytest
from tests.builders.inboxes import a_delivery, told

from hip.adapters.postgres.units import PostgresDatabase
from hip.application.inbox import Inbox
from hip.application.storage import Listing
from hip.domain.callbacks import Receipt

pytestmark = pytest.mark.anyio


async def _kept(database: PostgresDatabase) -> list[str]:
    """The REQUEST-IDs of what is stored; each has caused work, once."""
    async with database.unit() as uow:
        callbacks = await uow.callbacks.list(Listing(limit=100_000))
        work = await uow.outbox.list(Listing(limit=100_000))
        assert sorted(job.key for job in work) == sorted(callback.id for callback in callbacks)
        return sorted(callback.request_id for callback in callbacks)


@pytest.mark.parametrize(
    "path", [pytest.param("/a\0b", id="a NUL"), pytest.param("/" + "".join(map(chr, range(32, 20000))), id="too long")]
)
async def test_a_row_that_the_server_refuses_fails_alone(database: PostgresDatabase, path: str) -> None:
    sent = [a_delivery(0, "a"), a_delivery(1, "a", path=path), a_delivery(2, "a"), a_delivery(0, "a")]
    outcomes = await told(Inbox(database.unit), sent)
    assert isinstance(outcomes[1], RuntimeError)
    assert [outcomes[0], *outcomes[2:]] == [Receipt.STORED, Receipt.STORED, Receipt.REPEAT]
    assert await _kept(database) == ["request-0", "request-2"]


async def test_a_delivery_that_must_wait_for_another_process_holds_up_only_those_stored_with_it(
    database: PostgresDatabase,
) -> None:
    inbox = Inbox(database.unit)
    async with database.unit() as elsewhere:
        await elsewhere.callbacks.add(a_delivery(0, "a"))
        held = asyncio.create_task(inbox.put(a_delivery(0, "a")))
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            assert await asyncio.create_task(inbox.put(a_delivery(1, "a"))) is Receipt.STORED
        assert not held.done()
        await elsewhere.commit()
    assert await held is Receipt.REPEAT


async def test_what_another_process_gives_up_is_stored_by_whoever_waited_for_it(database: PostgresDatabase) -> None:
    inbox = Inbox(database.unit)
    async with database.unit() as elsewhere:
        await elsewhere.callbacks.add(a_delivery(0, "a"))
        held = asyncio.create_task(inbox.put(a_delivery(0, "b")))
        await asyncio.sleep(0.1)
    assert await held is Receipt.STORED


async def test_whatever_was_acknowledged_before_a_kill_is_stored_with_its_work(
    database: PostgresDatabase, url: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.postgres.acknowledging", url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    acknowledged = [(await process.stdout.readline()).decode().strip() for _ in range(300)]
    process.kill()
    acknowledged += (await process.stdout.read()).decode().split("\n")[:-1]
    await process.wait()
    kept = await _kept(database)
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
