"""What waits for an outbox row that is gone is found, in pages, and taken once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest
from tests.builders.conversations import a_callback
from tests.builders.links import HIP, OTHER_HIP, a_care_context, a_link_request
from tests.builders.moments import DAY, MINUTE, NOW, SECOND
from tests.builders.stored_visits import a_bundle_record, a_trigger
from tests.builders.transfers import a_transfer
from tests.builders.visits import MEERA

from hip.application.lost_work import Lost, Place, Waiting
from hip.application.storage import Topic, UnitOfWork, Units
from hip.domain.bundles import BundleKey
from hip.domain.callbacks import CallbackId
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, HipId, LinkReference, RequestId, TransactionId, VisitCode
from hip.domain.links import LinkStatus
from hip.domain.transfers import TransferState

pytestmark = pytest.mark.anyio
LATER = NOW + MINUTE
VISIT = VisitCode("88120")
DOCUMENT = BundleKey(hip_id=HIP, visit_code=VISIT, hi_type=HiType.PRESCRIPTION)
Put = Callable[[UnitOfWork, HipId], Awaitable[object]]


async def _callback(uow: UnitOfWork, hip_id: HipId) -> None:
    await uow.callbacks.add(a_callback(hip_id=hip_id))


async def _transfer(uow: UnitOfWork, hip_id: HipId) -> None:
    await uow.transfers.add(a_transfer(hip_id=hip_id))


async def _document(uow: UnitOfWork, hip_id: HipId) -> None:
    await uow.bundle_jobs.ask(hip_id, VISIT, [HiType.PRESCRIPTION], version=1, now=NOW)


async def _link(uow: UnitOfWork, hip_id: HipId) -> None:
    await uow.patients.save(MEERA, hip_id=hip_id)
    await uow.care_contexts.save(a_care_context(hip_id=hip_id))
    await uow.link_requests.save(a_link_request(hip_id=hip_id, status=LinkStatus.READY))


async def _visit(uow: UnitOfWork, hip_id: HipId) -> None:
    await uow.patients.save(MEERA, hip_id=hip_id)
    await uow.care_contexts.save(a_care_context(hip_id=hip_id))
    await uow.triggers.save(replace(a_trigger(), hip_id=hip_id, processed=True, processed_at=NOW))


KINDS: dict[Waiting, tuple[Put, Topic, str, str]] = {
    Waiting.CALLBACK: (_callback, Topic.CALLBACK, "callback-1", "received"),
    Waiting.TRANSFER: (_transfer, Topic.TRANSFER, "transfer-1", "requested"),
    Waiting.LINK: (_link, Topic.LINK, "88120", "ready"),
    Waiting.DOCUMENT: (_document, Topic.BUNDLE, "88120|Prescription", "pending"),
    Waiting.VISIT: (_visit, Topic.LINK, "88120", "complete"),
}
each_kind = pytest.mark.parametrize("waiting", Waiting)


async def put(units: Units, waiting: Waiting, *hips: HipId) -> None:
    async with units() as uow:
        for hip_id in hips or (HIP,):
            await KINDS[waiting][0](uow, hip_id)
        await uow.commit()


async def look(units: Units, waiting: Waiting, *, before: datetime = LATER, since: datetime = NOW - DAY) -> list[Lost]:
    async with units() as uow:
        return list((await uow.lost_work.look(waiting, behind=None, before=before, since=since, limit=50)).lost)


async def take(units: Units, waiting: Waiting, lost: list[Lost]) -> list[Lost]:
    async with units() as uow:
        taken = await uow.lost_work.take(waiting, lost, before=LATER, now=LATER)
        for one in taken:
            await uow.outbox.add(one.hip_id, one.topic, one.key, run_at=LATER)
        await uow.commit()
    return list(taken)


@each_kind
async def test_what_misses_its_row_is_found_and_taken_once(units: Units, waiting: Waiting) -> None:
    await put(units, waiting)
    _, topic, key, state = KINDS[waiting]
    (lost,) = await look(units, waiting)
    assert (lost.hip_id, lost.topic, lost.key, lost.state) == (HIP, topic, key, state)
    assert await take(units, waiting, [lost]) == [lost]
    assert await take(units, waiting, [lost]) == [], "its row is there now"
    assert await look(units, waiting) == []


@each_kind
async def test_what_has_changed_lately_is_left_alone(units: Units, waiting: Waiting) -> None:
    await put(units, waiting)
    assert await look(units, waiting, before=NOW) == []
    assert len(await look(units, waiting, before=NOW + SECOND)) == 1


@each_kind
async def test_a_row_that_is_ready_or_leased_is_enough_and_one_that_is_done_is_not(
    units: Units, waiting: Waiting
) -> None:
    await put(units, waiting)
    _, topic, key, _ = KINDS[waiting]
    async with units() as uow:
        await uow.outbox.add(HIP, topic, key, run_at=NOW + DAY)
        await uow.outbox.add(OTHER_HIP, topic, key, run_at=NOW + DAY)
        await uow.commit()
    assert await look(units, waiting) == []
    async with units() as uow:
        rows = await uow.outbox.lease(now=NOW + DAY, until=NOW + 2 * DAY, limit=2)
        await uow.commit()
    assert await look(units, waiting) == []
    async with units() as uow:
        await uow.outbox.done_all([(row.id, row.attempt) for row in rows])
        await uow.commit()
    assert len(await look(units, waiting)) == 1


@each_kind
async def test_a_row_that_is_dead_is_an_operators_where_the_state_does_not_say_so_itself(
    units: Units, waiting: Waiting
) -> None:
    await put(units, waiting)
    _, topic, key, _ = KINDS[waiting]
    async with units() as uow:
        await uow.outbox.add(HIP, topic, key, run_at=NOW)
        (row,) = await uow.outbox.lease(now=NOW, until=LATER, limit=1)
        await uow.outbox.bury(row.id, row.attempt)
        await uow.commit()
    itself = waiting in (Waiting.TRANSFER, Waiting.DOCUMENT)
    assert len(await look(units, waiting)) == itself


@each_kind
async def test_every_hips_are_found_page_by_page(units: Units, waiting: Waiting) -> None:
    await put(units, waiting, HIP, OTHER_HIP)
    found, place = list[HipId](), None
    for _ in range(2):
        async with units() as uow:
            page = await uow.lost_work.look(waiting, behind=place, before=LATER, since=NOW - DAY, limit=1)
        found += [lost.hip_id for lost in page.lost]
        place: Place | None = page.last
        assert place is not None, "it was full, so there may be more"
    assert sorted(found) == [HIP, OTHER_HIP]
    async with units() as uow:
        end = await uow.lost_work.look(waiting, behind=place, before=LATER, since=NOW - DAY, limit=1)
    assert (end.lost, end.last) == ([], None)


@each_kind
async def test_what_was_asked_for_again_counts_as_changed_then(units: Units, waiting: Waiting) -> None:
    """So that what no row can help comes back once in a while, instead of at every look."""
    await put(units, waiting)
    await take(units, waiting, await look(units, waiting))
    async with units() as uow:
        (row,) = await uow.outbox.lease(now=LATER, until=LATER + MINUTE, limit=1)
        await uow.outbox.done(row.id, row.attempt)
        await uow.commit()
    noted = waiting not in (Waiting.CALLBACK, Waiting.VISIT)  # of those the row itself makes an end
    assert len(await look(units, waiting)) == (not noted)


async def test_what_has_come_to_its_end_waits_for_nothing(units: Units) -> None:
    async with units() as uow:
        await uow.callbacks.add(callback := a_callback())
        await uow.callbacks.save(callback.done(now=NOW))
        for number, state in enumerate((TransferState.DONE, TransferState.DEAD)):
            ended = a_transfer(transaction_id=TransactionId(f"t-{number}"), state=state)
            await uow.transfers.add(ended)
        await _document(uow, HIP)
        await uow.bundle_jobs.finish([a_bundle_record(key=DOCUMENT)], now=NOW)
        await uow.patients.save(MEERA, hip_id=HIP)
        await uow.care_contexts.save(a_care_context())
        for number, status in enumerate(
            (LinkStatus.LINKED, LinkStatus.REFUSED, LinkStatus.UNANSWERED, LinkStatus.SMS_SENT)
        ):
            await uow.link_requests.save(a_link_request(reference=LinkReference(f"l-{number}"), status=status))
        await uow.commit()
    assert {waiting: await look(units, waiting) for waiting in Waiting} == {waiting: [] for waiting in Waiting}


async def test_a_dead_document_waits_for_an_operator(units: Units) -> None:
    async with units() as uow:
        await _document(uow, HIP)
        await uow.bundle_jobs.fail(DOCUMENT, error="x", next_run_at=None, now=NOW)
        await uow.commit()
    assert await look(units, Waiting.DOCUMENT) == []
    async with units() as uow:
        await _document(uow, HIP)
        await uow.bundle_jobs.fail(DOCUMENT, error="x", next_run_at=NOW, now=NOW)
        await uow.commit()
    (lost,) = await look(units, Waiting.DOCUMENT)
    assert lost.state == "failed"


async def test_a_visit_is_linked_or_its_patient_gets_an_sms_only_where_that_was_meant(units: Units) -> None:
    """LINK-05: never one that is linked, was asked for, or is incomplete, and no SMS after an account was closed."""
    by_sms = replace(MEERA, abha_address=None, abha_number=None, phone="9876543210")

    async def told(**changes: object) -> list[str]:
        async with units() as uow:
            await _visit(uow, HIP)
            await uow.patients.save(changes.get("patient", MEERA), hip_id=HIP)  # type: ignore[arg-type]
            await uow.care_contexts.save(changes.get("context", a_care_context()))  # type: ignore[arg-type]
            if (trigger := changes.get("trigger")) is not None:
                await uow.triggers.save(trigger)  # type: ignore[arg-type]
            await uow.commit()
        return [lost.topic for lost in await look(units, Waiting.VISIT)]

    assert await told() == ["link"]
    assert await told(patient=by_sms) == ["sms"]
    assert await told(patient=replace(by_sms, phone=None)) == []
    assert await told(patient=replace(by_sms, closed_account="account")) == []
    linked = a_care_context().link(MEERA.abha_address, reference=LinkReference("l"), now=NOW)  # type: ignore[arg-type]
    assert await told(context=linked) == []
    assert await told(context=a_care_context(reference=CareContextReference("1"), visit_code=VisitCode("1"))) == [
        "link"
    ]
    assert await told(context=a_care_context(hi_types=())) == []
    assert await told(trigger=a_trigger()) == []
    assert await told(trigger=replace(a_trigger(), processed=True, processed_at=NOW - 2 * DAY)) == []
    async with units() as uow:
        await uow.link_requests.save(a_link_request(status=LinkStatus.REFUSED))
        await uow.commit()
    assert await told() == [], "somebody began"


async def test_an_sms_under_way_is_asked_for_as_an_sms(units: Units) -> None:
    async with units() as uow:
        await uow.patients.save(replace(MEERA, abha_address=None, abha_number=None), hip_id=HIP)
        await uow.care_contexts.save(a_care_context())
        await uow.link_requests.save(a_link_request(abha_address=None, status=LinkStatus.SMS_REQUESTED))
        await uow.commit()
    (lost,) = await look(units, Waiting.LINK)
    assert lost.topic is Topic.SMS


async def test_two_that_take_the_same_at_once_ask_for_it_once(units: Units) -> None:
    await put(units, Waiting.CALLBACK)
    async with units() as uow:
        second = a_callback(id=CallbackId("callback-2"), request_id=RequestId("request-2"))
        await uow.callbacks.add(second)
        await uow.commit()
    lost = await look(units, Waiting.CALLBACK)
    assert len(lost) == 2
    taken = await asyncio.gather(take(units, Waiting.CALLBACK, lost), take(units, Waiting.CALLBACK, lost))
    assert sorted(map(len, taken)) == [0, 2]
