"""What is too large to push is left here: fetched once, soon, and only while the consent stands (contract §2.11)."""

import asyncio
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House, an_artefact
from tests.builders.releases import accounts, audited, decisions

from hip.application.ports import PushedPage
from hip.domain.decisions import Stage
from hip.domain.errors import HipError, NotFound, PushRefused, Transient
from hip.domain.transfers import TransferOutcome

EVERYTHING = 0
NOTHING = 10**9


async def a_pushed_house(*, above: int = EVERYTHING, errors: list[HipError] | None = None) -> House:
    house = House(link_above=above)
    house.pusher.errors = errors or []
    await house.link()
    await house.grant(an_artefact())
    await house.ask(an_artefact())
    await house.work()
    return house


def taken_apart(link: str | None) -> tuple[str, str]:
    """The id and the token of a link."""
    assert link is not None
    path, _, token = link.partition("?token=")
    assert path.startswith("https://hip.example.org/health-information/")
    return path.rpartition("/")[2], token


def first(house: House) -> tuple[PushedPage, str, str]:
    page = house.pusher.pages[0]
    return page, *taken_apart(page.links[0])


def test_a_large_entry_is_fetched_once_with_the_content_its_page_was_sealed_for():
    async def story() -> None:
        house = await a_pushed_house()
        assert accounts(house)["t-1"].outcome is TransferOutcome.TRANSFERRED
        assert len({page.links for page in house.pusher.pages}) == 3
        page, information_id, token = first(house)
        assert await house.fetch_entry(information_id, token) == page.sealed.contents[0]
        with pytest.raises(NotFound):
            await house.fetch_entry(information_id, token)
        [fetched] = await audited(house, "entry-fetched")
        assert fetched["page"] == str(page.number)
        last = (await decisions(house))[-1]
        assert (last.stage, last.page, last.permitted) == (Stage.PAGE, page.number, True)
        assert token not in repr(page)

    asyncio.run(story())


def test_an_entry_that_is_not_too_large_is_pushed():
    async def story() -> None:
        house = await a_pushed_house(above=NOTHING)
        assert {page.links for page in house.pusher.pages} == {(None,)}

    asyncio.run(story())


def test_another_token_opens_nothing_and_spoils_nothing():
    async def story() -> None:
        house = await a_pushed_house()
        _, information_id, token = first(house)
        for wrong in ("", token[:-1], token.upper() + "x", "é"):
            with pytest.raises(NotFound):
                await house.fetch_entry(information_id, wrong)
        with pytest.raises(NotFound):
            await house.fetch_entry("00000000-0000-4000-8000-000000000000", token)
        assert await house.fetch_entry(information_id, token)

    asyncio.run(story())


def test_rel_21_with_its_consent_an_entry_is_gone():
    async def story() -> None:
        house = await a_pushed_house()
        _, information_id, token = first(house)
        await house.end_consent(an_artefact().consent_id)
        with pytest.raises(NotFound):
            await house.fetch_entry(information_id, token)
        async with house.units() as uow:
            assert await uow.waiting_entries.find(information_id) is None

    asyncio.run(story())


def test_rel_03_an_entry_whose_consent_is_over_by_the_clock_is_refused_and_removed():
    async def story() -> None:
        house = House(link_above=EVERYTHING)
        await house.link()
        artefact = an_artefact(data_erase_at=house.clock() + timedelta(minutes=5))
        await house.grant(artefact)
        await house.ask(artefact)
        await house.work()
        _, information_id, token = first(house)
        house.clock.advance(timedelta(minutes=5))
        with pytest.raises(NotFound):
            await house.fetch_entry(information_id, token)
        assert [one["rule"] for one in await audited(house, "entry-refused")] == ["REL-03"]
        async with house.units() as uow:
            assert await uow.waiting_entries.find(information_id) is None

    asyncio.run(story())


@pytest.mark.parametrize(("off", "served"), [(timedelta(seconds=-1), True), (timedelta(0), False)])
def test_an_entry_can_be_fetched_for_ten_minutes_whether_or_not_it_was_swept(off: timedelta, served: bool):
    async def story() -> None:
        house = await a_pushed_house()
        _, information_id, token = first(house)
        house.clock.advance(timedelta(minutes=10) + off)
        if served:
            assert await house.fetch_entry(information_id, token)
        else:
            with pytest.raises(NotFound):
                await house.fetch_entry(information_id, token)

    asyncio.run(story())


def test_ret_03_what_nobody_fetched_is_swept_and_the_audit_says_so():
    async def story() -> None:
        house = await a_pushed_house()
        assert await house.sweep_entries() == 0
        house.clock.advance(timedelta(minutes=10))
        assert await house.sweep_entries() == 3
        assert sorted(one["page"] for one in await audited(house, "entry-lapsed")) == ["1", "2", "3"]
        assert await house.sweep_entries() == 0

    asyncio.run(story())


@pytest.mark.parametrize("error", [PushRefused(status=403), Transient("503", code="503")])
def test_an_entry_of_a_push_that_was_not_taken_is_withdrawn(error: HipError):
    async def story() -> None:
        house = await a_pushed_house(errors=[error] * 3)
        async with house.units() as uow:
            left = await uow.waiting_entries.remove_older(than=house.clock() + timedelta(hours=1), limit=10)
        assert left == []
        house.clock.advance(house.waits.longest_retry)
        await house.work()
        waiting = {taken_apart(page.links[0])[0] for page in house.pusher.pages}
        assert len(waiting) == len(house.pusher.pages)
        async with house.units() as uow:
            for information_id in waiting:
                found = await uow.waiting_entries.find(information_id)
                assert found is not None
                assert found.hip_id == HIP

    asyncio.run(story())
