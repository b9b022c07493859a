"""Queue tokens: one number for each patient, counter and Indian day, whoever asks at once."""

import asyncio
from dataclasses import replace

import pytest
from tests.builders.links import HIP, MEERA_ADDRESS, OTHER_HIP
from tests.builders.moments import DAY, MINUTE, NOW, SECOND
from tests.builders.shares import a_profile, a_queue_token

from hip.application.storage import Listing, Units
from hip.domain.accounts import alias
from hip.domain.errors import Conflict
from hip.domain.identifiers import AbhaAddress
from hip.domain.shares import QueueToken, queue_day

pytestmark = pytest.mark.anyio
RAVI = AbhaAddress("ravi@sbx")


async def saved(units: Units, *tokens: QueueToken) -> None:
    async with units() as uow:
        for token in tokens:
            await uow.shares.add(token)
        await uow.commit()


async def test_a_token_comes_back_with_its_profile_while_it_holds(units: Units) -> None:
    bare = a_queue_token(number=2, profile=a_profile(abha_address=RAVI, abha_number=None, phone=None, address=None))
    await saved(units, a_queue_token(), bare)
    async with units() as uow:
        assert await uow.shares.lock_current(HIP, "counter1", MEERA_ADDRESS, now=NOW) == a_queue_token()
        assert await uow.shares.lock_current(HIP, "counter1", RAVI, now=NOW + 30 * MINUTE - SECOND) == bare
        assert await uow.shares.lock_current(HIP, "counter1", RAVI, now=NOW + 30 * MINUTE) is None
        assert await uow.shares.lock_current(HIP, "counter2", RAVI, now=NOW) is None


async def test_numbers_are_counted_by_counter_and_day(units: Units) -> None:
    await saved(units, a_queue_token(number=7), a_queue_token(number=3, now=NOW + DAY), a_queue_token(counter="other"))
    async with units() as uow:
        assert await uow.shares.last_number(HIP, "counter1", queue_day(NOW)) == 7
        assert await uow.shares.last_number(HIP, "counter1", queue_day(NOW + DAY)) == 3
        assert await uow.shares.last_number(HIP, "other", queue_day(NOW)) == 1
        assert await uow.shares.last_number(HIP, "nobody's", queue_day(NOW)) == 0


async def test_a_number_is_given_once(units: Units) -> None:
    await saved(units, a_queue_token())
    async with units() as uow:
        with pytest.raises(Conflict):
            await uow.shares.add(a_queue_token(profile=a_profile(abha_address=RAVI)))


async def test_two_who_ask_for_a_counter_at_once_get_two_numbers(units: Units) -> None:
    async def one(address: AbhaAddress) -> int:
        async with units() as uow:
            assert await uow.shares.lock_current(HIP, "counter1", address, now=NOW) is None
            number = await uow.shares.last_number(HIP, "counter1", queue_day(NOW)) + 1
            await asyncio.sleep(0.01)
            await uow.shares.add(a_queue_token(number=number, profile=a_profile(abha_address=address)))
            await uow.commit()
        return number

    numbers = await asyncio.gather(*(one(AbhaAddress(f"patient{n}@sbx")) for n in range(6)))
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


async def test_two_hips_queues_never_meet(units: Units) -> None:
    theirs = a_queue_token(hip_id=OTHER_HIP, number=5)
    await saved(units, a_queue_token(), theirs)
    async with units() as uow:
        assert await uow.shares.last_number(HIP, "counter1", queue_day(NOW)) == 1
        assert await uow.shares.lock_current(OTHER_HIP, "counter1", MEERA_ADDRESS, now=NOW) == theirs
        await uow.shares.forget(HIP, MEERA_ADDRESS, alias=RAVI)
        assert await uow.shares.list(Listing(hip_id=OTHER_HIP)) == [theirs]


async def test_ret_02_a_closed_account_leaves_a_number_and_no_profile(units: Units) -> None:
    await saved(units, a_queue_token())
    gone = alias("0" * 32)
    async with units() as uow:
        await uow.shares.forget(HIP, MEERA_ADDRESS, alias=gone)
        forgotten = replace(a_queue_token(), abha_address=gone, profile=None)
        assert await uow.shares.list(Listing(hip_id=HIP)) == [forgotten]
