"""A new version of a linked visit is announced, once, and after 5, 15 and 60 seconds again (contract §2.3)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.visits import a_visit

from hip.application.gateway_calls import ContextNotify, GatewayError
from hip.application.gateway_events import AccountChanged, NotifyAnswered
from hip.application.passing_refusals import MOST_CALLS
from hip.application.storage import Topic
from hip.application.waits import Waits
from hip.domain.accounts import AccountStatus
from hip.domain.errors import GatewayRefused, Transient
from hip.domain.exchanges import Exchange, Flow
from hip.domain.identifiers import AbhaAddress, RequestId, VisitCode

SECONDS = Waits()


def play(story: Callable[[House], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story(House())

    asyncio.run(whole())


async def later(house: House, span: timedelta = timedelta(seconds=1)) -> None:
    house.clock.advance(span)
    await house.work()


async def changed(house: House, category: str = "Review") -> None:
    """The linked visit comes again with something new in it, long after the link."""
    house.clock.advance(timedelta(hours=1))
    await house.take_in(a_visit(category=category))
    await house.work()


async def answer(house: House, code: str | None = None, *, to: RequestId | None = None) -> None:
    error = GatewayError(code=code, message="") if code else None
    answers = to or house.gateway.last_id(Flow.CONTEXT_NOTIFY)
    await house.accept_notify(house.delivery(), NotifyAnswered(answers=answers, error=error))


def notifies(house: House) -> list[ContextNotify]:
    said = house.gateway.of(Flow.CONTEXT_NOTIFY)
    assert all(isinstance(call, ContextNotify) for call in said)
    return [call for call in said if isinstance(call, ContextNotify)]


async def conversation(house: House, version: int = 2) -> Exchange:
    async with house.units() as uow:
        found = await uow.exchanges.lock_latest(HIP, Flow.CONTEXT_NOTIFY, f"88120|{version}")
    assert found is not None
    return found


def test_a_first_link_is_never_announced() -> None:
    async def story(house: House) -> None:
        await house.link()
        await later(house, timedelta(minutes=10))
        assert notifies(house) == []

    play(story)


def test_a_new_version_of_a_linked_visit_is_announced_and_not_linked_again() -> None:
    async def story(house: House) -> None:
        await house.link()
        linked = len(house.gateway.of(Flow.LINK_CARE_CONTEXT))
        await changed(house)
        [notify] = notifies(house)
        assert (notify.abha_address, notify.version) == (AbhaAddress("meera.k01@sbx"), 2)
        assert (notify.patient_reference, notify.care_context_reference) == ("PAT-20417", "88120")
        assert [str(t) for t in notify.hi_types] == ["OPConsultation", "Prescription", "WellnessRecord"]
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == linked
        await answer(house)
        assert (await conversation(house)).succeeded
        await later(house, timedelta(hours=2))
        assert len(notifies(house)) == 1

    play(story)


def test_a_visit_that_is_not_linked_yet_is_linked_and_not_announced() -> None:
    async def story(house: House) -> None:
        await house.take_in()
        await house.work()
        await house.take_in(a_visit(category="Review"))
        await house.work()
        assert notifies(house) == []

    play(story)


def test_every_version_is_announced_once_however_often_its_work_is_given_out() -> None:
    async def story(house: House) -> None:
        await house.link()
        await changed(house)
        for _ in range(3):
            await house.handlers[Topic.NOTIFY](HIP, "88120|2")
        assert len(notifies(house)) == 1
        await answer(house)
        await house.handlers[Topic.NOTIFY](HIP, "88120|2")
        await changed(house, "Follow-up")
        assert [notify.version for notify in notifies(house)] == [2, 3]

    play(story)


def test_two_workers_at_once_announce_it_at_most_twice_and_know_it_as_one_conversation() -> None:
    async def story(house: House) -> None:
        await house.link()
        await changed(house)
        await asyncio.gather(*(house.handlers[Topic.NOTIFY](HIP, "88120|2") for _ in range(4)))
        assert len(notifies(house)) == 1, "the first was accepted, so nobody says it again"

    play(story)


def test_nothing_is_announced_in_the_first_seconds_after_a_link() -> None:
    async def story(house: House) -> None:
        await house.link()
        await house.take_in(a_visit(category="Review"))
        await house.work()
        assert notifies(house) == []
        await later(house, house.waits.notify_after_link)
        assert len(notifies(house)) == 1

    play(story)


def test_abdm_1006_is_tried_again_after_5_15_and_60_seconds_and_then_no_more() -> None:
    assert [wait.total_seconds() for wait in SECONDS.notify_retries] == [5, 15, 60]

    async def story(house: House) -> None:
        await house.link()
        await changed(house)
        for number, wait in enumerate(house.waits.notify_retries, 1):
            await answer(house, "ABDM-1006")
            await house.work()
            assert len(notifies(house)) == number, "not before its time"
            await later(house, wait)
            assert len(notifies(house)) == number + 1
        await answer(house, "ABDM-1006")
        await later(house, timedelta(hours=1))
        assert len(notifies(house)) == 4
        exchange = await conversation(house)
        assert (exchange.refusal, len(exchange.attempts), exchange.succeeded) == ("ABDM-1006", 4, False)

    play(story)


def test_a_refusal_at_once_is_tried_again_like_one_by_callback() -> None:
    async def story(house: House) -> None:
        refusal = GatewayRefused(call="context-notify", code="ABDM-1006", status=400)
        house.gateway.refusals[Flow.CONTEXT_NOTIFY] = [refusal]
        await house.link()
        await changed(house)
        await later(house, house.waits.notify_retries[0])
        assert len(notifies(house)) == 2
        await answer(house)
        assert (await conversation(house)).succeeded

    play(story)


@pytest.mark.parametrize("code", ["ABDM-1035", "ABDM-1044", "ABDM-9999"])
def test_another_error_is_kept_and_not_repeated(code: str) -> None:
    async def story(house: House) -> None:
        await house.link()
        await changed(house)
        await answer(house, code)
        await later(house, timedelta(hours=1))
        assert len(notifies(house)) == 1
        assert (await conversation(house)).refusal == code

    play(story)


def test_the_same_answer_twice_causes_one_retry() -> None:
    async def story(house: House) -> None:
        await house.link()
        await changed(house)
        first = house.gateway.last_id(Flow.CONTEXT_NOTIFY)
        await answer(house, "ABDM-1006", to=first)
        await answer(house, "ABDM-1006", to=first)
        await later(house, house.waits.notify_retries[0])
        assert len(notifies(house)) == 2

    play(story)


def test_a_broken_line_is_tried_again() -> None:
    async def story(house: House) -> None:
        house.gateway.refusals[Flow.CONTEXT_NOTIFY] = [Transient("the connection broke")]
        await house.link()
        await changed(house)
        await later(house, timedelta(minutes=20))
        assert len(notifies(house)) == 2

    play(story)


def test_a_version_with_an_invalid_bundle_is_not_announced() -> None:
    async def story(house: House) -> None:
        await house.link()
        house.validator.valid = False
        await changed(house)
        assert notifies(house) == []

    play(story)


def test_ret_02_nothing_is_announced_to_an_account_that_was_closed() -> None:
    async def story(house: House) -> None:
        await house.link()
        event = AccountChanged(abha_address=AbhaAddress("meera.k01@sbx"), status=AccountStatus.DEACTIVATED)
        await house.change_account(house.delivery("notice"), event)
        await changed(house)
        await house.handlers[Topic.NOTIFY](HIP, "88120|2")
        assert notifies(house) == []

    play(story)


def test_a_visit_code_that_is_unknown_is_nothing_to_announce() -> None:
    async def story(house: House) -> None:
        await house.handlers[Topic.NOTIFY](HIP, f"{VisitCode('never')}|1")
        assert notifies(house) == []

    play(story)


@pytest.mark.parametrize("code", ["ABDM-1022", "ABDM-2429", "ABDM-1024", "ABDM-1018"])
def test_a_refusal_by_callback_that_passes_is_waited_out_and_a_repeat_of_it_changes_nothing(code: str) -> None:
    """Contract §1.10: never sooner than ``throttled``, and five calls at most."""

    async def story(house: House) -> None:
        await house.link()
        await changed(house)
        for said in range(1, MOST_CALLS + 1):
            assert len(notifies(house)) == said
            await answer(house, code)
            await answer(house, code)
            await later(house, house.waits.throttled * 0.9)
            assert len(notifies(house)) == said
            await later(house, house.waits.throttled * 30)
        assert len(notifies(house)) == MOST_CALLS
        assert (await conversation(house)).refusal == code

    play(story)
