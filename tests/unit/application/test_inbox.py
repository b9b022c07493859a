"""The inbox: whoever comes together is stored together, and nobody notices."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.inboxes import a_delivery, told

from hip.adapters.memory.units import MemoryDatabase
from hip.application.inbox import MOST_AT_ONCE, Inbox
from hip.application.storage import Listing
from hip.domain.callbacks import Callback, Receipt
from hip.domain.errors import StorageFailed

STORED, REPEAT, CONFLICT = Receipt.STORED, Receipt.REPEAT, Receipt.CONFLICT

deliveries = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.sampled_from([0, 0, 0, 1, 3, 7])), max_size=14
)  # key, body, and how often others may run before it comes


async def _kept(database: MemoryDatabase) -> tuple[list[tuple[str, str]], int]:
    async with database.unit() as uow:
        callbacks = await uow.callbacks.list(Listing(limit=1000))
        return sorted((one.request_id, one.body_hash) for one in callbacks), await uow.outbox.waiting()


async def _one_by_one(sent: Sequence[Callback]) -> tuple[Sequence[Receipt], object]:
    database = MemoryDatabase()
    receipts = [await Inbox(database.unit).put(callback) for callback in sent]
    return receipts, await _kept(database)


@given(deliveries, st.integers(1, 5))
@settings(deadline=None)
def test_cb_04_deliveries_at_once_are_told_and_stored_as_if_they_had_come_one_by_one(
    arrivals: list[tuple[int, str, int]], most_together: int
) -> None:
    async def story() -> None:
        sent = [a_delivery(key, body) for key, body, _ in arrivals]
        database = MemoryDatabase()
        inbox = Inbox(database.unit, most_together=most_together)
        puts = []
        for callback, (_, _, pauses) in zip(sent, arrivals, strict=True):
            for _ in range(pauses):
                await asyncio.sleep(0)
            puts.append(asyncio.create_task(inbox.put(callback)))
        receipts = await asyncio.gather(*puts)
        assert (receipts, await _kept(database)) == await _one_by_one(sent)

    asyncio.run(story())


@given(deliveries, st.sets(st.integers(0, 13)))
@settings(deadline=None)
def test_whoever_stops_waiting_changes_nothing_for_the_others(
    arrivals: list[tuple[int, str, int]], gone: set[int]
) -> None:
    async def story() -> None:
        sent = [a_delivery(key, body) for key, body, _ in arrivals]
        database = MemoryDatabase()
        inbox = Inbox(database.unit, most_together=3)
        puts = [asyncio.create_task(inbox.put(callback)) for callback in sent]
        await asyncio.sleep(0)
        leaving = [put for number, put in enumerate(puts) if number in gone]
        for number, put in enumerate(leaving):
            await asyncio.sleep(0) if arrivals[number][2] % 2 else None
            put.cancel()
        await asyncio.gather(*puts, return_exceptions=True)
        await inbox.drained()
        receipts, kept = await _one_by_one(sent)
        assert await _kept(database) == kept
        assert all(put.cancelled() or put.result() == receipt for put, receipt in zip(puts, receipts, strict=True))

    asyncio.run(story())


@pytest.mark.parametrize("step", [0, 1, 2, 3], ids=["opening", "callbacks", "outbox", "commit"])
def test_an_outage_at_any_step_is_503_for_exactly_those_it_meets_and_leaves_nothing_half_stored(step: int) -> None:
    async def story() -> None:
        database = MemoryDatabase()
        inbox = Inbox(database.unit, most_together=3)
        database.fail_next(1, after=step)
        outcomes = await told(inbox, [a_delivery(key, "a") for key in range(6)])
        assert all(isinstance(outcome, StorageFailed) for outcome in outcomes[:3])
        assert outcomes[3:] == [STORED] * 3
        assert await _kept(database) == ([(f"request-{key}", "a") for key in (3, 4, 5)], 3)
        assert await told(inbox, [a_delivery(key, "a") for key in range(6)]) == [STORED] * 3 + [REPEAT] * 3

    asyncio.run(story())


def test_a_repeat_of_what_could_not_be_stored_is_not_acknowledged_either() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        database.fail_next(1, after=3)
        outcomes = await told(Inbox(database.unit), [a_delivery(1, "a"), a_delivery(1, "a"), a_delivery(1, "b")])
        assert [type(outcome) for outcome in outcomes] == [StorageFailed] * 3

    asyncio.run(story())


def test_while_the_store_is_down_all_who_wait_are_told_and_once_it_is_back_all_are_stored() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        inbox = Inbox(database.unit, most_together=4)
        database.down = True
        outcomes = await told(inbox, [a_delivery(key, "a") for key in range(10)])
        assert [type(outcome) for outcome in outcomes] == [StorageFailed] * 10
        database.down = False
        assert await told(inbox, [a_delivery(key, "a") for key in range(10)]) == [STORED] * 10

    asyncio.run(story())


def test_whoever_comes_when_too_many_wait_is_told_to_come_again() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        inbox = Inbox(database.unit, most_waiting=5)
        outcomes = await told(inbox, [a_delivery(key, "a") for key in range(8)])
        assert outcomes[:5] == [STORED] * 5
        assert all(isinstance(outcome, StorageFailed) for outcome in outcomes[5:])
        assert await told(inbox, [a_delivery(key, "a") for key in range(5, 8)]) == [STORED] * 3

    asyncio.run(story())


def test_while_the_store_hangs_whoever_waits_in_vain_is_told_and_what_it_holds_is_stored_once_it_goes_on() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        inbox = Inbox(database.unit, most_together=2, patience=0, longest_wait=0.05)
        async with database.unit():  # units wait for one another
            puts = [asyncio.create_task(inbox.put(a_delivery(key, "a"))) for key in range(20)]
            done, _ = await asyncio.wait(puts, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            assert {type(put.exception()) for put in done} == {StorageFailed}
            assert len(done) == 20 - 2 * MOST_AT_ONCE
        assert [await put for put in puts[: 2 * MOST_AT_ONCE]] == [STORED] * (2 * MOST_AT_ONCE)
        assert await told(inbox, [a_delivery(key, "a") for key in range(20)]) == [REPEAT] * 8 + [STORED] * 12

    asyncio.run(story())


def test_bodies_that_wait_are_bounded_too() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        inbox = Inbox(database.unit, most_bytes_waiting=1000)
        large = [a_delivery(key, "a", sealed_body=bytes(400)) for key in range(3)]
        outcomes = await told(inbox, large)
        assert [type(outcome) for outcome in outcomes] == [Receipt, Receipt, StorageFailed]
        assert await inbox.put(large[2]) is STORED

    asyncio.run(story())
