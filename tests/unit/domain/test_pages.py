"""Pages: which events they take, and what they then tell of a care context (PUSH-08)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.machines import unchanged_by
from tests.builders.moments import MINUTE, NOW
from tests.builders.transfers import a_page

from hip.domain.errors import IllegalTransition
from hip.domain.identifiers import CareContextReference
from hip.domain.pages import HiStatus, PageState, context_statuses

LATER = NOW + MINUTE
DELIVERED = a_page(state=PageState.DELIVERED, attempts=1, finished_at=NOW)
ERRORED = a_page(2, state=PageState.ERRORED, reason="HTTP 403", finished_at=NOW)


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
