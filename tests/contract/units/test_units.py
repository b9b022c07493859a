"""A unit of work is one transaction, whichever store is behind it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.builders.conversations import an_audit_entry, an_exchange
from tests.builders.links import HIP, a_care_context
from tests.builders.moments import NOW
from tests.builders.transfers import a_transfer

from hip.application.storage import Listing, Topic, Units
from hip.domain.errors import StorageFailed
from hip.domain.exchanges import ExchangeId, Flow
from hip.domain.identifiers import RequestId, TransactionId

pytestmark = pytest.mark.anyio
TRANSFER = TransactionId("transfer-1")


async def test_what_was_committed_lasts(units: Units) -> None:
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.outbox.add(HIP, Topic.TRANSFER, TRANSFER, run_at=NOW)
        await uow.commit()
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) == a_transfer()
        assert await uow.outbox.waiting() == 1


async def test_leaving_without_commit_undoes_everything(units: Units) -> None:
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.care_contexts.save(a_care_context())
        await uow.commit()
    async with units() as uow:
        await uow.transfers.save(a_transfer(attempts=9))
        await uow.care_contexts.save(a_care_context(display="changed"))
        await uow.exchanges.save(an_exchange())
        await uow.audit.append(an_audit_entry())
        await uow.outbox.add(HIP, Topic.LINK, "88120", run_at=NOW)
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) == a_transfer()
        assert await uow.care_contexts.of_patient(HIP, a_care_context().patient_reference) == [a_care_context()]
        assert await uow.exchanges.list(Listing()) == []
        assert await uow.audit.list(Listing()) == []
        assert await uow.outbox.waiting() == 0


async def test_an_error_undoes_everything_and_comes_through_unchanged(units: Units) -> None:
    async def fails() -> None:
        async with units() as uow:
            await uow.transfers.add(a_transfer())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) is None


async def test_cancellation_undoes_everything(units: Units) -> None:
    written = asyncio.Event()

    async def never_ends() -> None:
        async with units() as uow:
            await uow.transfers.add(a_transfer())
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(never_ends())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) is None


async def test_a_unit_sees_what_it_wrote(units: Units) -> None:
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        assert await uow.transfers.lock(HIP, TRANSFER) == a_transfer()


async def test_an_undone_insert_leaves_the_key_free(units: Units) -> None:
    async with units() as uow:
        assert await uow.transfers.add(a_transfer(attempts=1))
    async with units() as uow:
        assert await uow.transfers.add(a_transfer(attempts=2))
        await uow.commit()


async def test_commit_may_be_called_once(units: Units) -> None:
    async with units() as uow:
        await uow.commit()
        with pytest.raises(RuntimeError, match="ended"):
            await uow.commit()


async def test_nothing_may_be_asked_of_a_unit_that_committed(units: Units) -> None:
    async with units() as uow:
        await uow.commit()
        with pytest.raises(RuntimeError, match="ended"):
            await uow.transfers.add(a_transfer())
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) is None


async def test_nothing_may_be_asked_of_a_unit_that_was_left(units: Units) -> None:
    async with units() as uow:
        pass
    with pytest.raises(RuntimeError, match="ended"):
        await uow.outbox.waiting()


async def test_units_do_not_nest(units: Units) -> None:
    async with units():
        with pytest.raises(RuntimeError, match="nest"):
            async with units():
                pass
    async with units() as uow:  # and the refusal leaves nothing behind
        assert await uow.outbox.waiting() == 0


async def test_units_of_different_tasks_run_side_by_side_or_take_turns(units: Units) -> None:
    async def add(number: int) -> None:
        async with units() as uow:
            await uow.transfers.add(a_transfer(transaction_id=TransactionId(f"transfer-{number}")))
            await uow.commit()

    await asyncio.gather(*(add(number) for number in range(20)))
    async with units() as uow:
        assert len(await uow.transfers.list(Listing())) == 20


async def test_a_locked_row_is_counted_up_by_five_without_a_loss(units: Units) -> None:
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.commit()

    async def count_up() -> None:
        async with units() as uow:
            transfer = await uow.transfers.lock(HIP, TRANSFER)
            assert transfer is not None
            await asyncio.sleep(0)
            await uow.transfers.save(transfer.attempt(now=NOW))
            await uow.commit()

    await asyncio.gather(*(count_up() for _ in range(5)))
    async with units() as uow:
        transfer = await uow.transfers.get(HIP, TRANSFER)
    assert transfer is not None
    assert transfer.attempts == 5


async def test_lock_latest_keeps_four_of_five_from_opening_the_same_exchange(units: Units) -> None:
    """Single flight (LINK-02) also when there is no row yet that could be locked."""
    opened: list[int] = []

    async def ask(number: int) -> None:
        async with units() as uow:
            latest = await uow.exchanges.lock_latest(HIP, Flow.GENERATE_TOKEN, "meera.k01@sbx")
            await asyncio.sleep(0)
            if latest is None:
                exchange_id, request_id = ExchangeId(f"exchange-{number}"), RequestId(f"attempt-{number}")
                await uow.exchanges.save(an_exchange(id_=exchange_id, request_id=request_id))
                opened.append(number)
            await uow.commit()

    await asyncio.gather(*(ask(number) for number in range(5)))
    assert len(opened) == 1


async def test_only_one_of_five_adds_the_same_transfer(units: Units) -> None:
    """REL-16."""

    async def add() -> bool:
        async with units() as uow:
            added = await uow.transfers.add(a_transfer())
            await uow.commit()
            return added

    assert sorted(await asyncio.gather(*(add() for _ in range(5)))) == [False] * 4 + [True]


async def test_after_the_store_broke_off_nothing_of_the_unit_can_be_committed(
    units: Units, breaks: Callable[[], Awaitable[None]]
) -> None:
    async def broken() -> None:
        async with units() as uow:
            await uow.transfers.add(a_transfer())
            await breaks()
            with pytest.raises(StorageFailed):
                await uow.transfers.save(replace(a_transfer(), attempts=1))
            with pytest.raises(StorageFailed):
                await uow.transfers.get(HIP, TRANSFER)
            await uow.commit()

    with pytest.raises(StorageFailed):
        await broken()
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) is None


async def test_a_commit_that_the_store_does_not_confirm_fails(
    units: Units, breaks: Callable[[], Awaitable[None]]
) -> None:
    async def unconfirmed() -> None:
        async with units() as uow:
            await uow.transfers.add(a_transfer())
            await breaks()
            await uow.commit()

    with pytest.raises(StorageFailed):
        await unconfirmed()
    async with units() as uow:
        assert await uow.transfers.get(HIP, TRANSFER) is None


async def test_an_outage_between_two_statements_does_not_hide_the_callers_own_error(
    units: Units, breaks: Callable[[], Awaitable[None]]
) -> None:
    async def fails() -> None:
        async with units() as uow:
            await uow.transfers.add(a_transfer())
            await breaks()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
