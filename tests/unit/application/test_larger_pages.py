"""More than one record a page, by setting (PUSH-01): what is decided, sent and told stays the same."""

import asyncio
from dataclasses import replace

from tests.builders.flows import HIP, House, an_artefact
from tests.builders.links import a_care_context
from tests.builders.releases import accounts, audited, decisions, transfer_of

from hip.domain.bundles import BundleKey
from hip.domain.decisions import Stage
from hip.domain.errors import PushRefused, Transient
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, TransactionId, VisitCode
from hip.domain.pages import HiStatus, PageState
from hip.domain.transfers import TransferOutcome

T1 = TransactionId("t-1")


async def a_house(entries: int) -> House:
    house = House()
    object.__setattr__(house.gate, "entries_per_push", entries)
    await house.link()
    await house.grant(an_artefact())
    await house.ask(an_artefact())
    return house


def test_two_records_a_page_are_two_pushes_for_three_records_under_two_keys():
    async def story() -> None:
        house = await a_house(2)
        await house.work()
        pushed = sorted(house.pusher.pages, key=lambda page: page.number)
        assert [(page.number, page.page_count, len(page.references)) for page in pushed] == [(1, 2, 2), (2, 2, 1)]
        assert [len(page.checksums) for page in pushed] == [2, 1]
        assert len({page.sealed.key_material.public_key for page in pushed}) == 2
        assert accounts(house)["t-1"].outcome is TransferOutcome.TRANSFERRED
        asked = [one for one in await decisions(house) if one.stage is Stage.PAGE]
        assert sorted(one.page or 0 for one in asked) == [1, 2, 3]
        assert (await transfer_of(house)).page_count == 2

    asyncio.run(story())


def test_a_page_that_is_not_taken_is_pushed_again_whole():
    async def story() -> None:
        house = await a_house(3)
        house.pusher.errors = [Transient("503", code="503")]
        await house.work()
        assert house.pusher.pages == []
        house.clock.advance(house.waits.longest_retry)
        await house.work()
        [page] = house.pusher.pages
        assert (page.number, page.page_count, len(page.references)) == (1, 1, 3)
        assert len(await audited(house, "page-delivered")) == 3

    asyncio.run(story())


def test_a_page_that_is_refused_errors_all_its_records():
    async def story() -> None:
        house = await a_house(2)
        house.pusher.errors = [PushRefused(status=413)]
        await house.work()
        told = accounts(house)["t-1"]
        assert (told.outcome, [one.hi_status for one in told.statuses]) == (
            TransferOutcome.TRANSFERRED,
            [HiStatus.ERRORED],
        )
        async with house.units() as uow:
            pages = await uow.transfers.pages(HIP, T1)
        assert sorted(page.state for page in pages).count(PageState.ERRORED) in (1, 2)

    asyncio.run(story())


def test_rel_19_a_changed_bundle_stays_here_and_the_others_of_its_page_leave():
    async def story() -> None:
        house = await a_house(3)
        key = BundleKey(hip_id=HIP, visit_code=VisitCode("88120"), hi_type=HiType.PRESCRIPTION)
        async with house.units() as uow:
            record = await uow.bundles.servable(key)
            assert record is not None
            await uow.bundles.add(replace(record, sha256="0" * 64))
            await uow.commit()
        await house.work()
        [page] = house.pusher.pages
        assert len(page.references) == 2
        assert ("record-kept-back", "t-1", "REL-19") in house.alarms
        assert len(await audited(house, "page-errored")) == 1

    asyncio.run(story())


def test_a_push_is_never_cut_in_two_by_how_many_rows_are_read_at_a_time():
    async def story() -> None:
        house = House()
        object.__setattr__(house.gate, "entries_per_push", 5)
        await house.link()
        references = [CareContextReference(f"88120-{number}") for number in range(30)]
        async with house.units() as uow:
            for reference in references:
                await uow.care_contexts.save(
                    a_care_context(
                        reference=reference,
                        visit_code=VisitCode("88120"),
                        linked_to=AbhaAddress("meera.k01@sbx"),
                    )
                )
            await uow.commit()
        artefact = an_artefact(*(("PAT-20417", str(reference)) for reference in references))
        await house.grant(artefact)
        await house.ask(artefact)
        await house.work()
        numbers = [page.number for page in house.pusher.pages]
        assert sorted(numbers) == list(range(1, 19))
        assert sum(len(page.references) for page in house.pusher.pages) == 90
        assert {page.page_count for page in house.pusher.pages} == {18}

    asyncio.run(story())
