"""A transfer through its life: no order of events makes its account untrue (PUSH-08, design rule 1)."""

from collections.abc import Callable
from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.builders.machines import modest_then_full, play, unchanged_by
from tests.builders.moments import MINUTE, NOW, SECOND
from tests.builders.transfers import a_page, a_transfer

from hip.domain.errors import IllegalTransition
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference
from hip.domain.pages import Page, PageState, context_statuses
from hip.domain.transfers import Transfer, TransferOutcome, TransferState

FAILED, TRANSFERRED = TransferOutcome.FAILED, TransferOutcome.TRANSFERRED


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
