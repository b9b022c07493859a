"""Visit in → bundles → link token → link, and every way it goes wrong on the way."""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.openings import link_sent, visit_taken_in
from tests.builders.visits import MEERA, a_visit

from hip.application.gateway_calls import GenerateToken, LinkCareContexts
from hip.application.relay import SweepExchanges
from hip.application.storage import Listing
from hip.domain.errors import GatewayRefused, SessionRefused, Transient, Waiting
from hip.domain.exchanges import Flow, Outcome
from hip.domain.identifiers import CareContextReference, RequestId, VisitCode
from hip.domain.links import LinkStatus, LinkToken

CODE = VisitCode("88120")


async def _status(house: House, visit_code: VisitCode = CODE) -> tuple[LinkStatus, str | None]:
    async with house.units() as uow:
        request = await uow.link_requests.lock_by_visit(HIP, visit_code)
    assert request is not None
    return request.status, request.code


async def _linked(house: House) -> bool:
    async with house.units() as uow:
        context = await uow.care_contexts.get(HIP, CareContextReference("88120"))
    return context is not None and context.linked


def test_a_visit_is_linked_only_by_the_gateways_callback():
    async def story() -> None:
        house = await visit_taken_in()
        [asked] = house.gateway.of(Flow.GENERATE_TOKEN)
        assert isinstance(asked, GenerateToken)
        assert str(asked.abha_address) == "meera.k01@sbx"
        assert (await _status(house))[0] is LinkStatus.AWAITING_TOKEN
        await house.answer_token()
        await house.work()
        [linked] = house.gateway.of(Flow.LINK_CARE_CONTEXT)
        assert isinstance(linked, LinkCareContexts)
        assert [str(entry.hi_type) for entry in linked.entries] == ["OPConsultation", "Prescription", "WellnessRecord"]
        assert all(len(entry.care_contexts) == 1 for entry in linked.entries)
        assert not await _linked(house), "a 202 is not a link"
        await house.answer_link()
        await house.work()
        assert await _linked(house)
        document = await house.documents.patient_contexts(HIP, "PAT-20417")
        assert document is not None

    asyncio.run(story())


def test_link_05_nothing_is_linked_while_a_bundle_is_invalid():
    async def story() -> None:
        house = House()
        house.validator.valid = False
        await house.take_in()
        await house.work()
        assert house.gateway.calls == []
        async with house.units() as uow:
            records = await uow.bundles.of_visit(HIP, CODE)
            trigger = await uow.triggers.get(HIP, CODE)
        assert records
        assert not any(record.valid for record in records)
        assert trigger is not None
        assert not trigger.processed

    asyncio.run(story())


def test_the_same_visit_again_changes_nothing_and_a_changed_one_makes_a_new_version():
    async def story() -> None:
        house = House()
        first = await house.receive_visit(house.records.write(a_visit()), actor="test")
        again = await house.receive_visit(house.records.write(a_visit()), actor="test")
        changed = await house.receive_visit(house.records.write(a_visit(category="Review")), actor="test")
        assert (first.version, first.changed) == (1, True)
        assert (again.version, again.changed) == (1, False)
        assert (changed.version, changed.changed) == (2, True)

    asyncio.run(story())


def test_a_second_visit_uses_the_token_that_is_there():
    async def story() -> None:
        house = House()
        await house.link()
        await house.take_in(a_visit(visit_code=VisitCode("88200")))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 2

    asyncio.run(story())


def test_two_visits_that_wait_for_one_token_ask_for_it_once_and_are_linked_by_one_call():
    async def story() -> None:
        house = House()
        await house.take_in()
        await house.take_in(a_visit(visit_code=VisitCode("88200")))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        await house.answer_token()
        await house.work()
        [call] = house.gateway.of(Flow.LINK_CARE_CONTEXT)
        assert isinstance(call, LinkCareContexts)
        types = [entry.hi_type for entry in call.entries]
        assert len(types) == len(set(types)), "one patient entry for each HI type"
        assert all([c.reference for c in entry.care_contexts] == ["88120", "88200"] for entry in call.entries)
        await house.answer_link()
        await house.work()
        assert await _linked(house)
        assert await _status(house, VisitCode("88200")) == (LinkStatus.LINKED, None)

    asyncio.run(story())


def test_a_second_visit_does_not_give_up_the_token_request_that_is_under_way():
    async def story() -> None:
        house = House()
        send = house.gateway.send
        other = VisitCode("88200")

        async def meanwhile(call, *, hip_id, request_id, now):
            status = await send(call, hip_id=hip_id, request_id=request_id, now=now)
            if call.flow is Flow.GENERATE_TOKEN:
                with pytest.raises(Waiting):
                    await house.link_visit(HIP, other)
            return status

        await house.take_in(a_visit(visit_code=other))
        await house.take_in()
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [Transient("busy", code="503")]
        await house.work()  # bundles are made; nobody waits for an answer yet
        house.gateway.send = meanwhile  # type: ignore[method-assign]
        await house.link_visit(HIP, CODE)
        assert await _status(house) == (LinkStatus.AWAITING_TOKEN, None)
        await house.answer_token()
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 1

    asyncio.run(story())


def test_a_token_request_that_a_crash_left_without_a_reply_is_given_up_after_its_window_and_not_repeated():
    async def story() -> None:
        house = House()

        async def crash(call, *, hip_id, request_id, now):
            raise KeyboardInterrupt

        send, house.gateway.send = house.gateway.send, crash  # type: ignore[method-assign]
        await house.take_in()
        with pytest.raises(KeyboardInterrupt):
            await house.work()
        house.gateway.send = send  # type: ignore[method-assign]
        house.clock.advance(house.waits.under_way)
        await house.work()
        assert house.gateway.of(Flow.GENERATE_TOKEN) == []
        assert (await _status(house))[0] is LinkStatus.UNANSWERED

    asyncio.run(story())


def test_a_token_that_comes_after_its_window_still_links_every_visit_that_gave_up_waiting():
    async def story() -> None:
        house = House()
        await house.take_in()
        await house.take_in(a_visit(visit_code=VisitCode("88200")))
        await house.work()
        house.clock.advance(house.waits.answer + timedelta(seconds=1))
        assert await SweepExchanges(house.units, house.clock)() == 1
        assert await _status(house) == (LinkStatus.UNANSWERED, "no-answer")
        await house.answer_token()
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 1
        assert await _status(house) == (LinkStatus.REQUESTED, None)

    asyncio.run(story())


def test_a_refused_token_ends_what_waited_for_it_also_when_the_refusal_is_late():
    async def story() -> None:
        house = await visit_taken_in()
        house.clock.advance(house.waits.answer + timedelta(seconds=1))
        await SweepExchanges(house.units, house.clock)()
        await house.answer_token(token=None, code="ABDM-1207")
        assert await _status(house) == (LinkStatus.REFUSED, "ABDM-1207")

    asyncio.run(story())


def test_a_demographic_mismatch_is_shown_with_its_code_and_not_repeated():
    async def story() -> None:
        house = await visit_taken_in()
        await house.answer_token(token=None, code="ABDM-1207")
        await house.work()
        assert await _status(house) == (LinkStatus.REFUSED, "ABDM-1207")
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1

    asyncio.run(story())


def test_link_02_the_fourth_token_request_of_a_day_is_refused_here():
    async def story() -> None:
        house = House()
        for code in range(4):
            corrected = replace(MEERA, birth_year=1980 + code, birth_date=None)
            await house.take_in(a_visit(visit_code=VisitCode(f"9000{code}"), patient=corrected))
            await house.work()
            if code < 3:
                await house.answer_token(token=None, code="ABDM-1207")
            house.clock.advance(timedelta(hours=1))
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 3
        async with house.units() as uow:
            last = await uow.link_requests.lock_by_visit(HIP, VisitCode("90003"))
        assert last is not None
        assert (last.status, last.code) == (LinkStatus.REFUSED, "ABDM-1027")

    asyncio.run(story())


def test_a_token_that_the_gateway_finds_bad_is_dropped_and_asked_for_once_more():
    async def story() -> None:
        house = await link_sent()
        await house.answer_link("ABDM-1038")
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1, "so soon it would only meet ABDM-1092"
        house.clock.advance(house.waits.duplicate_window)
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2
        await house.answer_token("d.e.f")
        await house.work()
        await house.answer_link("ABDM-1038")
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2, "once more, not for ever"
        assert await _status(house) == (LinkStatus.REFUSED, "ABDM-1038")

    asyncio.run(story())


def test_already_linked_counts_as_linked():
    async def story() -> None:
        house = await link_sent()
        await house.answer_link("ABDM-1056")
        assert await _linked(house)
        assert (await _status(house))[0] is LinkStatus.LINKED

    asyncio.run(story())


def test_a_patient_without_abha_gets_one_sms_however_often_the_visit_is_rebuilt():
    async def story() -> None:
        house = House()
        unknown = replace(MEERA, abha_address=None, abha_number=None)
        await house.take_in(a_visit(patient=unknown))
        await house.work()
        await house.take_in(a_visit(patient=unknown, category="Review"))
        await house.work()
        assert len(house.gateway.of(Flow.SMS_NOTIFY)) == 1
        assert house.gateway.of(Flow.GENERATE_TOKEN) == []

    asyncio.run(story())


def test_a_token_request_whose_fate_is_hidden_is_unanswered_and_not_repeated():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [Transient("the connection broke")]
        await house.take_in()
        await house.work()
        house.clock.advance(timedelta(days=2))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 1
        assert (await _status(house))[0] is LinkStatus.UNANSWERED

    asyncio.run(story())


def test_a_session_that_the_gateway_refuses_costs_one_more_try_under_a_new_request_id():
    async def story() -> None:
        house = House()
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [SessionRefused("401", code="401")]
        await house.take_in()
        await house.work()
        ids = [request_id for call, request_id in house.gateway.calls if call.flow is Flow.GENERATE_TOKEN]
        assert len(ids) == 2
        assert len(set(ids)) == 2

    asyncio.run(story())


def test_the_first_refusal_of_an_exchange_is_kept():
    async def story() -> None:
        house = House()
        call, status = "generate-token", 400
        house.gateway.refusals[Flow.GENERATE_TOKEN] = [
            GatewayRefused(call=call, code="ABDM-1016", status=status),
            GatewayRefused(call=call, code="ABDM-1092", status=status),
        ]
        await house.take_in()
        await house.work()
        house.clock.advance(house.waits.duplicate_window)
        await house.link_visit(HIP, "88120")
        async with house.units() as uow:
            [exchange] = await uow.exchanges.list(Listing())
        assert exchange.refusal == "ABDM-1016"
        assert exchange.outcome is Outcome.REFUSED
        assert [attempt.code for attempt in exchange.attempts] == ["ABDM-1016", "ABDM-1092"]

    asyncio.run(story())


def _jwt(**claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzUxMiJ9.{body}.c2ln"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"hipId": "IN0410000999"}, "ABDM-1063"),
        ({"abhaAddress": "ravi@sbx"}, "ABDM-1038"),
        ({"abhaNumber": "91999999999999"}, "ABDM-1062"),
        ({"exp": 1_000_000_000}, "ABDM-1026"),
    ],
)
def test_link_01_a_token_of_somebody_else_is_never_used_and_its_reason_is_shown(claims, code):
    async def story() -> None:
        house = await visit_taken_in()
        await house.answer_token(token=_jwt(**claims))
        await house.work()
        assert house.gateway.of(Flow.LINK_CARE_CONTEXT) == []
        assert await _status(house) == (LinkStatus.REFUSED, code)
        async with house.units() as uow:
            assert await uow.link_tokens.current(HIP, MEERA.abha_address, now=house.clock()) is None
            [exchange] = [e for e in await uow.exchanges.list(Listing()) if e.flow is Flow.GENERATE_TOKEN]
        assert (exchange.refusal, exchange.succeeded) == (code, False)
        house.clock.advance(timedelta(hours=1))
        await house.link_visit(HIP, CODE)
        await house.answer_token(token=_jwt(hipId=HIP, abhaAddress="Meera.K01@sbx"))
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 1, "a good one is used"

    asyncio.run(story())


def test_link_01_a_token_kept_from_before_that_names_somebody_else_is_dropped_and_one_is_asked_for():
    async def story() -> None:
        house = House()
        await house.link()
        address = MEERA.abha_address
        assert address is not None
        bad = LinkToken.issued(
            _jwt(hipId="IN0410000999"),
            hip_id=HIP,
            abha_address=address,
            abha_number=MEERA.abha_number,
            now=house.clock(),
        )
        house.clock.advance(timedelta(days=2))
        async with house.units() as uow:
            await uow.link_tokens.put(bad, request_id=RequestId("old"), now=house.clock())
            await uow.commit()
        await house.tokens.put(bad, now=house.clock())
        await house.take_in(a_visit(visit_code=VisitCode("88200")))
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 1, "the kept one was not used"
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2
        await house.answer_token()
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 2

    asyncio.run(story())
