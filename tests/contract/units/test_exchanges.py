"""Exchanges: one row a conversation, one REQUEST-ID an attempt."""

from datetime import timedelta

import pytest
from tests.builders.conversations import an_exchange
from tests.builders.links import HIP
from tests.builders.moments import DAY, MINUTE, NOW, SECOND

from hip.application.conversation_storage import Refusals
from hip.application.storage import Listing, Units
from hip.domain.errors import Conflict
from hip.domain.exchanges import Exchange, ExchangeId, Flow, Outcome
from hip.domain.identifiers import HipId, RequestId

pytestmark = pytest.mark.anyio
FIRST = ExchangeId("exchange-1")


async def save(units: Units, *exchanges: Exchange) -> None:
    async with units() as uow:
        for exchange in exchanges:
            await uow.exchanges.save(exchange)
        await uow.commit()


async def get(units: Units, exchange_id: ExchangeId = FIRST) -> Exchange | None:
    async with units() as uow:
        return await uow.exchanges.get(HIP, exchange_id)


def numbered(number: int, *, after: timedelta = timedelta(0), **changes: object) -> Exchange:
    values: dict[str, object] = {"id_": f"exchange-{number}", "request_id": f"attempt-{number}", "now": NOW + after}
    return an_exchange(**(values | changes))


async def test_an_exchange_comes_back_with_its_attempts_in_their_order(units: Units) -> None:
    exchange = (
        an_exchange()
        .refuse(RequestId("attempt-1"), status=500, code="ABDM-9999", now=NOW + SECOND)
        .again(RequestId("attempt-0"), now=NOW + MINUTE, answer_due=NOW + 2 * MINUTE)
        .again(RequestId("attempt-2"), now=NOW + 2 * MINUTE, answer_due=NOW + 3 * MINUTE)
        .accept(RequestId("attempt-2"), status=202, now=NOW + 3 * MINUTE)
    )
    await save(units, exchange)
    assert await get(units) == exchange
    # An answer makes its attempt the last word, whatever the order was.
    answered = exchange.answer(RequestId("attempt-1"), code=None, now=NOW + 4 * MINUTE)
    await save(units, answered)
    assert await get(units) == answered


async def test_what_an_attempt_said_is_known_by_its_hash(units: Units) -> None:
    exchange = an_exchange().again(
        RequestId("attempt-2"), now=NOW + MINUTE, answer_due=None, payload="c0ffee00c0ffee00"
    )
    await save(units, exchange)
    assert await get(units) == exchange


async def test_a_call_without_a_callback_has_no_answer_due(units: Units) -> None:
    await save(units, an_exchange(flow=Flow.ON_DISCOVER))
    exchange = await get(units)
    assert exchange is not None
    assert exchange.answer_due is None


async def test_replacing_an_exchange_replaces_its_attempts(units: Units) -> None:
    exchange = an_exchange()
    longer = exchange.again(RequestId("attempt-2"), now=NOW + MINUTE, answer_due=None)
    await save(units, longer)
    await save(units, exchange)
    assert await get(units) == exchange
    async with units() as uow:
        assert await uow.exchanges.lock_by_request_id(HIP, RequestId("attempt-2")) is None


async def test_a_request_id_of_another_exchange_is_a_conflict_that_changes_nothing(units: Units) -> None:
    first, second = numbered(1), numbered(2)
    await save(units, first, second)
    stolen = second.again(RequestId("attempt-1"), now=NOW + MINUTE, answer_due=None)
    async with units() as uow:
        with pytest.raises(Conflict):
            await uow.exchanges.save(stolen)
        with pytest.raises(Conflict):
            await uow.exchanges.save(numbered(3, request_id="attempt-1"))
        await uow.commit()
    assert await get(units) == first
    assert await get(units, ExchangeId("exchange-2")) == second
    assert await get(units, ExchangeId("exchange-3")) is None


async def test_two_attempts_of_one_exchange_never_share_a_request_id(units: Units) -> None:
    async with units() as uow:
        with pytest.raises(Conflict):
            await uow.exchanges.save(an_exchange().again(RequestId("attempt-1"), now=NOW, answer_due=None))


async def test_any_attempt_leads_to_its_exchange(units: Units) -> None:
    exchange = an_exchange().again(RequestId("attempt-2"), now=NOW + MINUTE, answer_due=NOW + 5 * MINUTE)
    await save(units, exchange)
    async with units() as uow:
        assert await uow.exchanges.lock_by_request_id(HIP, RequestId("attempt-1")) == exchange
        assert await uow.exchanges.lock_by_request_id(HIP, RequestId("attempt-2")) == exchange
        assert await uow.exchanges.lock_by_request_id(HIP, RequestId("attempt-3")) is None


async def test_the_latest_of_a_flow_about_one_thing(units: Units) -> None:
    await save(
        units,
        numbered(1, after=MINUTE),
        numbered(2),
        numbered(3, after=2 * MINUTE, business_key="ravi@sbx"),
        numbered(4, after=2 * MINUTE, flow=Flow.SMS_NOTIFY),
    )
    async with units() as uow:
        latest = await uow.exchanges.lock_latest(HIP, Flow.GENERATE_TOKEN, "meera.k01@sbx")
        assert latest == numbered(1, after=MINUTE)
        assert await uow.exchanges.lock_latest(HIP, Flow.ON_INIT, "meera.k01@sbx") is None


async def test_of_two_exchanges_of_one_instant_the_later_written_is_the_latest(units: Units) -> None:
    await save(units, numbered(2), numbered(1))
    await save(units, numbered(2).accept(RequestId("attempt-2"), status=202, now=NOW))
    async with units() as uow:
        assert await uow.exchanges.lock_latest(HIP, Flow.GENERATE_TOKEN, "meera.k01@sbx") == numbered(1)


async def test_what_was_sent_or_accepted_lapses_when_its_answer_is_overdue(units: Units) -> None:
    due = {"answer_due": NOW + MINUTE}
    refused = numbered(5, **due).refuse(RequestId("attempt-5"), status=400, code="ABDM-1006", now=NOW)
    answered = numbered(6, **due).answer(RequestId("attempt-6"), code=None, now=NOW)
    accepted = numbered(2, answer_due=NOW + SECOND).accept(RequestId("attempt-2"), status=202, now=NOW)
    no_answer_expected = numbered(3, flow=Flow.ON_DISCOVER)
    await save(units, numbered(1, **due), accepted, no_answer_expected, refused, answered)
    await save(units, numbered(4, answer_due=NOW + MINUTE + SECOND))
    async with units() as uow:
        assert await uow.exchanges.lapsed(now=NOW + MINUTE, limit=10) == [accepted, numbered(1, **due)]
        assert await uow.exchanges.lapsed(now=NOW + MINUTE, limit=1) == [accepted]
        assert await uow.exchanges.lapsed(now=NOW, limit=10) == []


async def test_a_lapsed_exchange_does_not_lapse_again(units: Units) -> None:
    await save(units, an_exchange())
    async with units() as uow:
        (exchange,) = await uow.exchanges.lapsed(now=NOW + DAY, limit=10)
        await uow.exchanges.save(exchange.lapse(now=NOW + DAY))
        await uow.commit()
    async with units() as uow:
        assert await uow.exchanges.lapsed(now=NOW + DAY, limit=10) == []
        assert [each.outcome for each in await uow.exchanges.list(Listing())] == [Outcome.UNANSWERED]


async def test_link_02_every_attempt_since_a_moment_counts(units: Units) -> None:
    twice = numbered(1).again(RequestId("attempt-1b"), now=NOW + MINUTE, answer_due=None)
    await save(units, twice, numbered(2, after=2 * MINUTE), numbered(3, after=2 * MINUTE, business_key="ravi@sbx"))
    async with units() as uow:

        async def since(moment: timedelta) -> int:
            return await uow.exchanges.requests_since(HIP, Flow.GENERATE_TOKEN, "meera.k01@sbx", NOW + moment)

        assert await since(timedelta(0)) == 3
        assert await since(SECOND) == 2
        assert await since(MINUTE) == 2
        assert await since(3 * MINUTE) == 0


async def test_link_02_only_an_attempt_that_certainly_did_not_leave_is_not_counted(units: Units) -> None:
    for number, code in enumerate(["not-sent", "no-session", "no-reply", "ABDM-1207"], start=1):
        exchange = numbered(number)
        await save(units, exchange.refuse(exchange.attempts[0].request_id, status=None, code=code, now=NOW + SECOND))
    answered = numbered(5).refuse(numbered(5).attempts[0].request_id, status=None, code="not-sent", now=NOW + SECOND)
    await save(units, answered.answer(answered.attempts[0].request_id, code=None, now=NOW + SECOND))
    async with units() as uow:
        assert await uow.exchanges.requests_since(HIP, Flow.GENERATE_TOKEN, "meera.k01@sbx", NOW) == 3


async def test_what_was_refused_lately_is_counted_for_each_hip_with_the_last_one(units: Units) -> None:
    codes, other = {"ABDM-1016", "ABDM-2402"}, HipId("IN0410000002")
    refusals = [
        (1, HIP, "ABDM-1016", 0),
        (2, HIP, "ABDM-2402", 2),
        (3, HIP, "ABDM-1092", 3),
        (4, other, "ABDM-1016", 1),
    ]
    for number, hip_id, code, seconds in refusals:
        exchange = numbered(number, after=seconds * SECOND, hip_id=hip_id, business_key=f"{number}@sbx")
        await save(units, exchange.refuse(RequestId(f"attempt-{number}"), status=400, code=code, now=NOW + MINUTE))
    await save(units, numbered(5, after=9 * SECOND, business_key="5@sbx"))  # not refused
    async with units() as uow:
        assert sorted(await uow.exchanges.refused_lately(codes, since=NOW), key=lambda each: -each.times) == [
            Refusals(hip_id=HIP, times=2, last=RequestId("attempt-2")),
            Refusals(hip_id=other, times=1, last=RequestId("attempt-4")),
        ]
        [one] = await uow.exchanges.refused_lately(codes, since=NOW + 2 * SECOND)
        assert one == Refusals(hip_id=HIP, times=1, last=RequestId("attempt-2"))
        assert await uow.exchanges.refused_lately(codes, since=NOW + MINUTE) == []
