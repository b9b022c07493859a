"""Bundles that are missing when they are to leave, and contexts by the thousand."""

import asyncio

import pytest
from tests.builders.flows import HIP, House, an_artefact
from tests.builders.openings import consented
from tests.builders.releases import accounts, decisions, transfer_of

from hip.domain.bundles import BundleKey
from hip.domain.decisions import Stage
from hip.domain.hi_types import HiType
from hip.domain.identifiers import VisitCode
from hip.domain.pages import HiStatus
from hip.domain.transfers import TransferOutcome

ONE_TYPE = frozenset({HiType.PRESCRIPTION})
KEY = BundleKey(hip_id=HIP, visit_code=VisitCode("88120"), hi_type=HiType.PRESCRIPTION)


@pytest.mark.parametrize("lost", ["document", "record", "both"])
def test_a_bundle_that_is_missing_is_built_again_from_its_visit(lost):
    async def story() -> None:
        artefact = an_artefact(hi_types=ONE_TYPE)
        house = await consented(artefact)
        tables = house.database._tables
        if lost != "record":
            house.documents._bundles.clear()
        if lost != "document":
            for key in [key for key, record in tables.bundles.items() if record.key == KEY]:
                del tables.bundles._rows[key]
        await house.ask(artefact)
        await house.work()
        assert len(house.pusher.pages) == 1
        assert accounts(house)["t-1"].outcome is TransferOutcome.TRANSFERRED

    asyncio.run(story())


def test_a_bundle_that_is_missing_with_its_visit_is_reported_and_not_guessed():
    async def story() -> None:
        house = await consented()
        house.documents._bundles.clear()
        tables = house.database._tables
        tables.visits._rows.clear()
        await house.ask(an_artefact())
        await house.work()
        assert house.pusher.pages == []
        [status] = accounts(house)["t-1"].statuses
        assert status.hi_status is HiStatus.ERRORED
        assert status.description.startswith("REL-19")

    asyncio.run(story())


def test_a_thousand_care_contexts_are_planned_in_chunks_and_each_is_accounted_for():
    async def story() -> None:
        house = House()
        await house.link()
        many = [("PAT-20417", f"none-{number}") for number in range(1000)]
        artefact = an_artefact(("PAT-20417", "88120"), *many, ("PAT-20417", "88120"), hi_types=ONE_TYPE)
        await house.grant(artefact)
        await house.ask(artefact)
        await house.work()
        assert [page.references for page in house.pusher.pages] == [("88120",)]
        told = accounts(house)["t-1"]
        assert len(told.statuses) == 1001
        plans = [one for one in await decisions(house) if one.stage is Stage.PLAN]
        assert len(plans) == 6
        assert sum(len(plan.records) for plan in plans) == 1000 + 3  # one for each kind of record of the visit
        assert [r.rule for plan in plans for r in plan.results if r.rule == "REL-23"] == ["REL-23"]
        assert (await transfer_of(house)).page_count == 1

    asyncio.run(story())
