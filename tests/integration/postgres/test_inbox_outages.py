"""The inbox while the server goes away again and again: the gateway comes again, and in the end nothing is amiss."""

import asyncio
import os
import random
from collections import defaultdict

import pytest
from tests.builders.databases import cut_off, emptied
from tests.builders.inboxes import a_delivery

from hip.adapters.postgres.units import PostgresDatabase
from hip.application.inbox import Inbox
from hip.application.storage import Listing
from hip.domain.callbacks import Receipt
from hip.domain.errors import StorageFailed

pytestmark = pytest.mark.anyio
DELIVERIES, KEYS = 60, 12

Told = dict[int, list[tuple[str, Receipt]]]
"""For each key the bodies that came under it, and what became of each."""


async def _deliver_all(database: PostgresDatabase, url: str, chance: random.Random) -> Told:
    """Two processes' worth of deliveries at random moments, each repeated until it is answered; cut off twice."""
    inboxes = [Inbox(database.unit, most_together=chance.randint(1, 9)) for _ in range(2)]
    told: Told = defaultdict(list)

    async def deliver(key: int, body: str, inbox: Inbox, moment: float) -> None:
        await asyncio.sleep(moment)
        while True:
            try:
                told[key].append((body, await inbox.put(a_delivery(key, body))))
            except StorageFailed:
                await asyncio.sleep(0.01)
            else:
                return

    async def cut_twice() -> None:
        for moment in (chance.uniform(0, 0.1), chance.uniform(0, 0.1)):
            await asyncio.sleep(moment)
            await cut_off(url)

    sent = [
        deliver(chance.randrange(KEYS), chance.choice("ab"), chance.choice(inboxes), chance.uniform(0, 0.1))
        for _ in range(DELIVERIES)
    ]
    await asyncio.gather(*sent, cut_twice())
    return told


@pytest.mark.parametrize("rounds", [3, pytest.param(200, marks=pytest.mark.soak)])
async def test_cb_04_through_outages_each_key_is_stored_once_with_its_work_and_every_receipt_is_true(
    database: PostgresDatabase, url: str, rounds: int
) -> None:
    chance = random.Random(int(os.environ.get("HIP_SOAK_SEED", "1")))
    for number in range(rounds):
        await emptied(url)
        told = await _deliver_all(database, url, chance)
        async with database.unit() as uow:
            callbacks = await uow.callbacks.list(Listing(limit=1000))
            work = await uow.outbox.list(Listing(limit=1000))
        stored = {callback.request_id: callback.body_hash for callback in callbacks}
        assert len(stored) == len(callbacks) == len(told), number
        assert sorted(job.key for job in work) == sorted(callback.id for callback in callbacks)
        for key, receipts in told.items():
            kept = stored[f"request-{key}"]
            for body, receipt in receipts:
                assert (receipt is Receipt.CONFLICT) == (body != kept), (number, key)
            # None is told so when the answer to the commit itself got lost: then it came again, and was a repeat.
            assert sum(receipt is Receipt.STORED for _, receipt in receipts) <= 1
