"""Table ``health_information``: entries that wait to be fetched, once."""

import asyncio
from dataclasses import replace

import pytest
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import MINUTE, NOW, SECOND
from tests.builders.transfers import a_waiting_entry

from hip.application.storage import Units
from hip.domain.errors import Conflict
from hip.domain.identifiers import ConsentId
from hip.domain.waiting_entries import LapsedEntry, WaitingEntry

pytestmark = pytest.mark.anyio


async def added(units: Units, *entries: WaitingEntry) -> None:
    async with units() as uow:
        for entry in entries:
            await uow.waiting_entries.add(entry)
        await uow.commit()


async def test_an_entry_comes_back_with_everything_by_its_id_alone(units: Units) -> None:
    theirs = a_waiting_entry(hip_id=OTHER_HIP, information_id="entry-2")
    await added(units, a_waiting_entry(), theirs)
    async with units() as uow:
        assert await uow.waiting_entries.find("entry-1") == a_waiting_entry()
        assert await uow.waiting_entries.find("entry-2") == theirs
        assert await uow.waiting_entries.find("entry-3") is None


async def test_an_id_that_is_taken_is_refused_whosever_it_is(units: Units) -> None:
    await added(units, a_waiting_entry())
    for again in (a_waiting_entry(content="b3RoZXI="), a_waiting_entry(hip_id=OTHER_HIP)):
        with pytest.raises(Conflict):
            await added(units, again)
    async with units() as uow:
        assert await uow.waiting_entries.find("entry-1") == a_waiting_entry()


async def test_an_entry_is_removed_once_and_by_its_own_hip(units: Units) -> None:
    await added(units, a_waiting_entry())
    async with units() as uow:
        assert not await uow.waiting_entries.remove(OTHER_HIP, "entry-1")
        assert await uow.waiting_entries.remove(HIP, "entry-1")
        assert not await uow.waiting_entries.remove(HIP, "entry-1")
        await uow.commit()
    async with units() as uow:
        assert await uow.waiting_entries.find("entry-1") is None


async def test_a_removal_that_is_not_committed_never_was(units: Units) -> None:
    await added(units, a_waiting_entry())
    async with units() as uow:
        assert await uow.waiting_entries.remove(HIP, "entry-1")
    async with units() as uow:
        assert await uow.waiting_entries.find("entry-1") == a_waiting_entry()


async def test_of_two_that_remove_it_at_once_one_is_told_so(units: Units) -> None:
    await added(units, a_waiting_entry())

    async def remove() -> bool:
        async with units() as uow:
            removed = await uow.waiting_entries.remove(HIP, "entry-1")
            await uow.commit()
            return removed

    assert sorted(await asyncio.gather(remove(), remove(), remove())) == [False, False, True]


async def test_a_consent_takes_its_entries_along_and_no_others(units: Units) -> None:
    other = a_waiting_entry(information_id="entry-3", consent_id=ConsentId("consent-2"))
    theirs = a_waiting_entry(information_id="entry-4", hip_id=OTHER_HIP)
    await added(units, a_waiting_entry(), a_waiting_entry(information_id="entry-2"), other, theirs)
    async with units() as uow:
        assert await uow.waiting_entries.remove_of_consent(HIP, ConsentId("consent-1")) == 2
        await uow.commit()
    async with units() as uow:
        found = [await uow.waiting_entries.find(f"entry-{number}") for number in range(1, 5)]
    assert found == [None, None, other, theirs]


async def test_ret_03_the_oldest_are_removed_first_of_every_hip(units: Units) -> None:
    old = a_waiting_entry(created_at=NOW - MINUTE, number=7)
    older = replace(old, information_id="entry-2", hip_id=OTHER_HIP, created_at=NOW - 2 * MINUTE)
    await added(units, old, older, a_waiting_entry(information_id="entry-3", created_at=NOW + SECOND))
    async with units() as uow:
        [first] = await uow.waiting_entries.remove_older(than=NOW, limit=1)
        assert first == LapsedEntry(hip_id=OTHER_HIP, transaction_id=old.transaction_id, number=7)
        [second] = await uow.waiting_entries.remove_older(than=NOW - MINUTE, limit=9)
        assert second.hip_id == HIP
        assert await uow.waiting_entries.remove_older(than=NOW, limit=9) == []
        assert await uow.waiting_entries.find("entry-3") is not None
