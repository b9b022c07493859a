"""The release gate in the flows: what it is asked, what it writes down, and what it stops."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.builders.flows import HIP, House, an_artefact
from tests.builders.openings import consented, data_asked_for
from tests.builders.releases import accounts, answers, audited, consent_of, decisions, transfer_of
from tests.builders.visits import MEERA, a_visit

from hip.application.release import ReleaseGate
from hip.application.storage import Topic
from hip.domain.bundles import Bundle, BundleKey
from hip.domain.consents import ConsentStatus
from hip.domain.decisions import Stage, digest
from hip.domain.errors import PushRefused, Transient
from hip.domain.exchanges import Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, PatientReference, TransactionId, VisitCode
from hip.domain.pages import HiStatus
from hip.domain.release_facts import FrequencyMode, ReleasePolicy, RequesterMode, SignatureMode
from hip.domain.transfers import TransferOutcome, TransferState

ONE_TYPE = frozenset({HiType.PRESCRIPTION})
KEY = BundleKey(hip_id=HIP, visit_code=VisitCode("88120"), hi_type=HiType.PRESCRIPTION)


def under(house: House, policy: ReleasePolicy, **changes: object) -> None:
    """The same house, under another policy or with other parts of the push flow."""
    flow = house.push_transfer
    parts = {name: getattr(flow, name) for name in flow.__slots__}
    gate = ReleaseGate(flow.sealer, house.pusher, policy)
    house.push_transfer = flow.__class__(**(parts | {"gate": gate} | changes))
    house.handlers[Topic.TRANSFER] = house.push_transfer


def test_every_stage_leaves_a_record_that_can_be_found_by_all_it_is_about():
    async def story() -> None:
        artefact = an_artefact(("PAT-20417", "88120"), ("PAT-20417", "nowhere"))
        house = await data_asked_for(artefact)
        await house.work()
        found = await decisions(house, transaction_id=TransactionId("t-1"))
        stages = [decision.stage for decision in found]
        assert stages == [Stage.REQUEST, Stage.PLAN, Stage.PAGE, Stage.PAGE, Stage.PAGE]
        assert all(decision.permitted for decision in found)
        plan = found[1]
        left = {(one.care_context_reference, one.hi_type): one.leaves for one in plan.records}
        assert left == {
            ("88120", HiType.OP_CONSULTATION): True,
            ("88120", HiType.PRESCRIPTION): True,
            ("88120", HiType.WELLNESS_RECORD): True,
            ("nowhere", None): False,
        }
        nowhere = next(one for one in plan.records if one.care_context_reference == "nowhere")
        assert nowhere.refusal is not None
        assert nowhere.refusal.rule == "REL-07"
        assert sorted(decision.page or 0 for decision in found[2:]) == [1, 2, 3]
        assert await decisions(house, patient=digest("meera.k01@sbx")) == found
        assert await decisions(house, requester="HIU-1") == found
        assert await decisions(house, consent_id=artefact.consent_id) == found

    asyncio.run(story())


def test_no_record_shows_who_the_patient_is():
    async def story() -> None:
        house = await data_asked_for()
        await house.work()
        for canary in (str(MEERA.abha_address), MEERA.reference, MEERA.name, "meera"):
            assert canary not in repr(await decisions(house))

    asyncio.run(story())


def test_rel_22_a_bundle_of_another_patient_under_this_patients_visit_does_not_leave():
    async def story() -> None:
        house = House()
        await house.link()
        ravi = replace(MEERA, reference=PatientReference("PAT-2"), abha_address=AbhaAddress("ravi.r01@sbx"))
        composer = house.build_bundle.composer
        facility = house.facilities.find(HIP)
        assert facility is not None
        swapped = composer.compose(a_visit(patient=ravi), HiType.PRESCRIPTION, facility=facility)
        async with house.units() as uow:
            record = await uow.bundles.servable(KEY)
            assert record is not None
            await uow.bundles.add(replace(record, sha256=hashlib.sha256(swapped).hexdigest()))
            await uow.commit()
        await house.documents.put(
            Bundle(key=KEY, version=record.version, content=swapped, valid=True, composed_at=house.clock())
        )
        artefact = an_artefact(hi_types=ONE_TYPE)
        await house.grant(artefact)
        await house.ask(artefact)
        await house.work()
        assert house.pusher.pages == []
        [status] = accounts(house)["t-1"].statuses
        assert (status.hi_status, status.description) == (HiStatus.ERRORED, "REL-22: the bundle is another patient's")
        assert house.alarms == [("record-kept-back", "t-1", "REL-22")]

    asyncio.run(story())


def test_rel_19_an_artefact_that_was_changed_in_the_store_releases_nothing_and_alarms():
    async def story() -> None:
        artefact = an_artefact(hi_types=ONE_TYPE)
        house = await consented(artefact)
        consent = await consent_of(house)
        async with house.units() as uow:
            await uow.consents.save(replace(consent, artefact=replace(artefact, hi_types=frozenset(HiType))))
            await uow.commit()
        await house.ask(artefact)
        await house.work()
        assert answers(house) == ["ABDM-1062"]
        assert house.pusher.pages == []
        assert house.alarms == [("artefact-changed", "t-1", "REL-19")]

    asyncio.run(story())


def test_rel_13_break_the_glass_is_served_and_calls_for_a_person():
    async def story() -> None:
        house = await data_asked_for(an_artefact(purpose="BTG"))
        await house.work()
        assert accounts(house)["t-1"].outcome is TransferOutcome.TRANSFERRED
        assert house.alarms == [("break-the-glass", "t-1", "REL-13")]
        [entry] = await audited(house, "break-the-glass")
        assert entry["requester"] == "HIU-1"
        assert entry["reason"]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("policy", "changes", "times", "codes"),
    [
        pytest.param(
            ReleasePolicy(consent_manager="sbx"), {"frequency": ("HOUR", 1, 0)}, 2, [None, None], id="REL-12 warns"
        ),
        pytest.param(
            ReleasePolicy(consent_manager="sbx", frequency=FrequencyMode.ENFORCE),
            {"frequency": ("HOUR", 1, 0)},
            2,
            [None, "ABDM-1062"],
            id="REL-12 enforced",
        ),
        pytest.param(ReleasePolicy(consent_manager="abdm"), {}, 1, ["ABDM-1062"], id="REL-06 another environment"),
        pytest.param(
            ReleasePolicy(consent_manager="sbx", signature=SignatureMode.ENFORCE),
            {},
            1,
            ["ABDM-1062"],
            id="REL-18 enforced",
        ),
        pytest.param(ReleasePolicy(consent_manager="sbx", signature=SignatureMode.OFF), {}, 1, [None], id="REL-18 off"),
        pytest.param(ReleasePolicy(consent_manager="sbx"), {"hiu_id": None}, 1, [None], id="REL-17 warns"),
        pytest.param(
            ReleasePolicy(consent_manager="sbx", requester=RequesterMode.ENFORCE),
            {"hiu_id": None},
            1,
            ["ABDM-1062"],
            id="REL-17 enforced",
        ),
    ],
)
def test_the_policy_decides_what_only_warns(policy, changes, times, codes):
    async def story() -> None:
        house = House()
        under(house, policy)
        await house.link()
        artefact = an_artefact(**changes)
        await house.grant(artefact)
        for number in range(1, times + 1):
            await house.ask(artefact, transaction=f"t-{number}")
            await house.work()
            house.clock.advance(timedelta(minutes=1))
        assert answers(house) == codes

    asyncio.run(story())


def test_rel_12_the_window_moves_on():
    async def story() -> None:
        house = House()
        under(house, ReleasePolicy(consent_manager="sbx", frequency=FrequencyMode.ENFORCE))
        await house.link()
        artefact = an_artefact(frequency=("HOUR", 1, 0))
        await house.grant(artefact)
        for number in (1, 2):
            await house.ask(artefact, transaction=f"t-{number}")
            await house.work()
            house.clock.advance(timedelta(minutes=61))
        assert answers(house) == [None, None]

    asyncio.run(story())


def test_rel_16_a_repeated_transaction_is_written_down_and_served_once():
    async def story() -> None:
        house = await consented()
        for _ in range(2):
            await house.ask(an_artefact())
            await house.work()
        assert len(await audited(house, "transfer-repeated")) == 1
        assert len(house.pusher.pages) == 3

    asyncio.run(story())


async def asked_for_before_the_on_notify_is_taken() -> House:
    house = House()
    await house.link()
    house.gateway.refusals[Flow.CONSENT_ON_NOTIFY] = [Transient("503", code="503")]
    with pytest.raises(Transient):
        await house.grant(an_artefact())
    await house.ask(an_artefact())
    return house


def test_rel_20_a_request_whose_consent_is_never_acknowledged_ends_failed_at_its_deadline():
    async def story() -> None:
        house = await asked_for_before_the_on_notify_is_taken()
        for _ in range(25):
            await house.work()
            house.clock.advance(timedelta(minutes=1))
        assert answers(house) == ["ABDM-1062"]
        assert accounts(house)["t-1"].outcome is TransferOutcome.FAILED
        assert house.pusher.pages == []

    asyncio.run(story())


def test_rel_20_a_waiting_request_goes_on_as_soon_as_the_on_notify_is_taken():
    async def story() -> None:
        house = await asked_for_before_the_on_notify_is_taken()
        await house.work()
        assert answers(house) == []
        await house.grant(an_artefact())
        await house.work()  # without a tick of the clock
        assert accounts(house)["t-1"].outcome is TransferOutcome.TRANSFERRED

    asyncio.run(story())


def test_requests_on_one_consent_run_one_after_another_and_each_is_answered_at_once():
    async def story() -> None:
        artefact = an_artefact()
        house = await consented(artefact)
        for number in (1, 2, 3):
            await house.ask(artefact, transaction=f"t-{number}")
            house.clock.advance(timedelta(microseconds=1))
        house.pusher.errors = [Transient("no answer")] * 3
        await house.work()
        assert answers(house) == [None, None, None]
        assert house.pusher.pages == []
        house.clock.advance(timedelta(seconds=10))
        await house.work()
        order = [page.transaction_id for page in house.pusher.pages]
        assert order == ["t-1"] * 3 + ["t-2"] * 3 + ["t-3"] * 3
        assert {name: call.outcome for name, call in accounts(house).items()} == dict.fromkeys(
            ("t-1", "t-2", "t-3"), TransferOutcome.TRANSFERRED
        )

    asyncio.run(story())


def test_a_request_on_another_consent_waits_for_nobody():
    async def story() -> None:
        house = House()
        await house.link()
        first, second = an_artefact(), an_artefact(consent_id="other-consent")
        for artefact, transaction in ((first, "t-1"), (second, "t-2")):
            await house.grant(artefact)
            await house.ask(artefact, transaction=transaction)
        house.pusher.errors = [Transient("no answer")] * 3
        await house.work()
        assert {page.transaction_id for page in house.pusher.pages} == {"t-2"}

    asyncio.run(story())


def test_push_07_somebody_is_told_once_at_half_and_once_at_four_fifths_of_the_time():
    async def story() -> None:
        house = await data_asked_for(an_artefact(hi_types=ONE_TYPE))
        house.pusher.errors = [Transient("no answer") for _ in range(60)]
        for _ in range(24):
            await house.work()
            await house.sweep_deadlines()
            await house.sweep_deadlines()
            house.clock.advance(timedelta(minutes=1))
        late = [("transfer-late", "t-1", "50%"), ("transfer-late", "t-1", "80%")]
        assert house.alarms == late
        assert [entry["percent"] for entry in await audited(house, "transfer-late")] == ["80", "50"]
        assert accounts(house)["t-1"].outcome is TransferOutcome.FAILED

    asyncio.run(story())


def test_push_07_a_retried_transfer_has_its_time_and_its_alerts_anew():
    async def story() -> None:
        house = await data_asked_for(an_artefact(hi_types=ONE_TYPE))
        house.pusher.errors = [PushRefused(status=403)]
        await house.work()
        house.clock.advance(timedelta(hours=5))
        retried = await house.retry_transfer(HIP, TransactionId("t-1"), actor="test")
        assert retried.alert_at == house.clock() + timedelta(minutes=10)

    asyncio.run(story())


def test_rel_21_no_page_is_permitted_by_a_record_later_than_the_end_of_the_consent():
    async def story(after: int) -> None:
        house = House()
        under(house, house.policy, parallel=2)
        for number in range(5):
            await house.link(
                a_visit(visit_code=VisitCode(f"9000{number}"), start=datetime(2026, 3, 1 + number, 10, tzinfo=UTC))
            )
        artefact = an_artefact(*(("PAT-20417", f"9000{number}") for number in range(5)))
        await house.grant(artefact)
        await house.ask(artefact)
        taken = house.pusher.push
        pushed = 0

        async def revoke_after(*arguments: object, **named: object) -> int:
            nonlocal pushed
            pushed += 1
            if pushed == after:
                await house.end_consent(artefact.consent_id)
            return await taken(*arguments, **named)  # type: ignore[arg-type]

        house.pusher.push = revoke_after  # type: ignore[method-assign]
        await house.work()
        found = await decisions(house, consent_id=artefact.consent_id)
        ended = next(number for number, one in enumerate(found) if one.stage is Stage.ENDED)
        assert not any(one.permitted for one in found[ended:])
        permitted = [one for one in found if one.stage is Stage.PAGE and one.permitted]
        assert len(house.pusher.pages) == len(permitted) < 15
        transfer = await transfer_of(house)
        assert (transfer.state, transfer.outcome) == (TransferState.DONE, TransferOutcome.FAILED)
        assert (await consent_of(house)).status is ConsentStatus.REVOKED

    for after in (1, 2, 3, 7, 13):
        asyncio.run(story(after))
