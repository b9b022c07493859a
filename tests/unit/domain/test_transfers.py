"""Transfers and pages: no order of events makes the account of a transfer untrue (PUSH-08)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.builders.machines import modest_then_full, play, unchanged_by
from tests.builders.moments import MINUTE, NOW, SECOND
from tests.builders.transfers import a_page, a_transfer

from hip.domain.errors import IllegalTransition
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference
from hip.domain.transfers import (
    HiStatus,
    Page,
    PageState,
    Transfer,
    TransferOutcome,
    TransferState,
    context_statuses,
)

LATER = NOW + MINUTE
DELIVERED = a_page(state=PageState.DELIVERED, attempts=1, finished_at=NOW)
ERRORED = a_page(2, state=PageState.ERRORED, reason="HTTP 403", finished_at=NOW)
FAILED, TRANSFERRED = TransferOutcome.FAILED, TransferOutcome.TRANSFERRED


def in_state(state: TransferState, **changes: Any) -> Transfer:
    """A transfer that reached ``state`` the usual way."""
    past: dict[str, Any] = {"state": state}
    if state is not TransferState.REQUESTED:
        past["acknowledged_at"] = NOW
    if state not in (TransferState.REQUESTED, TransferState.ACKNOWLEDGED):
        past["page_count"] = 1
    if state in (TransferState.NOTIFYING, TransferState.DONE):
        past |= {"outcome": FAILED, "done_at": NOW}
    return a_transfer(**(past | changes))


EVENTS: dict[str, Callable[[Transfer], Transfer]] = {
    "acknowledge": lambda transfer: transfer.acknowledge(now=LATER),
    "refuse": lambda transfer: transfer.refuse("ABDM-1062", "REL-02", notify=True, now=LATER),
    "plan": lambda transfer: transfer.plan(3, now=LATER),
    "finish": lambda transfer: transfer.finish([DELIVERED], now=LATER),
    "notified": lambda transfer: transfer.notified(now=LATER),
    "give up": lambda transfer: transfer.give_up("too many failures", now=LATER),
    "attempt": lambda transfer: transfer.attempt(now=LATER),
    "retry": lambda transfer: transfer.retry(now=LATER, deadline=LATER + 20 * MINUTE),
}
ORDER = tuple(TransferState)
# What each event makes of: requested, acknowledged, pushing, notifying, done (failed), dead (while pushing).
# "=" changes nothing, "-" is illegal.
TABLE = {
    "acknowledge": "acknowledged =            =         =         =       =",
    "refuse": "     notifying    -            -         -         -       -",
    "plan": "       -            pushing      =         -         -       -",
    "finish": "     -            -            notifying =         -       -",
    "notified": "   -            -            -         done      =       -",
    "give up": "    dead         dead         dead      dead      -       dead",
    "attempt": "    requested    acknowledged pushing   notifying -       -",
    "retry": "      -            -            -         -         pushing pushing",
}


@pytest.mark.parametrize("state", ORDER)
@pytest.mark.parametrize("event", EVENTS)
def test_a_transfer_takes_the_events_of_the_table_and_no_other(event: str, state: TransferState) -> None:
    transfer = in_state(state)
    expected = TABLE[event].split()[ORDER.index(state)]
    if expected == "-":
        unchanged_by(transfer, IllegalTransition, lambda: EVENTS[event](transfer))
    elif expected == "=":
        assert EVENTS[event](transfer) == transfer
    else:
        assert EVENTS[event](transfer).state is TransferState(expected)


def test_a_refused_request_cannot_be_acknowledged() -> None:
    refused = EVENTS["refuse"](in_state(TransferState.REQUESTED))
    unchanged_by(refused, IllegalTransition, lambda: refused.acknowledge(now=LATER))


@pytest.mark.parametrize(("notify", "state"), [(True, TransferState.NOTIFYING), (False, TransferState.DONE)])
def test_rel_23_a_refusal_ends_failed_and_is_told_when_there_is_anyone_to_tell(
    notify: bool, state: TransferState
) -> None:
    refused = a_transfer().refuse("ABDM-1063", "REL-08: dates", notify=notify, now=LATER)
    assert (refused.state, refused.outcome, refused.done_at) == (state, FAILED, LATER)
    assert (refused.refusal, refused.reason) == ("ABDM-1063", "REL-08: dates")


@pytest.mark.parametrize("state", [TransferState.DONE, TransferState.DEAD])
def test_a_refused_transfer_is_never_retried(state: TransferState) -> None:
    """The requester has been told no, and asks anew under another transaction."""
    transfer = in_state(state, refusal="ABDM-1062", outcome=FAILED, done_at=NOW)
    unchanged_by(transfer, IllegalTransition, lambda: EVENTS["retry"](transfer))


def test_a_transferred_transfer_is_never_retried() -> None:
    transfer = in_state(TransferState.DONE, outcome=TRANSFERRED)
    unchanged_by(transfer, IllegalTransition, lambda: EVENTS["retry"](transfer))


@pytest.mark.parametrize(
    ("pages", "reason", "outcome"),
    [
        ([DELIVERED], None, TRANSFERRED),
        ([DELIVERED, ERRORED], None, TRANSFERRED),
        ([ERRORED], None, FAILED),
        ([], None, FAILED),
        ([DELIVERED, ERRORED], "REL-02: the consent is REVOKED", FAILED),
        ([DELIVERED], "PUSH-07: the deadline has passed", FAILED),
        ([ERRORED], "REL-03: the consent has expired", FAILED),
    ],
)
def test_push_08_transferred_needs_a_delivered_page_and_an_uncut_run(
    pages: list[Page], reason: str | None, outcome: TransferOutcome
) -> None:
    """design.md: never TRANSFERRED unless the requester took it."""
    finished = in_state(TransferState.PUSHING).finish(pages, now=LATER, reason=reason)
    assert (finished.outcome, finished.reason, finished.done_at) == (outcome, reason, LATER)


def test_a_transfer_does_not_end_while_a_page_is_open() -> None:
    pushing = in_state(TransferState.PUSHING)
    unchanged_by(pushing, IllegalTransition, lambda: pushing.finish([DELIVERED, a_page(2)], now=LATER))
    unchanged_by(pushing, IllegalTransition, lambda: pushing.finish([a_page()], now=LATER, reason="revoked"))


def test_a_repeated_end_keeps_the_first_account() -> None:
    first = in_state(TransferState.PUSHING).finish([ERRORED], now=NOW)
    assert first.finish([DELIVERED], now=LATER) == first
    told = first.notified(now=NOW)
    assert told.notified(now=LATER) == told


@pytest.mark.parametrize(
    ("past", "step"),
    [
        ({}, TransferState.REQUESTED),
        ({"acknowledged_at": NOW}, TransferState.ACKNOWLEDGED),
        ({"acknowledged_at": NOW, "page_count": 0}, TransferState.PUSHING),
        ({"acknowledged_at": NOW, "page_count": 2}, TransferState.PUSHING),
    ],
)
def test_a_retry_of_a_dead_transfer_goes_on_where_it_was(past: dict[str, Any], step: TransferState) -> None:
    dead = a_transfer(state=TransferState.DEAD, attempts=20, retries=1, reason="too many failures", **past)
    retried = dead.retry(now=LATER, deadline=LATER + 20 * MINUTE)
    assert (retried.state, retried.attempts, retried.retries) == (step, 0, 2)
    assert (retried.reason, retried.deadline, retried.updated_at) == (None, LATER + 20 * MINUTE, LATER)


def test_a_retry_of_an_untold_account_tells_the_same_account() -> None:
    dead = in_state(TransferState.DEAD, outcome=TRANSFERRED, done_at=NOW, reason="the gateway refused the notify")
    retried = dead.retry(now=LATER, deadline=LATER)
    assert (retried.state, retried.outcome, retried.done_at) == (TransferState.NOTIFYING, TRANSFERRED, NOW)


def test_a_retry_of_a_failed_transfer_begins_a_new_account() -> None:
    failed = in_state(TransferState.DONE, notified_at=NOW, reason="PUSH-07: the deadline has passed")
    retried = failed.retry(now=LATER, deadline=LATER)
    assert (retried.state, retried.outcome, retried.done_at) == (TransferState.PUSHING, None, None)
    assert (retried.notified_at, retried.reason) == (None, None)


def test_a_page_counts_its_pushes_while_it_is_open() -> None:
    assert a_page().attempted().attempted().attempts == 2
    for ended in (DELIVERED, ERRORED):
        unchanged_by(ended, IllegalTransition, ended.attempted)


def test_a_delivered_page_never_becomes_errored() -> None:
    assert DELIVERED.errored("REL-02", now=LATER) == DELIVERED
    assert DELIVERED.delivered(now=LATER) == DELIVERED
    assert DELIVERED.reopened() == DELIVERED


def test_an_errored_page_keeps_its_first_reason_and_takes_no_delivery() -> None:
    assert ERRORED.errored("another", now=LATER) == ERRORED
    unchanged_by(ERRORED, IllegalTransition, lambda: ERRORED.delivered(now=LATER))


def test_only_an_errored_page_with_a_bundle_gets_another_chance() -> None:
    reopened = ERRORED.reopened()
    assert (reopened.state, reopened.reason, reopened.finished_at) == (PageState.PENDING, None, None)
    empty = replace(ERRORED, hi_type=None, visit_code=None)
    assert empty.reopened() == empty
    assert a_page().reopened() == a_page()


def contexts(*pages: tuple[str, PageState, str | None]) -> list[tuple[str, HiStatus, str]]:
    made = [
        a_page(number, care_context_reference=CareContextReference(context), state=state, reason=reason)
        for number, (context, state, reason) in enumerate(pages, 1)
    ]
    return [(s.care_context_reference, s.hi_status, s.description) for s in context_statuses(made)]


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ([], []),
        ([("a", PageState.DELIVERED, None)], [("a", HiStatus.DELIVERED, "1 bundle sent")]),
        ([("a", PageState.DELIVERED, None)] * 2, [("a", HiStatus.DELIVERED, "2 bundles sent")]),
        (
            [("a", PageState.DELIVERED, None), ("a", PageState.ERRORED, "HTTP 403")],
            [("a", HiStatus.ERRORED, "HTTP 403")],
        ),
        ([("a", PageState.PENDING, None)], [("a", HiStatus.ERRORED, "not sent")]),
        (
            [("a", PageState.ERRORED, "first"), ("b", PageState.DELIVERED, None), ("a", PageState.ERRORED, "second")],
            [("a", HiStatus.ERRORED, "first"), ("b", HiStatus.DELIVERED, "1 bundle sent")],
        ),
    ],
)
def test_push_08_a_context_is_delivered_when_all_of_it_was_taken(
    pages: list[tuple[str, PageState, str | None]], told: list[tuple[str, HiStatus, str]]
) -> None:
    assert contexts(*pages) == told


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(PageState), st.none() | st.just("HTTP 403"))))
@settings(max_examples=50, deadline=None)
def test_push_08_context_statuses_are_truthful(pages: list[tuple[str, PageState, str | None]]) -> None:
    told = contexts(*pages)
    assert [context for context, _, _ in told] == list(dict.fromkeys(context for context, _, _ in pages))
    not_taken = {context for context, state, _ in pages if state is not PageState.DELIVERED}
    assert {context for context, status, _ in told if status is HiStatus.ERRORED} == not_taken
    assert all(len(description) > 0 for _, _, description in told)


class TransferMachine(RuleBasedStateMachine):
    """A transfer and its pages under every event at any time: crashed workers, late pushes, operators.

    Kept beside it in plain words: what the requester truly took, and what the gateway was or may have been told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.transfer = a_transfer()
        self.pages: dict[int, Page] = {}
        self.now = NOW
        self.taken: set[int] = set()
        self.refused = False
        self.account: tuple[object, ...] | None = None
        self.over: Transfer | None = None

    def happens(self, event: Callable[[], Transfer]) -> bool:
        """False when the transfer refused the event."""
        self.now += SECOND
        before = self.transfer
        try:
            self.transfer = event()
        except IllegalTransition:
            assert self.transfer is before
            return False
        return True

    @initialize(reached=st.integers(0, 3))
    def has_come_some_way(self, reached: int) -> None:
        """Half of all orders begin with pages to push: there is the most that can go wrong."""
        if reached >= 1:
            self.acknowledge()
        if reached >= 2:
            self.plan(to_push=reached, without=reached % 2)

    @rule()
    def acknowledge(self) -> None:
        self.happens(lambda: self.transfer.acknowledge(now=self.now))

    @rule(notify=st.booleans(), code=st.sampled_from(["ABDM-1061", "ABDM-1062"]))
    def refuse(self, notify: bool, code: str) -> None:
        could = self.transfer.state is TransferState.REQUESTED
        done = self.happens(lambda: self.transfer.refuse(code, "REL", notify=notify, now=self.now))
        assert done is could
        if done:
            self.refused = True
            self.pages[1] = a_page(1, hi_type=None, visit_code=None, state=PageState.ERRORED, reason="REL")

    @rule(to_push=st.integers(0, 3), without=st.integers(0, 1))
    def plan(self, to_push: int, without: int) -> None:
        first = self.transfer.state is TransferState.ACKNOWLEDGED
        if self.happens(lambda: self.transfer.plan(to_push, now=self.now)) and first:
            types = list(HiType)
            self.pages = {number: a_page(number, hi_type=types[number]) for number in range(1, to_push + 1)}
            for number in range(to_push + 1, to_push + without + 1):
                empty = CareContextReference("88121")
                self.pages[number] = a_page(
                    number, care_context_reference=empty, hi_type=None, state=PageState.ERRORED, reason="no records"
                )

    @precondition(lambda self: self.pages)
    @rule(data=st.data())
    def push(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.pages)))
        page = self.pages[number]
        if page.state is not PageState.PENDING:
            unchanged_by(page, IllegalTransition, page.attempted)
        else:
            self.pages[number] = page.attempted()

    @precondition(lambda self: self.pages)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        self.now += SECOND
        number = data.draw(st.sampled_from(sorted(self.pages)))
        page = self.pages[number]
        if page.state is PageState.ERRORED:
            unchanged_by(page, IllegalTransition, lambda: page.delivered(now=self.now))
        else:
            self.pages[number] = page.delivered(now=self.now)
            self.taken.add(number)

    @precondition(lambda self: self.pages)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        self.now += SECOND
        number = data.draw(st.sampled_from(sorted(self.pages)))
        self.pages[number] = self.pages[number].errored("HTTP 403", now=self.now)

    @rule()
    def end(self) -> None:
        pages = list(self.pages.values())
        is_open = any(page.state is PageState.PENDING for page in pages)
        pushing = self.transfer.state is TransferState.PUSHING
        done = self.happens(lambda: self.transfer.finish(pages, now=self.now))
        if pushing:
            assert done is not is_open
            if done:
                assert self.transfer.outcome is (TRANSFERRED if self.taken else FAILED)

    @rule()
    def stop(self) -> None:
        """Revoked or late: what is open is errored, and the transfer ends FAILED (REL-21)."""
        if self.transfer.state is not TransferState.PUSHING:
            return
        self.pages = {number: page.errored("REL-02", now=self.now) for number, page in self.pages.items()}
        assert self.happens(lambda: self.transfer.finish(self.pages.values(), now=self.now, reason="REL-02"))
        assert self.transfer.outcome is FAILED

    @rule()
    def notified(self) -> None:
        self.happens(lambda: self.transfer.notified(now=self.now))

    @rule()
    def give_up(self) -> None:
        could = self.transfer.state is not TransferState.DONE
        assert self.happens(lambda: self.transfer.give_up("too many failures", now=self.now)) is could

    @rule()
    def attempt(self) -> None:
        attempts = self.transfer.attempts
        if self.happens(lambda: self.transfer.attempt(now=self.now)):
            assert self.transfer.attempts == attempts + 1

    @rule()
    def retry(self) -> None:
        before = self.transfer
        failed = before.state is TransferState.DONE and before.outcome is FAILED
        could = (failed or before.state is TransferState.DEAD) and not self.refused
        done = self.happens(lambda: self.transfer.retry(now=self.now, deadline=self.now + MINUTE))
        assert done is could
        if not done:
            return
        assert self.transfer.retries == before.retries + 1
        if self.transfer.state is TransferState.PUSHING:
            self.pages = {number: page.reopened() for number, page in self.pages.items()}
        if failed:
            self.account = None

    @invariant()
    def outcome_and_state_agree(self) -> None:
        transfer = self.transfer
        assert (transfer.outcome is None) is (transfer.done_at is None)
        match transfer.state:
            case TransferState.REQUESTED | TransferState.ACKNOWLEDGED | TransferState.PUSHING:
                assert transfer.outcome is None
            case TransferState.NOTIFYING | TransferState.DONE:
                assert transfer.outcome is not None
        if transfer.state is TransferState.PUSHING:
            assert transfer.acknowledged_at is not None
            assert transfer.page_count is not None
        if transfer.notified_at is not None:
            assert transfer.state is TransferState.DONE

    @invariant()
    def transferred_means_taken(self) -> None:
        """Design rule 1."""
        if self.transfer.outcome is TRANSFERRED:
            assert self.taken

    @invariant()
    def the_account_once_made_stays(self) -> None:
        """Every repeat of the notify says the same outcome, time and statuses."""
        if self.transfer.outcome is None:
            assert self.account is None
            return
        now_told = (self.transfer.outcome, self.transfer.done_at, context_statuses(self.pages.values()))
        self.account = self.account or now_told
        assert now_told == self.account

    @invariant()
    def what_was_taken_stays_delivered(self) -> None:
        delivered = {number for number, page in self.pages.items() if page.state is PageState.DELIVERED}
        assert delivered == self.taken
        for page in self.pages.values():
            assert (page.state is PageState.PENDING) is (page.finished_at is None) or page.hi_type is None
            assert (page.state is PageState.ERRORED) is (page.reason is not None)

    @invariant()
    def a_refused_transfer_sends_nothing_and_stays_refused(self) -> None:
        assert (self.transfer.refusal is not None) is self.refused
        if self.refused:
            assert not self.taken
            assert self.transfer.outcome is FAILED
            assert self.transfer.acknowledged_at is None

    @invariant()
    def a_transferred_and_told_transfer_is_over(self) -> None:
        if self.over is not None:
            assert self.transfer == self.over
        elif self.transfer.state is TransferState.DONE and self.transfer.outcome is TRANSFERRED:
            self.over = self.transfer

    @invariant()
    def what_was_asked_never_changes(self) -> None:
        transfer, first = self.transfer, a_transfer()
        assert (transfer.request, transfer.request_id, transfer.consent_id) == (
            first.request,
            first.request_id,
            first.consent_id,
        )
        assert isinstance(transfer.deadline, datetime)
        assert transfer.requested_at == NOW


@modest_then_full
def test_no_order_of_events_makes_a_transfer_tell_an_untruth(examples: int) -> None:
    play(TransferMachine, examples, steps=40)
