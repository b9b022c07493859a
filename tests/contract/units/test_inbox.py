"""The inbox on every database: what is delivered at the same moment is stored once, and told to each alone (CB-04)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from tests.builders.inboxes import a_delivery, broken_off_once, told

from hip.application.inbox import Inbox
from hip.application.storage import Listing, Units
from hip.domain.callbacks import Receipt
from hip.domain.errors import StorageFailed

pytestmark = pytest.mark.anyio


async def _stored(units: Units) -> tuple[list[str], int]:
    """The bodies' hashes, and how much work they caused."""
    async with units() as uow:
        callbacks = await uow.callbacks.list(Listing(limit=1000))
        return sorted(callback.body_hash for callback in callbacks), await uow.outbox.waiting()


async def test_cb_04_of_many_deliveries_at_once_each_key_is_stored_once_and_causes_work_once(units: Units) -> None:
    inbox = Inbox(units)
    sent = [a_delivery(key, body) for body in ("a", "b") for _ in range(2) for key in range(20)]
    receipts = await asyncio.gather(*(inbox.put(one) for one in sent))
    assert Counter(receipts) == {Receipt.STORED: 20, Receipt.REPEAT: 20, Receipt.CONFLICT: 40}
    assert await _stored(units) == (["a"] * 20, 20)


async def test_two_processes_that_get_the_same_deliveries_in_opposite_order_store_each_once(units: Units) -> None:
    inboxes = Inbox(units, most_together=7), Inbox(units, most_together=11)
    puts = [inboxes[0].put(a_delivery(key, "a")) for key in range(40)]
    puts += [inboxes[1].put(a_delivery(key, "a")) for key in reversed(range(40))]
    assert Counter(await asyncio.gather(*puts)) == {Receipt.STORED: 40, Receipt.REPEAT: 40}
    assert await _stored(units) == (["a"] * 40, 40)


async def test_an_outage_is_told_to_all_whom_it_meets_and_what_comes_after_it_is_stored(
    units: Units, breaks: Callable[[], Awaitable[None]]
) -> None:
    inbox = Inbox(broken_off_once(units, breaks))
    outcomes = await told(inbox, [a_delivery(key, "a") for key in range(5)])
    assert all(isinstance(outcome, StorageFailed) for outcome in outcomes)
    assert await _stored(units) == ([], 0)
    again = await told(inbox, [a_delivery(key, "a") for key in range(5)])
    assert again == [Receipt.STORED] * 5
    assert await _stored(units) == (["a"] * 5, 5)


async def test_once_it_is_drained_everything_that_came_is_stored(units: Units) -> None:
    inbox = Inbox(units, most_together=3)
    puts = [asyncio.create_task(inbox.put(a_delivery(key, "a"))) for key in range(10)]
    await asyncio.sleep(0)
    await inbox.drained()
    assert await _stored(units) == (["a"] * 10, 10)
    assert await asyncio.gather(*puts) == [Receipt.STORED] * 10
