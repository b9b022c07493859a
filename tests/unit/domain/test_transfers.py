"""Transfers: which events they take, and what they then tell (PUSH-08)."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.builders.machines import unchanged_by
from tests.builders.moments import MINUTE, NOW
from tests.builders.transfers import a_page, a_transfer

from hip.domain.errors import IllegalTransition
from hip.domain.pages import Page, PageState
from hip.domain.transfers import Transfer, TransferOutcome, TransferState

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
        moved = EVENTS[event](transfer)
        assert (moved.state, moved.updated_at) == (TransferState(expected), LATER)


def test_a_new_transfer_has_no_past() -> None:
    transfer = a_transfer()
    assert (transfer.attempts, transfer.retries) == (0, 0)
    assert transfer.attempt(now=LATER).attempts == 1


def test_a_dead_transfer_says_why() -> None:
    assert in_state(TransferState.PUSHING).give_up("too many failures", now=LATER).reason == "too many failures"


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
    assert (told.notified_at, told.notified(now=LATER)) == (NOW, told)


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
