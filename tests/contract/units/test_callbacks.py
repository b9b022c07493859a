"""Callbacks: kept once, told apart by their bodies (CB-04)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.builders.conversations import a_callback, an_audit_entry
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import NOW, SECOND

from hip.application.storage import Listing, Units
from hip.domain.callbacks import Callback, CallbackId, CallbackState, Receipt
from hip.domain.errors import Conflict, NotFound
from hip.domain.identifiers import RequestId

pytestmark = pytest.mark.anyio
FIRST = CallbackId("callback-1")


async def add(units: Units, callback: Callback) -> bool:
    async with units() as uow:
        added = await uow.callbacks.add(callback)
        await uow.commit()
        return added


async def get(units: Units) -> Callback | None:
    async with units() as uow:
        return await uow.callbacks.get(HIP, FIRST)


async def test_a_callback_is_kept_as_it_came(units: Units) -> None:
    callback = a_callback(late=True, verified=False, headers=(("authorization", 812), ("x-hip-id", 12)))
    assert await add(units, callback)
    assert await get(units) == callback


async def test_cb_04_a_repeat_with_the_same_body_is_no_second_callback(units: Units) -> None:
    await add(units, a_callback())
    assert not await add(units, a_callback(id=CallbackId("callback-2"), received_at=NOW + SECOND))
    async with units() as uow:
        assert await uow.callbacks.list(Listing()) == [a_callback()]


async def test_cb_04_another_body_under_the_same_request_id_is_a_conflict(units: Units) -> None:
    await add(units, a_callback())
    with pytest.raises(Conflict):
        await add(units, a_callback(id=CallbackId("callback-2"), body_hash="00" * 32))
    assert await get(units) == a_callback()


async def test_a_conflict_leaves_the_unit_alive_so_that_it_can_be_written_down(units: Units) -> None:
    await add(units, a_callback())
    async with units() as uow:
        with pytest.raises(Conflict):
            await uow.callbacks.add(a_callback(id=CallbackId("callback-2"), body_hash="00" * 32))
        await uow.audit.append(an_audit_entry(action="conflict"))
        await uow.commit()
    async with units() as uow:
        assert [entry.action for entry in await uow.audit.list(Listing())] == ["conflict"]


async def test_the_same_request_id_on_another_path_is_another_callback(units: Units) -> None:
    await add(units, a_callback())
    assert await add(units, a_callback(id=CallbackId("callback-2"), path="/api/v3/consent/request/hip/notify"))


async def test_an_id_is_never_given_to_two_callbacks(units: Units) -> None:
    await add(units, a_callback())
    with pytest.raises(Conflict):
        await add(units, a_callback(request_id=RequestId("another")))


async def test_of_five_deliveries_at_once_one_is_kept(units: Units) -> None:
    deliveries = (add(units, a_callback(id=CallbackId(f"callback-{number}"))) for number in range(5))
    assert sorted(await asyncio.gather(*deliveries)) == [False] * 4 + [True]


def _as(number: int, **changes: Any) -> Callback:
    return a_callback(id=CallbackId(f"callback-{number}"), **changes)


async def _add_all(units: Units, *callbacks: Callback) -> Sequence[Receipt]:
    async with units() as uow:
        receipts = await uow.callbacks.add_all(callbacks)
        await uow.commit()
        return receipts


async def test_cb_04_of_deliveries_stored_together_each_has_its_own_receipt_in_their_order(units: Units) -> None:
    await add(units, a_callback())
    receipts = await _add_all(
        units,
        _as(2, request_id=RequestId("z")),
        _as(3),
        _as(4, body_hash="00" * 32),
        _as(5, request_id=RequestId("a"), sealed_body=None, headers=(), requester=None, late=True),
        _as(6, request_id=RequestId("z")),
        _as(7, request_id=RequestId("z"), body_hash="00" * 32),
        _as(8, request_id=RequestId("z"), path="/api/v3/consent/request/hip/notify"),
    )
    stored, repeat, conflict = Receipt.STORED, Receipt.REPEAT, Receipt.CONFLICT
    assert receipts == [stored, repeat, conflict, stored, repeat, conflict, stored]
    async with units() as uow:
        kept = {callback.id: callback for callback in await uow.callbacks.list(Listing())}
    assert sorted(kept) == ["callback-1", "callback-2", "callback-5", "callback-8"]
    assert kept[CallbackId("callback-5")] == _as(
        5, request_id=RequestId("a"), sealed_body=None, headers=(), requester=None, late=True
    )


async def test_an_id_is_never_given_to_two_callbacks_that_are_stored_together(units: Units) -> None:
    receipts = await _add_all(units, a_callback(), a_callback(request_id=RequestId("another")))
    assert sorted(receipts) == [Receipt.CONFLICT, Receipt.STORED]
    assert await _add_all(units, _as(2, request_id=RequestId("z")), _as(2, request_id=RequestId("z"))) == [
        Receipt.STORED,
        Receipt.REPEAT,
    ]


async def test_facilities_have_their_own_request_ids_also_among_deliveries_stored_together(units: Units) -> None:
    assert await _add_all(units, a_callback(), _as(2, hip_id=OTHER_HIP)) == [Receipt.STORED] * 2


async def test_no_deliveries_are_none(units: Units) -> None:
    assert await _add_all(units) == []


async def test_deliveries_stored_together_are_undone_together(units: Units) -> None:
    async with units() as uow:
        await uow.callbacks.add_all([a_callback(), _as(2, request_id=RequestId("a"))])
    async with units() as uow:
        assert await uow.callbacks.list(Listing()) == []


async def test_saving_writes_what_became_of_it_and_nothing_else(units: Units) -> None:
    await add(units, a_callback())
    failed = a_callback().failed("CB-04", now=NOW + SECOND)
    async with units() as uow:
        await uow.callbacks.save(replace(failed, body_hash="ff" * 32, verified=False))
        await uow.commit()
    assert await get(units) == failed
    async with units() as uow:
        await uow.callbacks.save(failed.done(now=NOW + 2 * SECOND))
        await uow.commit()
    done = await get(units)
    assert done is not None
    assert (done.state, done.error, done.runs, done.finished_at) == (CallbackState.DONE, None, 2, NOW + 2 * SECOND)


async def test_ret_01_a_body_can_be_cut_out(units: Units) -> None:
    await add(units, a_callback())
    async with units() as uow:
        await uow.callbacks.save(a_callback(sealed_body=None))
        await uow.commit()
    assert await get(units) == a_callback(sealed_body=None)


async def test_what_was_never_received_cannot_be_saved(units: Units) -> None:
    async with units() as uow:
        with pytest.raises(NotFound):
            await uow.callbacks.save(a_callback())


async def test_rel_20_the_oldest_unread_callback_of_each_hip_is_found(units: Units) -> None:
    for number, hip_id, at in ((1, HIP, 3), (2, HIP, 1), (3, HIP, 2), (4, OTHER_HIP, 4), (5, HIP, 9)):
        await add(
            units,
            a_callback(
                id=CallbackId(f"callback-{number}"),
                hip_id=hip_id,
                request_id=RequestId(f"request-{number}"),
                received_at=NOW + at * SECOND,
            ),
        )

    async def overdue() -> list[CallbackId]:
        async with units() as uow:
            return [callback.id for callback in await uow.callbacks.overdue(before=NOW + 5 * SECOND)]

    assert sorted(await overdue()) == ["callback-2", "callback-4"]
    async with units() as uow:
        for hip_id, ended in ((HIP, "callback-2"), (OTHER_HIP, "callback-4")):
            callback = await uow.callbacks.get(hip_id, CallbackId(ended))
            assert callback is not None
            await uow.callbacks.save(callback.done(now=NOW))
        await uow.commit()
    assert await overdue() == ["callback-3"]
    async with units() as uow:
        assert await uow.callbacks.overdue(before=NOW) == []
