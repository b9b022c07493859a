"""Consent → request → pages → the truthful notify."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from tests.builders.flows import HIP, House, an_artefact
from tests.builders.openings import a_transfer_that_leaves_one_visit_behind, consented, data_asked_for
from tests.builders.releases import transfer_of

from hip.application.gateway_calls import HealthInformationNotify, HealthInformationOnRequest
from hip.application.storage import Topic
from hip.domain.bundles import BundleKey
from hip.domain.consents import ConsentStatus, DateRange
from hip.domain.errors import GatewayRefused, PushRefused, Transient
from hip.domain.exchanges import Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import TransactionId, VisitCode
from hip.domain.pages import HiStatus
from hip.domain.transfers import TransferOutcome, TransferState

T1 = TransactionId("t-1")


def _notify(house: House) -> HealthInformationNotify:
    [told] = house.gateway.of(Flow.HEALTH_INFORMATION_NOTIFY)
    assert isinstance(told, HealthInformationNotify)
    return told


def _answer(house: House) -> HealthInformationOnRequest:
    [told] = house.gateway.of(Flow.HEALTH_INFORMATION_ON_REQUEST)
    assert isinstance(told, HealthInformationOnRequest)
    return told


def test_a_consented_request_is_acknowledged_pushed_page_by_page_and_accounted_for():
    async def story() -> None:
        house = await data_asked_for()
        await house.work()
        flows = [call.flow for call, _ in house.gateway.calls]
        assert flows[-3:] == [
            Flow.CONSENT_ON_NOTIFY,
            Flow.HEALTH_INFORMATION_ON_REQUEST,
            Flow.HEALTH_INFORMATION_NOTIFY,
        ]
        assert _answer(house).error is None
        assert sorted(page.number for page in house.pusher.pages) == [1, 2, 3]
        assert {page.page_count for page in house.pusher.pages} == {3}
        told = _notify(house)
        assert told.outcome is TransferOutcome.TRANSFERRED
        [status] = told.statuses
        assert (status.care_context_reference, status.hi_status) == ("88120", HiStatus.DELIVERED)
        assert (await transfer_of(house)).state is TransferState.DONE

    asyncio.run(story())


def test_push_01_every_page_has_its_own_key_and_nonce():
    async def story() -> None:
        house = await data_asked_for()
        await house.work()
        materials = [page.sealed.key_material for page in house.pusher.pages]
        assert len({m.public_key for m in materials}) == len({m.nonce for m in materials}) == len(materials) == 3

    asyncio.run(story())


def test_only_the_visit_inside_the_consented_dates_leaves():
    async def story() -> None:
        house = await a_transfer_that_leaves_one_visit_behind()
        assert {page.references for page in house.pusher.pages} == {("88120",)}
        statuses = {s.care_context_reference: (s.hi_status, s.description) for s in _notify(house).statuses}
        assert statuses["70001"] == (HiStatus.ERRORED, "no records in range")
        assert statuses["88120"][0] is HiStatus.DELIVERED
        assert _notify(house).outcome is TransferOutcome.TRANSFERRED

    asyncio.run(story())


def test_rel_10_only_consented_types_leave():
    async def story() -> None:
        house = await data_asked_for(an_artefact(hi_types=frozenset({HiType.PRESCRIPTION})))
        await house.work()
        assert len(house.pusher.pages) == 1

    asyncio.run(story())


def test_an_unknown_consent_gets_an_error_and_no_notify():
    async def story() -> None:
        house = House()
        await house.link()
        await house.ask(an_artefact())
        await house.work()
        error = _answer(house).error
        assert error is not None
        assert error.code == "ABDM-1112"
        assert house.gateway.of(Flow.HEALTH_INFORMATION_NOTIFY) == []
        assert house.pusher.pages == []
        assert (await transfer_of(house)).state is TransferState.DONE

    asyncio.run(story())


_WIDER = DateRange(start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2026, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changes", "asked", "code"),
    [
        pytest.param({"data_erase_at": datetime(2026, 3, 14, tzinfo=UTC)}, None, "ABDM-1061", id="REL-03 expired"),
        pytest.param({}, _WIDER, "ABDM-1063", id="REL-08 dates wider than the consent"),
        pytest.param({"access_mode": "PRINT"}, None, "ABDM-1062", id="REL-11 access mode"),
        pytest.param({"purpose": "SALES"}, None, "ABDM-1062", id="REL-13 purpose"),
    ],
)
def test_a_request_outside_the_consent_is_refused_with_its_code_and_accounted_for(changes, asked, code):
    async def story() -> None:
        artefact = an_artefact(**changes)
        house = await consented(artefact)
        await house.ask(artefact, asked=asked)
        await house.work()
        error = _answer(house).error
        assert error is not None
        assert error.code == code
        assert house.pusher.pages == []
        told = _notify(house)
        assert told.outcome is TransferOutcome.FAILED
        assert [s.hi_status for s in told.statuses] == [HiStatus.ERRORED]

    asyncio.run(story())


def test_rel_02_a_revoked_consent_serves_nothing():
    async def story() -> None:
        artefact = an_artefact()
        house = await consented(artefact)
        await house.end_consent(artefact.consent_id)
        await house.grant(artefact)
        await house.ask(artefact)
        await house.work()
        error = _answer(house).error
        assert error is not None
        assert error.code == "ABDM-1062"
        assert house.pusher.pages == []
        async with house.units() as uow:
            consent = await uow.consents.get(HIP, artefact.consent_id)
        assert consent is not None
        assert (consent.status, consent.artefact) == (ConsentStatus.REVOKED, None)

    asyncio.run(story())


def test_rel_21_a_revocation_between_two_pages_stops_the_second():
    async def story() -> None:
        house = House()
        house.push_transfer = house.push_transfer.__class__(
            **{
                **{name: getattr(house.push_transfer, name) for name in house.push_transfer.__slots__},
                "parallel": 1,
            }
        )
        house.handlers[Topic.TRANSFER] = house.push_transfer
        await house.link()
        artefact = an_artefact()
        await house.grant(artefact)
        await house.ask(artefact)
        taken = house.pusher.push

        async def revoke_after(*arguments: object, **named: object) -> int:
            status = await taken(*arguments, **named)  # type: ignore[arg-type]
            await house.end_consent(artefact.consent_id)
            return status

        house.pusher.push = revoke_after  # type: ignore[method-assign]
        await house.work()
        assert len(house.pusher.pages) == 1
        told = _notify(house)
        assert told.outcome is TransferOutcome.FAILED
        assert [s.hi_status for s in told.statuses] == [HiStatus.ERRORED]

    asyncio.run(story())


def test_rel_20_nothing_flows_before_the_gateway_took_our_on_notify():
    async def story() -> None:
        house = House()
        await house.link()
        artefact = an_artefact()
        house.gateway.refusals[Flow.CONSENT_ON_NOTIFY] = [
            GatewayRefused(call="consent-on-notify", code="ABDM-1041", status=400)
        ]
        await house.grant(artefact)
        await house.ask(artefact)
        await house.work()
        assert house.gateway.of(Flow.HEALTH_INFORMATION_ON_REQUEST) == []
        await house.grant(artefact)
        house.clock.advance(timedelta(seconds=30))
        await house.work()
        assert _answer(house).error is None

    asyncio.run(story())


def test_rel_16_the_same_transaction_again_sends_nothing_again():
    async def story() -> None:
        artefact = an_artefact()
        house = await data_asked_for(artefact)
        await house.work()
        await house.ask(artefact)
        await house.work()
        assert len(house.pusher.pages) == 3
        assert len(house.gateway.of(Flow.HEALTH_INFORMATION_NOTIFY)) == 1

    asyncio.run(story())


def _not_yet(count: int) -> list[Transient]:
    return [Transient("the requester does not know the transaction", code="404") for _ in range(count)]


def test_a_requester_that_does_not_know_the_transaction_yet_is_tried_again():
    async def story() -> None:
        house = await data_asked_for(an_artefact(hi_types=frozenset({HiType.PRESCRIPTION})))
        house.pusher.errors = list(_not_yet(2))
        for _ in range(3):
            await house.work()
            house.clock.advance(timedelta(seconds=60))
        assert len(house.pusher.pages) == 1
        assert _notify(house).outcome is TransferOutcome.TRANSFERRED

    asyncio.run(story())


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(lambda: [PushRefused(status=403)], id="a final no"),
        pytest.param(lambda: list(_not_yet(5)), id="404 for ever"),
    ],
)
def test_push_06_what_the_requester_does_not_take_is_never_reported_as_transferred(failing: Callable[[], list]):
    async def story() -> None:
        house = await data_asked_for(an_artefact(hi_types=frozenset({HiType.PRESCRIPTION})))
        house.pusher.errors = failing()
        for _ in range(7):
            await house.work()
            house.clock.advance(timedelta(seconds=60))
        assert _notify(house).outcome is TransferOutcome.FAILED
        assert house.pusher.pages == []

    asyncio.run(story())


def test_push_07_a_transfer_past_its_deadline_ends_failed():
    async def story() -> None:
        house = await data_asked_for(an_artefact(hi_types=frozenset({HiType.PRESCRIPTION})))
        house.pusher.errors = [Transient("no answer") for _ in range(30)]
        for _ in range(15):
            await house.work()
            house.clock.advance(timedelta(minutes=2))
        assert _notify(house).outcome is TransferOutcome.FAILED

    asyncio.run(story())


def test_rel_19_a_bundle_that_was_changed_in_the_store_is_not_sent():
    async def story() -> None:
        artefact = an_artefact(hi_types=frozenset({HiType.PRESCRIPTION}))
        house = await consented(artefact)
        key = BundleKey(hip_id=HIP, visit_code=VisitCode("88120"), hi_type=HiType.PRESCRIPTION)
        async with house.units() as uow:
            record = await uow.bundles.servable(key)
            assert record is not None
            await uow.bundles.add(record.__class__(**{**_fields(record), "sha256": "f" * 64}))
            await uow.commit()
        await house.ask(artefact)
        await house.work()
        assert house.pusher.pages == []
        assert _notify(house).outcome is TransferOutcome.FAILED

    asyncio.run(story())


def _fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]


def test_push_04_an_unsafe_push_address_is_refused_before_anything_is_sealed():
    async def story() -> None:
        house = await consented()
        house.pusher.unsafe = True
        await house.ask(an_artefact())
        await house.work()
        assert _answer(house).error is not None
        assert house.pusher.pages == []

    asyncio.run(story())


def test_storage_that_fails_in_any_step_loses_nothing():
    async def story(after: int) -> None:
        house = await data_asked_for()
        house.database.fail_next(1, after=after)
        for _ in range(4):
            with suppress(Transient):  # the lease runs out
                await house.work()
            house.clock.advance(timedelta(minutes=1))
        assert (await transfer_of(house)).outcome is TransferOutcome.TRANSFERRED
        assert {page.number for page in house.pusher.pages} == {1, 2, 3}
        accounts = {repr(call) for call in house.gateway.of(Flow.HEALTH_INFORMATION_NOTIFY)}
        assert len(accounts) == 1

    for after in range(0, 60, 3):
        asyncio.run(story(after))
