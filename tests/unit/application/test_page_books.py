"""Pages under way that meet in one transaction: each has its own answer, its own state, and its own failure."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from tests.builders.flows import HIP, House
from tests.builders.openings import data_asked_for
from tests.builders.releases import audited, decisions, transfer_of

from hip.application.page_books import Answer, PageBooks, Replaced, key_of
from hip.application.release import Opened
from hip.application.storage import UnitOfWork, Units
from hip.domain.decisions import Decision, Stage
from hip.domain.errors import IllegalTransition, StorageFailed, Transient
from hip.domain.pages import Page, PageState
from hip.domain.transfers import TransferState


@dataclass
class Doors:
    """Units that open one at a time, each when it is let; ``fails`` is raised as the next one is committed."""

    units: Units
    opened: int = 0
    fails: Exception | None = None
    door: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[UnitOfWork]:
        self.opened += 1
        await self.door.wait()
        async with self.units() as uow:
            yield uow if self.fails is None else _Failing(uow, self.fails)  # type: ignore[misc]


@dataclass
class _Failing:
    """A unit whose commit is refused."""

    uow: UnitOfWork
    failure: Exception

    def __getattr__(self, name: str) -> Any:
        return getattr(self.uow, name)

    async def commit(self) -> None:
        raise self.failure


@dataclass
class Desk:
    """A transfer of three pages, all of them still to be pushed, and its books."""

    house: House
    doors: Doors
    books: PageBooks
    pages: list[Page]

    async def opened(self, page: Page) -> Opened:
        async with self.house.units() as uow:
            record = await uow.bundles.servable(key_of(page))
        assert record is not None
        return Opened(record=record, content=await self.house.documents.get(record.key, record.version))

    async def decide(self, number: int) -> Answer:
        page = self.pages[number - 1]
        return await self.books.decide([page], [await self.opened(page)])

    async def meeting(self, first: Callable[[], Awaitable[Any]], *others: Callable[[], Awaitable[Any]]) -> list[Any]:
        """The ``others`` come while ``first`` has its transaction open; what became of each, in this order."""
        self.doors.door.clear()
        tasks = [asyncio.ensure_future(first())]
        await _settled()
        tasks += [asyncio.ensure_future(other()) for other in others]
        await _settled()
        self.doors.door.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def states(self) -> list[tuple[PageState, int]]:
        async with self.house.units() as uow:
            pages = await uow.transfers.pages(HIP, self.books.transfer.transaction_id)
        return [(page.state, page.attempts) for page in pages]

    async def answers(self) -> list[Decision]:
        return [one for one in await decisions(self.house) if one.stage is Stage.PAGE]


async def _settled() -> None:
    """Until nobody can go on without the door."""
    for _ in range(50):
        await asyncio.sleep(0)


async def a_desk() -> Desk:
    house = await data_asked_for()
    push = house.push_transfer
    house.push_transfer = replace(push, bundles=_Nothing())  # type: ignore[arg-type]
    with pytest.raises(Transient):
        await house.push_transfer(HIP, (await transfer_of(house)).transaction_id)
    transfer = await transfer_of(house)
    assert transfer.state is TransferState.PUSHING
    async with house.units() as uow:
        pages = list(await uow.transfers.pages(HIP, transfer.transaction_id))
    assert [(page.state, page.attempts) for page in pages] == [(PageState.PENDING, 0)] * 3
    doors = Doors(house.units)
    doors.door.set()
    books = PageBooks(transfer=transfer, units=doors, gate=house.gate, clock=house.clock)
    return Desk(house, doors, books, pages)


class _Nothing:
    """A document store that does not answer: the transfer stands at its first page."""

    async def get(self, *_: object) -> bytes:
        raise StorageFailed("MongoDB does not answer")


def play(story: Callable[[Desk], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story(await a_desk())

    asyncio.run(whole())


def test_rel_21_pages_that_meet_in_one_transaction_have_an_answer_each() -> None:
    async def story(desk: Desk) -> None:
        written = await desk.meeting(*(lambda number=number: desk.decide(number) for number in (1, 2, 3)))
        assert desk.doors.opened == 2, "the second and the third share one"
        assert [[one.page.number for one in answer.leaving] for answer in written] == [[1], [2], [3]]
        assert sorted(one.page or 0 for one in await desk.answers()) == [1, 2, 3]
        assert await desk.states() == [(PageState.PENDING, 1)] * 3

    play(story)


def test_a_page_that_ends_and_one_that_is_asked_about_meet_and_neither_takes_the_others_place() -> None:
    """REL-21: the consent ends meanwhile, so what was taken is booked, and what is asked about is stopped."""

    async def story(desk: Desk) -> None:
        await desk.decide(1)
        await desk.decide(2)
        await desk.house.end_consent(desk.books.transfer.consent_id)
        before = desk.doors.opened
        ended, failed, asked = await desk.meeting(
            lambda: desk.books.end([desk.pages[0]], None),
            lambda: desk.books.end([desk.pages[1]], "the requester refused it with HTTP 410"),
            lambda: desk.decide(3),
        )
        assert desk.doors.opened == before + 2
        assert (ended, failed) == (None, None)
        assert asked.stopped is not None
        assert asked.stopped.startswith("REL-02")
        assert not asked.leaving
        assert await desk.states() == [(PageState.DELIVERED, 1), (PageState.ERRORED, 1), (PageState.PENDING, 0)]
        assert len(await audited(desk.house, "page-delivered")) == 1

    play(story)


def test_a_page_whose_bundle_was_replaced_is_told_so_alone() -> None:
    async def story(desk: Desk) -> None:
        stale = desk.pages[1]
        found = await desk.opened(stale)
        assert found.record is not None
        other = replace(found, record=replace(found.record, version=found.record.version + 1))
        first, second, third = await desk.meeting(
            lambda: desk.decide(1), lambda: desk.books.decide([stale], [other]), lambda: desk.decide(3)
        )
        assert isinstance(second, Replaced)
        assert [len(one.leaving) for one in (first, third)] == [1, 1]
        assert await desk.states() == [(PageState.PENDING, 1), (PageState.PENDING, 0), (PageState.PENDING, 1)]

    play(story)


def test_a_page_that_ended_otherwise_meanwhile_spoils_no_other() -> None:
    async def story(desk: Desk) -> None:
        await desk.books.end([desk.pages[1]], "REL-22: not valid")
        first, second, third = await desk.meeting(
            lambda: desk.decide(1), lambda: desk.books.end([desk.pages[1]], None), lambda: desk.decide(3)
        )
        assert isinstance(second, IllegalTransition)
        assert [len(one.leaving) for one in (first, third)] == [1, 1]
        assert (await desk.states())[1] == (PageState.ERRORED, 0)

    play(story)


def test_a_transaction_that_fails_fails_each_page_of_it_and_leaves_nothing_behind() -> None:
    async def story(desk: Desk) -> None:
        desk.doors.fails = StorageFailed("the server went away")
        written = await desk.meeting(*(lambda number=number: desk.decide(number) for number in (1, 2, 3)))
        assert [type(each) for each in written] == [StorageFailed] * 3
        assert await desk.answers() == []
        assert await desk.states() == [(PageState.PENDING, 0)] * 3
        desk.doors.fails = None
        assert [len((await desk.decide(number)).leaving) for number in (1, 2, 3)] == [1, 1, 1]
        assert await desk.states() == [(PageState.PENDING, 1)] * 3

    play(story)


def test_a_page_that_is_given_up_while_it_waits_leaves_no_answer_and_hinders_nobody() -> None:
    async def story(desk: Desk) -> None:
        desk.doors.door.clear()
        tasks = []
        for number in (1, 2, 3):
            tasks.append(asyncio.ensure_future(desk.decide(number)))
            await _settled()
        tasks[1].cancel()
        await _settled()
        desk.doors.door.set()
        first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(second, asyncio.CancelledError)
        assert not isinstance(first, BaseException)
        assert not isinstance(third, BaseException)
        assert [len(one.leaving) for one in (first, third)] == [1, 1]
        assert sorted(one.page or 0 for one in await desk.answers()) == [1, 3]
        assert await desk.states() == [(PageState.PENDING, 1), (PageState.PENDING, 0), (PageState.PENDING, 1)]

    play(story)


def test_whoever_waits_for_a_transaction_that_is_given_up_writes_its_own() -> None:
    async def story(desk: Desk) -> None:
        desk.doors.door.clear()
        first = asyncio.ensure_future(desk.decide(1))
        await _settled()
        others = [asyncio.ensure_future(desk.decide(number)) for number in (2, 3)]
        await _settled()
        first.cancel()
        await _settled()
        desk.doors.door.set()
        [given_up, *written] = await asyncio.gather(first, *others, return_exceptions=True)
        assert isinstance(given_up, asyncio.CancelledError)
        assert [len(one.leaving) for one in written if isinstance(one, Answer)] == [1, 1]
        assert sorted(one.page or 0 for one in await desk.answers()) == [2, 3]

    play(story)


def test_pages_of_a_transaction_that_is_given_up_are_tried_again_later() -> None:
    """The one who had the turn wrote for three: the two others are told at once, and nothing of theirs is lost."""

    async def story(desk: Desk) -> None:
        desk.doors.door.clear()
        first = asyncio.ensure_future(desk.decide(1))
        await _settled()
        second = asyncio.ensure_future(desk.decide(2))
        third = asyncio.ensure_future(desk.decide(3))
        await _settled()
        entering = desk.doors.opened
        desk.doors.door.set()
        await first
        desk.doors.door.clear()
        while desk.doors.opened == entering:
            await asyncio.sleep(0)
        second.cancel()
        await _settled()
        desk.doors.door.set()
        given_up, told = await asyncio.gather(second, third, return_exceptions=True)
        assert isinstance(given_up, asyncio.CancelledError)
        assert isinstance(told, Transient)
        assert await desk.states() == [(PageState.PENDING, 1), (PageState.PENDING, 0), (PageState.PENDING, 0)]
        assert [len((await desk.decide(number)).leaving) for number in (2, 3)] == [1, 1]

    play(story)


def test_a_page_is_asked_about_again_as_long_as_it_is_not_over() -> None:
    async def story(desk: Desk) -> None:
        await desk.decide(1)
        desk.house.clock.advance(timedelta(seconds=5))
        assert len((await desk.decide(1)).leaving) == 1
        await desk.books.end([desk.pages[0]], None)
        assert not (await desk.decide(1)).leaving
        assert (await desk.states())[0] == (PageState.DELIVERED, 2)
        assert len(await desk.answers()) == 2, "a page that is over needs no answer"

    play(story)
