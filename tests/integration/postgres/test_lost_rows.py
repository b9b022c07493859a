"""Outbox rows are deleted under flows that run: everything ends right all the same, and nothing is done twice."""

from collections import Counter
from datetime import timedelta

import pytest
from tests.builders.databases import connected
from tests.builders.flows import HIP, House, Stores, an_artefact
from tests.builders.releases import transfer_of

from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.application.lost_work_sweep import SweepLostWork
from hip.application.storage import Listing, Topic
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.errors import Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import CareContextReference, TransactionId, VisitCode
from hip.domain.transfers import TransferState

pytestmark = pytest.mark.anyio


async def test_rows_that_are_deleted_at_every_step_from_visit_to_pushed_page_are_asked_for_again_once(
    database: PostgresDatabase, mongo: MongoDocuments, url: str
) -> None:
    house = House(stores=Stores(database.unit, mongo))
    sweep = SweepLostWork(house.units, house.clock, house.waits, house._alarm)
    connection = await connected(url)

    async def lose(topic: Topic, count: int) -> None:
        """Delete what is left to do; the sweep asks for it, once, and only when it is old enough."""
        deleted = await connection.fetch("DELETE FROM outbox WHERE state <> 'done' RETURNING topic")
        assert Counter(row["topic"] for row in deleted)[topic.value] == count
        assert await sweep() == 0
        house.clock.advance(house.waits.lost + timedelta(seconds=1))
        assert await sweep() == count
        assert await sweep() == 0

    await house.take_in()
    await lose(Topic.BUNDLE, 3)
    rows = await house.lease()
    await house.run_rows([(row.id, row.attempt) for row in rows])
    await lose(Topic.LINK, 1)  # all documents are there, and the link is not begun
    await house.work()
    await house.answer_token()
    await lose(Topic.LINK, 1)  # the token is there, and the link call is not made
    await house.work()
    await house.answer_link()
    await house.work()
    artefact = an_artefact()
    await house.grant(artefact)
    await house.ask(artefact)
    await lose(Topic.TRANSFER, 1)
    house.pusher.errors = [Transient("503", code="503")]
    rows = await house.lease()
    await house.run_rows([(row.id, row.attempt) for row in rows])
    assert (await transfer_of(house)).state is TransferState.PUSHING
    await lose(Topic.TRANSFER, 1)
    await house.work()

    assert (await transfer_of(house)).state is TransferState.DONE
    assert sorted(page.number for page in house.pusher.pages) == [1, 2, 3], "each page left once"
    calls = Counter(call.flow for call, _ in house.gateway.calls)
    assert set(calls.values()) == {1}, calls
    assert {Flow.GENERATE_TOKEN, Flow.LINK_CARE_CONTEXT, Flow.HEALTH_INFORMATION_NOTIFY} <= set(calls)
    async with house.units() as uow:
        context = await uow.care_contexts.get(HIP, CareContextReference("88120"))
        assert context is not None
        assert context.linked
        jobs = await uow.bundle_jobs.of_visit(HIP, VisitCode("88120"))
        assert {job.state for job in jobs} == {BundleJobState.VALID}
        pages = await uow.transfers.pages(HIP, TransactionId("t-1"))
        assert len(pages) == 3
        assert await uow.outbox.waiting() == 0
        audit = await uow.audit.list(Listing(limit=500))
    again = [entry for entry in audit if entry.action == "work-asked-again"]
    assert Counter(dict(entry.detail)["topic"] for entry in again) == {"bundle": 3, "link": 2, "transfer": 2}
    assert {entry.actor for entry in again} == {"clock"}
    house.clock.advance(timedelta(days=1))
    assert await sweep() == 0, "nothing waits any more"
    assert await connection.fetchval("SELECT count(*) FROM outbox WHERE state <> 'done'") == 0
    await connection.close()
