"""What follows when a consent ends: by notice, by our own clock, early, late, twice (RET-01, REL-04, REL-21)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House, an_artefact
from tests.builders.openings import consented, data_asked_for
from tests.builders.releases import accounts, answers, audited, consent_of, decisions, transfer_of

from hip.application.gateway_events import ConsentNotified, Delivery
from hip.application.storage import Topic
from hip.domain.callbacks import Callback, CallbackId
from hip.domain.consents import ConsentStatus
from hip.domain.decisions import Stage
from hip.domain.errors import GatewayRefused, Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import RequestId
from hip.domain.transfers import TransferOutcome, TransferState

CONSENT = an_artefact().consent_id


async def deliver(house: House, name: str, status: ConsentStatus) -> None:
    """A consent notify as the worker hands it over: from a stored callback, whose raw body holds the artefact."""
    callback_id = CallbackId(name)
    async with house.units() as uow:
        if await uow.callbacks.get(HIP, callback_id) is None:
            await uow.callbacks.add(
                Callback(
                    id=callback_id,
                    hip_id=HIP,
                    path="/consent",
                    request_id=RequestId(name),
                    received_at=house.clock(),
                    body_hash="ab" * 32,
                    sealed_body=b"the artefact",
                    headers=(),
                    verified=True,
                )
            )
        await uow.commit()
    granted = status is ConsentStatus.GRANTED
    await house.receive_consent(
        Delivery(hip_id=HIP, request_id=RequestId(name), received_at=house.clock(), callback_id=callback_id),
        ConsentNotified(
            consent_id=CONSENT,
            status=status,
            artefact=an_artefact() if granted else None,
            artefact_hash="cd" * 32 if granted else None,
            signed=granted,
        ),
    )


async def bodies(house: House, *names: str) -> list[bool]:
    async with house.units() as uow:
        found = [await uow.callbacks.get(HIP, CallbackId(name)) for name in names]
    assert all(callback is not None and callback.body_hash == "ab" * 32 for callback in found)
    return [callback is not None and callback.sealed_body is not None for callback in found]


ENDS = [ConsentStatus.REVOKED, ConsentStatus.EXPIRED]


@pytest.mark.parametrize("status", ENDS)
def test_ret_01_the_artefact_goes_from_the_store_and_from_every_delivery_that_carried_it(status):
    async def story() -> None:
        house = House()
        await deliver(house, "granted", ConsentStatus.GRANTED)
        await deliver(house, "granted-again", ConsentStatus.GRANTED)
        assert await bodies(house, "granted", "granted-again") == [True, True]
        await deliver(house, "ended", status)
        assert await bodies(house, "granted", "granted-again", "ended") == [False] * 3
        consent = await consent_of(house)
        assert (consent.status, consent.artefact) == (status, None)
        assert (consent.artefact_hash, consent.terms_hash) == ("cd" * 32, an_artefact().fingerprint)
        async with house.units() as uow:
            assert await uow.outbox.waiting() == 3  # the projections of the three are written anew, without bodies

    asyncio.run(story())


@pytest.mark.parametrize("status", ENDS)
@pytest.mark.parametrize("order", [("ended", "granted"), ("granted", "ended", "granted"), ("ended", "ended")])
def test_ret_01_a_tombstone_outlives_whatever_comes_late_early_twice_or_again(status, order):
    async def story() -> None:
        house = House()
        for name in order:
            await deliver(house, name, ConsentStatus.GRANTED if name == "granted" else status)
        consent = await consent_of(house)
        assert (consent.status, consent.artefact) == (status, None)
        assert not any(await bodies(house, *set(order)))
        assert len([one for one in await decisions(house) if one.stage is Stage.ENDED]) == 1

    asyncio.run(story())


def test_rel_04_our_own_clock_ends_a_consent_that_nobody_told_us_about():
    async def story() -> None:
        house = House()
        await deliver(house, "granted", ConsentStatus.GRANTED)
        assert await house.sweep_consents() == 0
        house.clock.advance(timedelta(days=30))
        assert await house.sweep_consents() == 1
        assert await house.sweep_consents() == 0
        consent = await consent_of(house)
        assert (consent.status, consent.artefact) == (ConsentStatus.EXPIRED, None)
        assert await bodies(house, "granted") == [False]
        [ended] = [one for one in await decisions(house) if one.stage is Stage.ENDED]
        assert "REL-04" in [result.rule for result in ended.refusals]
        assert len(await audited(house, "consent-expired")) == 1

    asyncio.run(story())


@pytest.mark.parametrize("by", ["notice", "clock"])
def test_rel_21_a_transfer_that_waits_for_its_next_try_is_ended_at_once(by):
    async def story() -> None:
        house = House()
        await house.link()
        artefact = an_artefact(data_erase_at=house.clock() + timedelta(minutes=3))
        await house.grant(artefact)
        await house.ask(artefact)
        house.pusher.errors = [Transient("no answer", retry_after=timedelta(minutes=9))] * 3
        await house.work()
        assert (await transfer_of(house)).state is TransferState.PUSHING
        if by == "notice":
            await house.end_consent(artefact.consent_id)
        else:
            house.clock.advance(timedelta(minutes=3))
            await house.sweep_consents()
        await house.work()
        transfer = await transfer_of(house)
        assert (transfer.state, transfer.outcome) == (TransferState.DONE, TransferOutcome.FAILED)
        assert house.pusher.pages == []
        assert [status.description[:7] for status in accounts(house)["t-1"].statuses] == ["REL-02:"]

    asyncio.run(story())


def test_rel_21_a_consent_that_ends_while_the_last_pages_fail_is_noticed_before_the_next_try():
    async def story() -> None:
        artefact = an_artefact()
        house = await data_asked_for(artefact)

        async def fail(*_: object, **__: object) -> int:
            await house.end_consent(artefact.consent_id)
            raise Transient("no answer", retry_after=timedelta(minutes=9))

        house.pusher.push = fail  # type: ignore[method-assign]
        await house.work()
        assert (await transfer_of(house)).state is TransferState.DONE
        assert accounts(house)["t-1"].outcome is TransferOutcome.FAILED

    asyncio.run(story())


def test_rel_21_a_consent_that_ends_between_answer_and_plan_releases_nothing():
    async def story() -> None:
        artefact = an_artefact()
        house = await data_asked_for(artefact)
        send = house.gateway.send

        async def revoke_after_the_answer(call, **named):
            status = await send(call, **named)
            if call.flow is Flow.HEALTH_INFORMATION_ON_REQUEST:
                await house.end_consent(artefact.consent_id)
            return status

        house.gateway.send = revoke_after_the_answer  # type: ignore[method-assign]
        await house.work()
        transfer = await transfer_of(house)
        assert (transfer.state, transfer.outcome) == (TransferState.DONE, TransferOutcome.FAILED)
        assert transfer.reason is not None
        assert transfer.reason.startswith("REL-02")
        assert house.pusher.pages == []
        [status] = accounts(house)["t-1"].statuses
        assert (status.care_context_reference, status.hi_status) == ("88120", "ERRORED")
        assert status.description.startswith("REL-02")

    asyncio.run(story())


def test_rel_23_a_request_that_was_waiting_when_its_consent_ended_is_accounted_for_by_care_context():
    async def story() -> None:
        artefact = an_artefact()
        house = await data_asked_for(artefact)
        await house.end_consent(artefact.consent_id)
        await house.work()
        assert answers(house) == ["ABDM-1062"]
        [status] = accounts(house)["t-1"].statuses
        assert (status.care_context_reference, status.hi_status) == ("88120", "ERRORED")
        assert (await transfer_of(house)).state is TransferState.DONE

    asyncio.run(story())


def test_rel_23_a_request_that_comes_after_the_end_is_answered_once_for_its_care_contexts_are_forgotten():
    async def story() -> None:
        artefact = an_artefact()
        house = await consented(artefact)
        await house.end_consent(artefact.consent_id)
        await house.ask(artefact)
        await house.work()
        assert answers(house) == ["ABDM-1062"]
        assert accounts(house) == {}
        transfer = await transfer_of(house)
        assert (transfer.state, transfer.outcome) == (TransferState.DONE, TransferOutcome.FAILED)

    asyncio.run(story())


def test_every_transfer_of_an_ended_consent_ends_and_is_accounted_for():
    async def story() -> None:
        artefact = an_artefact()
        house = await consented(artefact)
        for number in range(4):
            await house.ask(artefact, transaction=f"t-{number}")
        house.pusher.errors = [Transient("no answer", retry_after=timedelta(minutes=9))] * 3
        await house.work()
        await house.end_consent(artefact.consent_id)
        await house.work()
        assert {name: call.outcome for name, call in accounts(house).items()} == dict.fromkeys(
            ("t-0", "t-1", "t-2", "t-3"), TransferOutcome.FAILED
        )
        assert house.pusher.pages == []

    asyncio.run(story())


@pytest.mark.parametrize(("seconds", "alarms"), [(60, 0), (61, 1)])
def test_rel_20_an_on_notify_that_the_gateway_does_not_take_is_cause_for_alarm_after_a_minute(seconds, alarms):
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.CONSENT_ON_NOTIFY] = [Transient("503", code="503")]
        delivery = house.delivery("consent")
        house.clock.advance(timedelta(seconds=seconds))
        event = ConsentNotified(
            consent_id=CONSENT, status=ConsentStatus.GRANTED, artefact=an_artefact(), artefact_hash=None, signed=True
        )
        with pytest.raises(Transient):
            await house.receive_consent(delivery, event)
        assert house.alarms == [("on-notify-late", CONSENT, "not taken after 61s")] * alarms

    asyncio.run(story())


@pytest.mark.parametrize(("seconds", "alarms"), [(60, 0), (61, 1)])
def test_rel_20_an_on_notify_that_the_gateway_took_too_late_is_cause_for_alarm(seconds, alarms):
    async def story() -> None:
        house = House()
        delivery = house.delivery("consent")
        house.clock.advance(timedelta(seconds=seconds))
        event = ConsentNotified(
            consent_id=CONSENT, status=ConsentStatus.GRANTED, artefact=an_artefact(), artefact_hash=None, signed=True
        )
        await house.receive_consent(delivery, event)
        await house.receive_consent(replace(delivery, request_id=RequestId("again")), event)
        assert house.alarms == [("on-notify-late", CONSENT, "61s")] * alarms
        assert len(await audited(house, "on-notify-late")) == alarms

    asyncio.run(story())


def test_rel_20_an_on_notify_that_the_gateway_refuses_is_cause_for_alarm():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.CONSENT_ON_NOTIFY] = [
            GatewayRefused(call="consent-on-notify", code="ABDM-1041", status=400)
        ]
        await house.grant(an_artefact())
        assert house.alarms == [("on-notify-refused", CONSENT, "")]
        assert house.handlers[Topic.TRANSFER] is house.push_transfer

    asyncio.run(story())
