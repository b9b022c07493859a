"""Link tokens, link requests and care contexts."""

from typing import Any

import pytest
from tests.builders.links import HIP, MEERA_ADDRESS, OTHER_HIP, a_care_context, a_link_request, a_link_token
from tests.builders.moments import DAY, MINUTE, NOW, SECOND

from hip.application.storage import TokenAnswer, Units
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.links import CareContext, LinkStatus, LinkToken

pytestmark = pytest.mark.anyio
ONE, TWO = RequestId("request-1"), RequestId("request-2")
RAVI = AbhaAddress("ravi@sbx")
MEERA = PatientReference("PAT-20417")


async def current(units: Units, *, at: Any = NOW) -> LinkToken | None:
    async with units() as uow:
        return await uow.link_tokens.current(HIP, MEERA_ADDRESS, now=at)


async def put(units: Units, token: LinkToken, request_id: RequestId, *, at: Any = NOW) -> None:
    async with units() as uow:
        await uow.link_tokens.put(token, request_id=request_id, now=at)
        await uow.commit()


async def test_the_newest_token_is_the_current_one(units: Units) -> None:
    await put(units, a_link_token(value="newer"), TWO, at=NOW + MINUTE)
    await put(units, a_link_token(value="older"), ONE)
    await put(units, a_link_token(value="ravi's", abha_address=RAVI), RequestId("request-3"), at=NOW + DAY)
    assert await current(units) == a_link_token(value="newer")


async def test_a_token_without_an_abha_number_stays_without(units: Units) -> None:
    await put(units, a_link_token(abha_number=None), ONE)
    assert await current(units) == a_link_token(abha_number=None)


async def test_an_expired_token_is_not_current_and_an_older_living_one_is(units: Units) -> None:
    await put(units, a_link_token(value="long-lived"), ONE)
    await put(units, a_link_token(value="short-lived", expires_at=NOW + 2 * MINUTE), TWO, at=NOW + MINUTE)
    token = await current(units, at=NOW + 2 * MINUTE - SECOND)
    assert token is not None
    assert token.value == "short-lived"
    token = await current(units, at=NOW + 2 * MINUTE)
    assert token is not None
    assert token.value == "long-lived"


async def test_dropping_forgets_every_token_of_that_address_only(units: Units) -> None:
    await put(units, a_link_token(), ONE)
    await put(units, a_link_token(), TWO)
    await put(units, a_link_token(abha_address=RAVI), RequestId("request-3"))
    async with units() as uow:
        await uow.link_tokens.drop(HIP, MEERA_ADDRESS)
        await uow.commit()
    assert await current(units) is None
    async with units() as uow:
        assert await uow.link_tokens.current(HIP, RAVI, now=NOW) == a_link_token(abha_address=RAVI)
        answer = await uow.link_tokens.answer(HIP, ONE)
    assert answer is not None
    assert (answer.token, answer.error_code) == (None, None)


async def test_a_replayed_callback_does_not_bring_a_dropped_token_back(units: Units) -> None:
    await put(units, a_link_token(), ONE)
    async with units() as uow:
        await uow.link_tokens.drop(HIP, MEERA_ADDRESS)
        await uow.commit()
    await put(units, a_link_token(), ONE, at=NOW + MINUTE)
    assert await current(units) is None
    await put(units, a_link_token(value="fresh"), TWO, at=NOW + MINUTE)
    assert await current(units) == a_link_token(value="fresh")


async def test_the_answer_to_a_request_is_its_token_or_its_error(units: Units) -> None:
    await put(units, a_link_token(), ONE)
    async with units() as uow:
        await uow.link_tokens.put_refusal(HIP, MEERA_ADDRESS, "ABDM-1207", request_id=TWO, now=NOW + SECOND)
        await uow.commit()
    answer = {"hip_id": HIP, "abha_address": MEERA_ADDRESS}
    async with units() as uow:
        assert await uow.link_tokens.answer(HIP, ONE) == TokenAnswer(
            **answer, request_id=ONE, token=a_link_token(), error_code=None, created_at=NOW
        )
        assert await uow.link_tokens.answer(HIP, TWO) == TokenAnswer(
            **answer, request_id=TWO, token=None, error_code="ABDM-1207", created_at=NOW + SECOND
        )
        assert await uow.link_tokens.answer(HIP, RequestId("unheard of")) is None


async def test_a_refusal_is_no_token_and_takes_none_away(units: Units) -> None:
    await put(units, a_link_token(), ONE)
    async with units() as uow:
        await uow.link_tokens.put_refusal(HIP, MEERA_ADDRESS, "ABDM-1207", request_id=TWO, now=NOW + MINUTE)
        await uow.link_tokens.put_refusal(HIP, MEERA_ADDRESS, "ABDM-9999", request_id=ONE, now=NOW + MINUTE)
        await uow.link_tokens.put_refusal(HIP, MEERA_ADDRESS, "ABDM-9999", request_id=TWO, now=NOW + MINUTE)
        await uow.commit()
    assert await current(units) == a_link_token()
    async with units() as uow:
        first_refusal = await uow.link_tokens.answer(HIP, TWO)
    assert first_refusal is not None
    assert first_refusal.error_code == "ABDM-1207"


async def test_a_token_after_a_refusal_of_the_same_request_counts(units: Units) -> None:
    async with units() as uow:
        await uow.link_tokens.put_refusal(HIP, MEERA_ADDRESS, "ABDM-1207", request_id=ONE, now=NOW)
        await uow.link_tokens.put(a_link_token(), request_id=ONE, now=NOW + MINUTE)
        await uow.commit()
    assert await current(units) == a_link_token()


async def test_a_link_request_comes_back_with_everything(units: Units) -> None:
    full = a_link_request(
        status=LinkStatus.REFUSED,
        request_id=ONE,
        transaction_id=TransactionId("discovery-1"),
        code="ABDM-1062",
        token_renewed=True,
        updated_at=NOW + MINUTE,
    )
    bare = a_link_request(reference=LinkReference("link-2"), abha_address=None, status=LinkStatus.SMS_REQUESTED)
    async with units() as uow:
        await uow.link_requests.save(full)
        await uow.link_requests.save(bare)
        await uow.commit()
    async with units() as uow:
        assert await uow.link_requests.by_reference(HIP, LinkReference("link-1")) == full
        assert await uow.link_requests.by_reference(HIP, LinkReference("link-2")) == bare
        assert await uow.link_requests.by_reference(HIP, LinkReference("link-3")) is None


async def test_the_newest_request_of_a_visit_is_locked(units: Units) -> None:
    newer = a_link_request(reference=LinkReference("link-2"), created_at=NOW + MINUTE)
    async with units() as uow:
        await uow.link_requests.save(newer)
        await uow.link_requests.save(a_link_request())
        await uow.link_requests.save(newer.move(LinkStatus.READY, now=NOW + DAY))
        assert await uow.link_requests.lock_by_visit(HIP, VisitCode("88120")) == newer.move(
            LinkStatus.READY, now=NOW + DAY
        )
        assert await uow.link_requests.lock_by_visit(HIP, VisitCode("88121")) is None


async def test_one_call_may_have_carried_several_visits(units: Units) -> None:
    first = a_link_request(request_id=ONE)
    second = a_link_request(reference=LinkReference("link-2"), request_id=ONE, created_at=NOW + SECOND)
    async with units() as uow:
        for request in (second, first, a_link_request(reference=LinkReference("link-3"), request_id=TWO)):
            await uow.link_requests.save(request)
        assert await uow.link_requests.by_request_id(HIP, ONE) == [first, second]
        assert await uow.link_requests.by_request_id(HIP, RequestId("unheard of")) == []


async def test_a_batch_is_found_by_the_visit_that_leads_it(units: Units) -> None:
    lead = a_link_request(led_by=VisitCode("88120"))
    follower = a_link_request(
        reference=LinkReference("link-2"),
        visit_code=VisitCode("88121"),
        led_by=VisitCode("88120"),
        created_at=NOW + MINUTE,
    )
    elsewhere = a_link_request(hip_id=OTHER_HIP, led_by=VisitCode("88120"))
    alone = a_link_request(reference=LinkReference("link-3"), visit_code=VisitCode("88122"))
    async with units() as uow:
        for request in (follower, lead, elsewhere, alone):
            await uow.link_requests.save(request)
        await uow.commit()
    async with units() as uow:
        assert await uow.link_requests.led_by(HIP, VisitCode("88120")) == [lead, follower]
        assert await uow.link_requests.led_by(HIP, VisitCode("88122")) == []


async def test_only_requests_of_that_address_that_a_token_would_help(units: Units) -> None:
    waiting = [
        a_link_request(reference=LinkReference(f"link-{number}"), created_at=NOW + number * SECOND)
        for number in range(3)
    ]
    waiting.append(
        a_link_request(reference=LinkReference("link-3"), status=LinkStatus.UNANSWERED, created_at=NOW + 3 * SECOND)
    )
    ready = a_link_request(reference=LinkReference("link-8"), status=LinkStatus.READY)
    ravis = a_link_request(reference=LinkReference("link-9"), abha_address=RAVI)
    async with units() as uow:
        for request in (*reversed(waiting), ready, ravis):
            await uow.link_requests.save(request)
        assert await uow.link_requests.awaiting_token(HIP, MEERA_ADDRESS) == waiting


async def test_a_care_context_is_replaced_by_its_reference(units: Units) -> None:
    linked = a_care_context().link(MEERA_ADDRESS, reference=LinkReference("link-1"), now=NOW + MINUTE)
    async with units() as uow:
        await uow.care_contexts.save(a_care_context())
        await uow.care_contexts.save(linked)
        await uow.commit()
    async with units() as uow:
        assert await uow.care_contexts.get(HIP, CareContextReference("88120")) == linked
        assert await uow.care_contexts.lock(HIP, CareContextReference("88120")) == linked
        assert await uow.care_contexts.of_patient(HIP, MEERA) == [linked]
        assert await uow.care_contexts.get(HIP, CareContextReference("88121")) is None


def numbered(number: int, *hi_types: HiType, **changes: Any) -> CareContext:
    values = {"clinical_date": NOW + number * DAY, "hi_types": hi_types} | changes
    return a_care_context(reference=CareContextReference(str(number)), visit_code=VisitCode(str(number)), **values)


async def test_unlinked_contexts_are_so_many_that_each_hi_type_has_its_share(units: Units) -> None:
    consultation, prescription, invoice = HiType.OP_CONSULTATION, HiType.PRESCRIPTION, HiType.INVOICE
    newest = [
        numbered(9, consultation),
        numbered(8, consultation, prescription),
        numbered(7, consultation),
        numbered(6),
        numbered(5, prescription, consultation),
        numbered(4, prescription),
        numbered(3, invoice),
    ]
    linked = numbered(10, invoice, linked_to=MEERA_ADDRESS, linked_at=NOW)
    another_patient = numbered(11, invoice, patient_reference=PatientReference("PAT-1"))
    async with units() as uow:
        for context in (*reversed(newest), linked, another_patient):
            await uow.care_contexts.save(context)
        found = await uow.care_contexts.unlinked(HIP, MEERA, per_hi_type=2)
        assert [context.reference for context in found] == ["9", "8", "5", "3"]
        found = await uow.care_contexts.unlinked(HIP, MEERA, per_hi_type=1)
        assert [context.reference for context in found] == ["9", "8", "3"]
        found = await uow.care_contexts.unlinked(HIP, MEERA, per_hi_type=50)
        assert [context.reference for context in found] == ["9", "8", "7", "5", "4", "3"]


async def test_of_two_contexts_of_one_instant_the_later_written_is_the_newer(units: Units) -> None:
    same = {"clinical_date": NOW}
    async with units() as uow:
        await uow.care_contexts.save(numbered(2, HiType.INVOICE, **same))
        await uow.care_contexts.save(numbered(1, HiType.INVOICE, **same))
        found = await uow.care_contexts.unlinked(HIP, MEERA, per_hi_type=1)
    assert [context.reference for context in found] == ["1"]
