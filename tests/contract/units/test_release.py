"""Decision records, the sweeps' questions, and what is cut when a consent ends."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.consents import a_consent, an_artefact
from tests.builders.conversations import a_callback
from tests.builders.decisions import a_decision
from tests.builders.links import HIP, OTHER_HIP, a_care_context
from tests.builders.moments import DAY, MINUTE, NOW, SECOND
from tests.builders.stored_visits import a_bundle_key, a_bundle_record
from tests.builders.transfers import a_page, a_transfer

from hip.application.storage import Listing, Topic, UnitOfWork, Units
from hip.domain.callbacks import CallbackId
from hip.domain.consents import ConsentStatus, SignatureState
from hip.domain.decision_seals import DecisionSeal
from hip.domain.decisions import Stage
from hip.domain.errors import NotFound
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, RequestId, TransactionId, VisitCode
from hip.domain.pages import PageState
from hip.domain.transfers import TransferState

pytestmark = pytest.mark.anyio
CONSENT, TRANSFER = ConsentId("consent-1"), TransactionId("transfer-1")


async def test_a_decision_comes_back_as_it_was_and_is_found_by_all_it_is_about(units: Units) -> None:
    ended = a_decision(
        transaction_id=None, stage=Stage.ENDED, page=None, patient=None, requester=None, records=(), at=NOW + SECOND
    )
    other = a_decision(
        consent_id=ConsentId("consent-2"), transaction_id=TransactionId("t-2"), patient="00", requester="HIU-2"
    )
    async with units() as uow:
        for decision in (a_decision(), ended, other, a_decision(hip_id=OTHER_HIP)):
            await uow.decisions.append(decision)
        await uow.commit()
    ours = Listing(hip_id=HIP)
    async with units() as uow:
        assert await uow.decisions.list(ours) == [ended, other, a_decision()]
        assert await uow.decisions.list(ours, consent_id=CONSENT) == [ended, a_decision()]
        assert await uow.decisions.list(ours, transaction_id=TRANSFER) == [a_decision()]
        assert await uow.decisions.list(ours, patient="00") == [other]
        assert await uow.decisions.list(ours, requester="HIU-2", consent_id=CONSENT) == []
        assert await uow.decisions.tally(HIP, CONSENT) == 2
        assert await uow.decisions.tally(OTHER_HIP, CONSENT) == 1
        assert await uow.decisions.tally(HIP, ConsentId("consent-3")) == 0


async def test_aud_02_decisions_are_numbered_in_their_order_and_read_back_as_they_were_sealed(units: Units) -> None:
    decisions = [a_decision(page=page, at=NOW + page * SECOND) for page in (1, 2, 3)]
    for decision in (*decisions, a_decision(hip_id=OTHER_HIP)):
        async with units() as uow:
            await uow.decisions.append(decision)
            await uow.commit()
    async with units() as uow:
        found = await uow.decisions.numbered(HIP, after=0, limit=10)
        assert [one.decision for one in found] == decisions
        assert [one.number for one in found] == sorted({one.number for one in found})
        assert await uow.decisions.numbered(HIP, after=found[0].number, limit=1) == [found[1]]
        assert await uow.decisions.numbered(HIP, after=found[2].number, limit=1) == []
        seal = DecisionSeal.of(found)
        assert seal.holds(await uow.decisions.numbered(HIP, after=seal.first - 1, limit=seal.count + 1))


async def test_decisions_added_together_keep_their_order(units: Units) -> None:
    several = [a_decision(page=number) for number in (3, 1, 2)]
    async with units() as uow:
        await uow.decisions.append_all(several)
        await uow.decisions.append_all([])
        await uow.commit()
    async with units() as uow:
        assert await uow.decisions.list(Listing(hip_id=HIP)) == several[::-1]


async def test_an_unchanged_consent_is_not_read_again_and_a_changed_one_is(units: Units) -> None:
    async with units() as uow:
        await uow.consents.save(a_consent())
        await uow.commit()
    async with units() as uow:
        held = await uow.consents.lock(HIP, CONSENT)
        assert held is not None
        assert await uow.consents.lock_again(held) is held
        assert await uow.consents.lock_again(a_consent(consent_id=ConsentId("consent-2"))) is None
        acknowledged = held.acknowledge(now=NOW)
        await uow.consents.save(acknowledged)
        assert await uow.consents.lock_again(held) == acknowledged


async def test_rel_19_an_artefact_that_vanished_from_the_row_is_noticed(units: Units) -> None:
    async with units() as uow:
        await uow.consents.save(a_consent())
        bare = replace(a_consent(), artefact=None)
        await uow.consents.save(bare)
        assert await uow.consents.lock_again(a_consent()) == bare


async def test_rel_04_consents_whose_time_is_over_are_found_once(units: Units) -> None:
    over = a_consent(consent_id=ConsentId("over"), artefact=an_artefact(data_erase_at=NOW - SECOND))
    theirs = a_consent(hip_id=OTHER_HIP, artefact=an_artefact(data_erase_at=NOW))
    paused = a_consent(
        consent_id=ConsentId("paused"), status=ConsentStatus.PAUSED, artefact=an_artefact(data_erase_at=NOW - MINUTE)
    )
    revoked = a_consent(consent_id=ConsentId("revoked"), status=ConsentStatus.REVOKED, artefact=None)
    async with units() as uow:
        for consent in (over, theirs, paused, revoked, a_consent()):
            await uow.consents.save(consent)
        await uow.commit()
    async with units() as uow:
        assert await uow.consents.spent(now=NOW, limit=9) == [paused, over, theirs]
        assert await uow.consents.spent(now=NOW, limit=1) == [paused]
        for consent in (over, paused):
            await uow.consents.save(
                consent.receive(
                    ConsentStatus.EXPIRED,
                    artefact=None,
                    artefact_hash=None,
                    signature_state=SignatureState.ABSENT,
                    now=NOW,
                )
            )
        assert await uow.consents.spent(now=NOW, limit=9) == [theirs]


async def test_ret_01_the_bodies_of_deliveries_about_a_consent_are_cut_and_never_put_back(units: Units) -> None:
    about = a_callback()
    again = a_callback(id=CallbackId("callback-2"), request_id=RequestId("r-2"))
    other = a_callback(id=CallbackId("callback-3"), request_id=RequestId("r-3"))
    theirs = a_callback(hip_id=OTHER_HIP)
    async with units() as uow:
        for callback in (about, again, other, theirs):
            await uow.callbacks.add(callback)
        for hip_id, callback_id, consent_id in (
            (HIP, about.id, CONSENT),
            (HIP, again.id, CONSENT),
            (HIP, other.id, ConsentId("consent-2")),
            (OTHER_HIP, theirs.id, CONSENT),
        ):
            await uow.callbacks.about(hip_id, callback_id, consent_id)
        with pytest.raises(NotFound):
            await uow.callbacks.about(HIP, CallbackId("callback-9"), CONSENT)
        await uow.commit()
    async with units() as uow:
        assert set(await uow.callbacks.cut(HIP, CONSENT)) == {about.id, again.id}
        assert await uow.callbacks.cut(HIP, CONSENT) == []
        done = about.done(now=NOW)
        assert done.sealed_body is not None
        await uow.callbacks.save(done)
        assert await uow.callbacks.get(HIP, about.id) == replace(done, sealed_body=None)
        assert await uow.callbacks.get(HIP, again.id) == replace(again, sealed_body=None)
        assert await uow.callbacks.get(HIP, other.id) == other
        assert await uow.callbacks.get(OTHER_HIP, theirs.id) == theirs
        assert await uow.callbacks.subject(HIP, about.id) == CONSENT, "which outlives the body"
        assert await uow.callbacks.subject(HIP, other.id) == ConsentId("consent-2")
        assert await uow.callbacks.subject(HIP, CallbackId("callback-9")) is None


async def _due(uow: UnitOfWork, at: timedelta) -> list[str]:
    rows = await uow.outbox.lease(now=NOW + at, until=NOW + at + MINUTE, limit=50)
    return [row.key for row in rows]


async def test_work_that_waits_is_hurried_and_work_under_way_is_let_be(units: Units) -> None:
    async with units() as uow:
        for key in ("waits", "leased", "other"):
            await uow.outbox.add(HIP, Topic.TRANSFER, key, run_at=NOW if key == "leased" else NOW + DAY)
        assert await _due(uow, timedelta(0)) == ["leased"]
        assert await uow.outbox.hurry(HIP, Topic.TRANSFER, "waits", run_at=NOW + SECOND) == 1
        assert await uow.outbox.hurry(HIP, Topic.TRANSFER, "waits", run_at=NOW + MINUTE) == 0
        assert await uow.outbox.hurry(HIP, Topic.TRANSFER, "leased", run_at=NOW) == 0
        assert await uow.outbox.hurry(HIP, Topic.BUNDLE, "other", run_at=NOW) == 0
        assert await uow.outbox.hurry(OTHER_HIP, Topic.TRANSFER, "other", run_at=NOW) == 0
        assert await _due(uow, SECOND) == ["waits"]


async def test_rel_12_other_requests_on_the_consent_are_counted_up_to_this_one(units: Units) -> None:
    async with units() as uow:
        for number, (seconds, consent) in enumerate(
            [(0, CONSENT), (-10, CONSENT), (-20, CONSENT), (-30, CONSENT), (5, CONSENT), (-5, ConsentId("consent-2"))]
        ):
            await uow.transfers.add(
                a_transfer(
                    transaction_id=TransactionId(f"transfer-{number}"),
                    consent_id=consent,
                    requested_at=NOW + seconds * SECOND,
                )
            )
        this = a_transfer(transaction_id=TransactionId("transfer-0"))
        assert await uow.transfers.earlier(this, since=NOW - 20 * SECOND) == 2
        assert await uow.transfers.earlier(this, since=NOW - DAY) == 3
        assert await uow.transfers.earlier(replace(this, hip_id=OTHER_HIP), since=NOW - DAY) == 0


async def test_push_07_each_alert_is_due_once_and_none_after_the_end(units: Units) -> None:
    ended = a_transfer(transaction_id=TransactionId("transfer-2"), state=TransferState.DEAD)
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.transfers.add(ended)
        assert await uow.transfers.alerting(now=NOW + 10 * MINUTE - SECOND, limit=9) == []
        assert await uow.transfers.alerting(now=NOW + 10 * MINUTE, limit=9) == [a_transfer()]
        told = a_transfer().alert(now=NOW + 10 * MINUTE)
        await uow.transfers.save(told)
        assert await uow.transfers.alerting(now=NOW + 15 * MINUTE, limit=9) == []
        assert await uow.transfers.alerting(now=NOW + 16 * MINUTE, limit=9) == [told]
        await uow.transfers.save(told.alert(now=NOW + 16 * MINUTE))
        assert await uow.transfers.alerting(now=NOW + DAY, limit=9) == []


async def test_pages_still_to_be_pushed_are_closed_and_the_others_stay(units: Units) -> None:
    delivered = a_page(1).delivered(now=NOW)
    async with units() as uow:
        await uow.transfers.add(a_transfer())
        await uow.transfers.add_pages([delivered, a_page(2), a_page(3)])
        await uow.transfers.close_pages(HIP, TRANSFER, "REL-02", now=NOW + SECOND)
        closed = [page.errored("REL-02", now=NOW + SECOND) for page in (a_page(2), a_page(3))]
        assert await uow.transfers.pages(HIP, TRANSFER) == [delivered, *closed]
        assert {page.state for page in closed} == {PageState.ERRORED}


async def test_care_contexts_and_bundles_are_found_many_at_a_time(units: Units) -> None:
    def key(code: str, hi_type: HiType = HiType.PRESCRIPTION) -> object:
        return a_bundle_key(visit_code=VisitCode(code), hi_type=hi_type)

    older, newer = a_bundle_record(key=key("1")), a_bundle_record(key=key("1"), version=2)
    broken = a_bundle_record(key=key("1"), version=3, valid=False)
    invoice = a_bundle_record(key=key("2", HiType.INVOICE))
    async with units() as uow:
        for code in ("1", "2", "3"):
            await uow.care_contexts.save(a_care_context(reference=CareContextReference(code), visit_code=code))
        await uow.care_contexts.save(a_care_context(hip_id=OTHER_HIP, reference=CareContextReference("4")))
        for record in (older, newer, broken, invoice, a_bundle_record(key=key("3"))):
            await uow.bundles.add(record)
        await uow.commit()
    async with units() as uow:
        wanted = [CareContextReference(code) for code in ("2", "1", "4", "9", "1")]
        assert {one.reference for one in await uow.care_contexts.several(HIP, wanted)} == {"1", "2"}
        assert await uow.care_contexts.several(HIP, []) == []
        found = await uow.bundles.servable_of(HIP, [VisitCode("1"), VisitCode("2"), VisitCode("1")])
        assert sorted(found, key=lambda record: str(record.key)) == [newer, invoice]
        assert await uow.bundles.servable_of(HIP, []) == []
