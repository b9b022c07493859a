"""Discover, choose, type the OTP: linked; and every way it must not be (contract §2.6, §2.7, OTP-01)."""

import asyncio
import logging
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.patient_apps import ADDRESS, PatientApp, code, play

from hip.application.gateway_calls import OnInit
from hip.application.storage import Listing
from hip.domain.discovery import PatientIdentifiers
from hip.domain.errors import GatewayRefused, Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import AbhaAddress, CareContextReference, HipId, PatientReference, VisitCode
from hip.domain.link_attempts import AttemptState, LinkAttempt
from hip.domain.links import LinkStatus


async def attempt(house: House, app: PatientApp) -> LinkAttempt:
    async with house.units() as uow:
        found = await uow.link_attempts.lock(HIP, app.reference)
    assert found is not None
    return found


def test_the_right_otp_links_exactly_what_was_chosen() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit("88120", "88121")
        await app.discover()
        answer = await app.choose("88120")
        assert answer.challenge is not None
        assert answer.challenge.hint == "******3210"
        assert answer.challenge.expires_at == house.clock() + timedelta(minutes=5)
        assert not await app.linked()
        [message] = house.otp_sender.sent
        assert (message.phone, len(message.otp)) == ("9876543210", 6)
        assert message.otp in message.text
        confirmed = await app.type(app.otp)
        assert [(str(e.hi_type), [c.reference for c in e.care_contexts]) for e in confirmed.entries] == [
            ("OPConsultation", ["88120"]),
            ("Prescription", ["88120"]),
            ("WellnessRecord", ["88120"]),
        ]
        assert (await app.linked("88120"), await app.linked("88121")) == (True, False)
        await house.work()
        document = await house.documents.patient_contexts(HIP, "PAT-20417")
        assert document is not None
        assert "88120" in str(document)
        assert "88121" not in str(document)

    play(story)


def test_linking_is_written_into_the_seeds_tables_and_the_patient_gets_the_abha_address() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit("88120", "88121")
        await app.discover()
        await app.choose("88120", "88121")
        await app.type(app.otp, request_id="the-confirm")
        async with house.units() as uow:
            requests = [await uow.link_requests.lock_by_visit(HIP, VisitCode(c)) for c in ("88120", "88121")]
            contexts = [await uow.care_contexts.get(HIP, CareContextReference(c)) for c in ("88120", "88121")]
            patient = await uow.patients.get(HIP, PatientReference("PAT-20417"))
            audit = [entry.action for entry in await uow.audit.list(Listing())]
        assert patient is not None
        assert patient.abha_address == ADDRESS
        for request, context in zip(requests, contexts, strict=True):
            assert request is not None
            assert context is not None
            assert (request.status, request.transaction_id) == (LinkStatus.LINKED, "discovery-1")
            assert (request.abha_address, request.request_id) == (ADDRESS, "the-confirm")
            assert context.link_reference == request.reference
            assert context.linked_to == ADDRESS
        assert len({request.reference for request in requests if request}) == 2
        assert {"link-otp-sent", "link-otp-accepted", "care-context-linked"} <= set(audit)
        assert (await attempt(house, app)).state is AttemptState.LINKED

    play(story)


def test_what_is_linked_is_offered_no_more() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit("88120", "88121")
        await app.discover()
        await app.choose("88120")
        await app.type(app.otp)
        await app.discover(transaction="discovery-2")
        assert code(await app.choose("88120")) == "ABDM-1057"
        assert code(await app.choose("88121")) is None
        assert code(await app.choose("88120", transaction="discovery-1")) == "ABDM-1056"

    play(story)


def test_a_wrong_otp_links_nothing_and_a_right_one_after_it_does() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        refused = await app.type(app.wrong)
        assert (code(refused), refused.entries) == ("ABDM-1035", ())
        assert not await app.linked()
        assert code(await app.type(app.otp)) is None
        assert await app.linked()

    play(story)


def test_otp_01_after_five_wrong_otps_the_right_one_links_nothing() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        for _ in range(5):
            assert code(await app.type(app.wrong)) == "ABDM-1035"
        assert code(await app.type(app.otp)) == "ABDM-1035"
        assert not await app.linked()
        assert (await attempt(house, app)).state is AttemptState.FAILED

    play(story)


def test_otp_01_the_fifth_try_may_still_be_the_right_one() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        for _ in range(4):
            await app.type(app.wrong)
        assert code(await app.type(app.otp)) is None

    play(story)


def test_a_confirm_that_is_delivered_again_costs_no_second_try() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        for _ in range(10):
            await app.type(app.wrong, request_id="the-same")
        assert (await attempt(house, app)).tries == 1
        assert len(house.gateway.of(Flow.ON_CONFIRM)) == 1

    play(story)


def test_otp_01_an_otp_dies_after_five_minutes() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        house.clock.advance(timedelta(minutes=5))
        assert code(await app.type(app.otp)) == "ABDM-1035"
        assert not await app.linked()

    play(story)


def test_the_minutes_end_when_the_otp_reaches_us_not_when_a_worker_reads_it() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        in_time = app.delivery()
        app.delivery = lambda request_id=None: in_time  # type: ignore[method-assign]
        house.clock.advance(timedelta(minutes=9))
        assert code(await app.type(app.otp)) is None

    play(story)


def test_the_confirm_repeated_under_another_id_is_answered_the_same_and_links_nothing_new() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        first = await app.type(app.otp)
        again = await app.type(app.otp)
        assert first.entries == again.entries
        assert code(await app.type(app.wrong)) == "ABDM-1035"
        async with house.units() as uow:
            linked = [e for e in await uow.audit.list(Listing()) if e.action == "care-context-linked"]
        assert len(linked) == 1

    play(story)


def test_an_unknown_link_reference_is_refused() -> None:
    async def story(house: House, app: PatientApp) -> None:
        assert code(await app.type("123456", reference="never-made")) == "ABDM-1056"

    play(story)


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ({"transaction": "never-answered"}, "ABDM-1017"),
        ({"address": AbhaAddress("somebody.else@sbx")}, "ABDM-1017"),
        ({"patient": "PAT-99999"}, "ABDM-1060"),
    ],
)
def test_only_a_discovery_of_this_patient_can_be_chosen_of(init: dict[str, str], expected: str) -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        assert code(await app.choose(**init)) == expected  # type: ignore[arg-type]
        assert house.otp_sender.sent == []

    play(story)


def test_nothing_can_be_chosen_that_was_not_offered() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit("88120")
        await app.discover()
        await app.visit("88121")
        assert code(await app.choose("88120", "88121")) == "ABDM-1057"
        assert house.otp_sender.sent == []

    play(story)


def test_a_discovery_that_found_nobody_offers_nothing() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.discover()
        assert code(await app.choose()) == "ABDM-1017"

    play(story)


def test_an_old_discovery_can_not_be_chosen_of() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        house.clock.advance(timedelta(minutes=30))
        assert code(await app.choose()) == "ABDM-1017"

    play(story)


def test_another_hips_link_reference_is_unknown_here() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        async with house.units() as uow:
            assert await uow.link_attempts.lock(HipId("IN0410000999"), app.reference) is None

    play(story)


def test_an_init_that_is_delivered_again_makes_the_telephone_ring_once() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose(request_id="the-same")
        await app.choose(request_id="the-same")
        assert len(house.otp_sender.sent) == 1
        assert len(house.gateway.of(Flow.ON_INIT)) == 1
        house.clock.advance(timedelta(days=1))
        await app.choose(request_id="the-same")
        assert len(house.otp_sender.sent) == 1, "a replay the day after rings nowhere"

    play(story)


def test_the_same_choice_under_another_id_gets_the_same_challenge() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        first, second = await app.choose(), await app.choose()
        assert first.challenge == second.challenge
        assert len(house.otp_sender.sent) == 1

    play(story)


def test_two_repeats_at_once_make_the_telephone_ring_once() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        done = await asyncio.gather(*(app.choose() for _ in range(3)), return_exceptions=True)
        assert all(isinstance(one, OnInit | Transient) for one in done), done
        assert len(house.otp_sender.sent) == 1
        assert code(await app.choose()) is None

    play(story)


def test_an_answer_that_the_gateway_refuses_links_nothing() -> None:
    async def story(house: House, app: PatientApp) -> None:
        house.gateway.refusals[Flow.ON_CONFIRM] = [GatewayRefused(call="on-confirm", code="ABDM-1111", status=400)]
        await app.visit()
        await app.discover()
        await app.choose()
        await app.type(app.otp)
        assert not await app.linked()
        assert (await attempt(house, app)).code == "ABDM-1111"

    play(story)


def test_an_answer_that_was_lost_on_the_way_is_given_again_and_links_then() -> None:
    async def story(house: House, app: PatientApp) -> None:
        house.gateway.refusals[Flow.ON_CONFIRM] = [Transient("the connection broke")]
        await app.visit()
        await app.discover()
        await app.choose()
        with pytest.raises(Transient):
            await app.type(app.otp, request_id="the-same")
        assert not await app.linked()
        assert code(await app.type(app.otp, request_id="the-same")) is None
        assert await app.linked()

    play(story)


def test_no_log_line_row_or_error_shows_the_otp(caplog: pytest.LogCaptureFixture) -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        await app.choose()
        with caplog.at_level(logging.DEBUG):
            await app.type(app.wrong)
            await app.type(app.otp)
        async with house.units() as uow:
            audit = await uow.audit.list(Listing())
            found = await uow.patients.candidates(HIP, PatientIdentifiers(abha_addresses=frozenset({ADDRESS})), limit=5)
        shown = [repr(audit), repr(found), repr(await attempt(house, app)), caplog.text, repr(house.gateway.calls)]
        assert not any(app.otp in one for one in [*shown, repr(house.otp_sender.sent), repr(house.otp_sender)])

    play(story)
