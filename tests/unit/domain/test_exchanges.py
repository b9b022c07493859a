"""An exchange: five outcomes that never look alike, whatever the order of replies, callbacks and crashes."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.builders.conversations import an_exchange
from tests.builders.machines import modest_then_full, play, unchanged_by
from tests.builders.moments import MINUTE, NOW, SECOND

from hip.domain.errors import IllegalTransition
from hip.domain.exchanges import Attempt, Exchange, ExchangeId, Flow, Outcome
from hip.domain.identifiers import HipId, RequestId

FIRST, SECOND_TRY = RequestId("attempt-1"), RequestId("attempt-2")
DUE = NOW + 5 * MINUTE
LATER = NOW + MINUTE


def again(exchange: Exchange) -> Exchange:
    return exchange.again(SECOND_TRY, now=LATER, answer_due=LATER + 5 * MINUTE)


def test_the_calls_a_callback_answers_are_four() -> None:
    """Contract §1.9."""
    assert {flow for flow in Flow if flow.expects_callback} == {
        Flow.GENERATE_TOKEN,
        Flow.LINK_CARE_CONTEXT,
        Flow.CONTEXT_NOTIFY,
        Flow.SMS_NOTIFY,
    }


def test_what_is_counted_or_felt_is_said_at_most_once() -> None:
    """design.md: generate-token is counted, an SMS is felt."""
    assert {flow for flow in Flow if flow.at_most_once} == {Flow.GENERATE_TOKEN, Flow.SMS_NOTIFY}


def test_only_a_link_token_is_wanted_anew_after_it_came() -> None:
    """It expires, or is found bad (contract §2.2)."""
    assert {flow for flow in Flow if flow.renewable} == {Flow.GENERATE_TOKEN}


def test_a_code_means_done_already_for_its_own_call_only() -> None:
    """design.md: 1056, 1106–1108, 1113 count as success, and 1064 of a notice; a number alone is ambiguous."""
    own = {
        "ABDM-1056": Flow.LINK_CARE_CONTEXT,
        "ABDM-1106": Flow.ON_DISCOVER,
        "ABDM-1107": Flow.ON_INIT,
        "ABDM-1108": Flow.ON_CONFIRM,
        "ABDM-1064": Flow.CONSENT_ON_NOTIFY,
        "ABDM-1113": Flow.HEALTH_INFORMATION_ON_REQUEST,
    }
    for code in (*own, "ABDM-1092", "ABDM-9999", ""):
        assert {flow for flow in Flow if flow.already_done(code)} == ({own[code]} if code in own else set())


def test_a_new_exchange_is_sent_and_awaits_its_answer_until_it_is_due() -> None:
    exchange = an_exchange()
    assert (exchange.outcome, exchange.succeeded, exchange.settled) == (Outcome.SENT, False, False)
    assert exchange.attempts == (Attempt(request_id=FIRST, sent_at=NOW),)
    assert not exchange.overdue(DUE - SECOND)
    assert exchange.overdue(DUE)


def test_a_call_without_callback_is_never_overdue() -> None:
    exchange = an_exchange(flow=Flow.ON_DISCOVER)
    assert exchange.answer_due is None
    assert not exchange.overdue(NOW + 1000 * MINUTE)
    assert again(exchange).answer_due is None


def test_an_accepted_call_is_no_success_while_its_callback_is_due() -> None:
    accepted = an_exchange().accept(FIRST, status=202, now=LATER)
    assert (accepted.outcome, accepted.succeeded, accepted.settled) == (Outcome.ACCEPTED, False, False)
    assert (accepted.attempts[0].status, accepted.attempts[0].replied_at) == (202, LATER)


def test_an_accepted_call_without_callback_has_succeeded() -> None:
    accepted = an_exchange(flow=Flow.ON_DISCOVER).accept(FIRST, status=200, now=LATER)
    assert (accepted.outcome, accepted.succeeded, accepted.settled) == (Outcome.ACCEPTED, True, True)


def test_a_callback_may_overtake_the_reply() -> None:
    """Contract §1.8."""
    early = an_exchange().answer(FIRST, code=None, now=LATER)
    assert early.succeeded
    both = early.accept(FIRST, status=202, now=LATER + SECOND)
    assert (both.outcome, both.succeeded) == (Outcome.ANSWERED, True)
    assert both.attempts[0].status == 202


def test_a_reply_that_never_came_does_not_undo_an_answer_that_did() -> None:
    answered = an_exchange().answer(FIRST, code=None, now=LATER)
    lost = answered.refuse(FIRST, status=None, code="no-reply", now=LATER + SECOND)
    assert (lost.outcome, lost.succeeded) == (Outcome.ANSWERED, True)
    with pytest.raises(IllegalTransition):
        again(lost)


def test_a_reply_after_a_bad_answer_does_not_hide_its_code() -> None:
    answered = an_exchange().answer(FIRST, code="ABDM-1207", now=LATER)
    refused = answered.refuse(FIRST, status=500, code="ABDM-9999", now=LATER + SECOND)
    assert (refused.outcome, refused.succeeded, refused.refusal) == (Outcome.ANSWERED, False, "ABDM-1207")
    assert (refused.attempts[-1].code, refused.attempts[-1].status) == ("ABDM-1207", 500)


def test_the_first_refusal_outlives_every_later_one() -> None:
    """Contract §1.10: a retry often hides it behind a duplicate code."""
    refused = an_exchange().refuse(FIRST, status=400, code="ABDM-1207", now=LATER)
    twice = again(refused).refuse(SECOND_TRY, status=400, code="ABDM-1092", now=LATER)
    assert twice.refusal == "ABDM-1207"
    assert [attempt.code for attempt in twice.attempts] == ["ABDM-1207", "ABDM-1092"]
    assert again(refused).answer(SECOND_TRY, code=None, now=LATER).refusal == "ABDM-1207"


def test_an_older_attempts_refusal_does_not_settle_the_one_under_way() -> None:
    under_way = again(an_exchange(flow=Flow.ON_DISCOVER))
    refused = under_way.refuse(FIRST, status=None, code="no-reply", now=LATER)
    assert refused.outcome is Outcome.SENT
    assert refused.refusal == "no-reply"
    assert refused.accept(SECOND_TRY, status=202, now=LATER).succeeded


def test_an_older_attempts_refusal_does_not_undo_the_success_of_a_newer() -> None:
    accepted = again(an_exchange(flow=Flow.ON_CONFIRM)).accept(SECOND_TRY, status=202, now=LATER)
    late = accepted.refuse(FIRST, status=None, code="no-reply", now=LATER + SECOND)
    assert (late.outcome, late.succeeded) == (Outcome.ACCEPTED, True)
    twice = accepted.refuse(SECOND_TRY, status=None, code="no-reply", now=LATER + SECOND)
    assert (twice.outcome, twice.succeeded) == (Outcome.ACCEPTED, True)


def test_another_attempt_gets_its_own_time_to_be_answered() -> None:
    waiting = again(an_exchange())
    assert waiting.answer_due == LATER + 5 * MINUTE
    assert not waiting.overdue(DUE)


def test_a_late_answer_ends_an_unanswered_exchange() -> None:
    lapsed = an_exchange().accept(FIRST, status=202, now=NOW).lapse(now=DUE)
    assert (lapsed.outcome, lapsed.settled, lapsed.succeeded) == (Outcome.UNANSWERED, True, False)
    assert lapsed.answer(FIRST, code=None, now=DUE + SECOND).succeeded


def test_an_answer_to_an_older_attempt_ends_the_newer_too() -> None:
    answered = again(an_exchange()).answer(FIRST, code=None, now=LATER)
    assert answered.succeeded
    assert answered.refuse(SECOND_TRY, status=400, code="ABDM-1092", now=LATER).succeeded
    assert {attempt.request_id for attempt in answered.attempts} == {FIRST, SECOND_TRY}


def test_a_succeeded_exchange_hears_no_second_answer() -> None:
    answered = an_exchange().answer(FIRST, code=None, now=LATER)
    assert answered.answer(FIRST, code="ABDM-1026", now=LATER + SECOND) == answered
    accepted = an_exchange(flow=Flow.ON_SHARE).accept(FIRST, status=202, now=LATER)
    assert accepted.answer(FIRST, code="ABDM-1026", now=LATER + SECOND) == accepted


def test_a_bad_answer_may_be_put_right() -> None:
    refused = an_exchange().answer(FIRST, code="ABDM-1207", now=LATER)
    assert (refused.outcome, refused.succeeded, refused.settled) == (Outcome.ANSWERED, False, True)
    right = refused.answer(FIRST, code=None, now=LATER + SECOND)
    assert (right.succeeded, right.refusal) == (True, "ABDM-1207")


@pytest.mark.parametrize("flow", [Flow.GENERATE_TOKEN, Flow.SMS_NOTIFY])
def test_a_hidden_fate_is_unanswered_not_refused(flow: Flow) -> None:
    lapsed = an_exchange(flow=flow).lapse(now=LATER)
    assert (lapsed.outcome, lapsed.refusal, lapsed.settled) == (Outcome.UNANSWERED, None, True)
    assert lapsed.accept(FIRST, status=202, now=LATER).outcome is Outcome.UNANSWERED
    assert lapsed.refuse(FIRST, status=400, code="ABDM-1035", now=LATER).outcome is Outcome.UNANSWERED


CALLBACK = "callback"
BECOMES = {
    (Outcome.SENT, "taken"): Outcome.ACCEPTED,
    (Outcome.SENT, "refused"): Outcome.REFUSED,
    (Outcome.ACCEPTED, "refused"): Outcome.REFUSED,
    (Outcome.SENT, "silence"): Outcome.UNANSWERED,
    (Outcome.ACCEPTED, "silence"): Outcome.UNANSWERED,
    **{(outcome, CALLBACK): Outcome.ANSWERED for outcome in Outcome},
    **{(outcome, "again"): Outcome.SENT for outcome in Outcome},
}
"""Every move there is, as long as nothing was won; all else stays."""

CODES = st.sampled_from(["ABDM-1092", "ABDM-1207", "no-reply"])


class ExchangeMachine(RuleBasedStateMachine):
    """``heard`` and ``won`` are a plain account of what was said; the exchange must agree with it."""

    @initialize(flow=st.sampled_from(Flow))
    def open(self, flow: Flow) -> None:
        self.ids = [RequestId("r0")]
        self.now = NOW
        self.won = False
        self.codes: list[str] = []
        self.outcome = Outcome.SENT
        self.exchange = Exchange.open(
            ExchangeId("e"),
            hip_id=HipId("IN01"),
            flow=flow,
            business_key="88120",
            request_id=self.ids[0],
            now=self.now,
            answer_due=DUE,
        )

    def expect(self, event: str) -> None:
        if not self.won:
            self.outcome = BECOMES.get((self.outcome, event), self.outcome)

    def tick(self) -> None:
        self.now += SECOND

    @rule(which=st.integers(0, 3), status=st.sampled_from([200, 202]))
    def reply_taken(self, which: int, status: int) -> None:
        self.tick()
        self.exchange = self.exchange.accept(self.ids[which % len(self.ids)], status=status, now=self.now)
        assert self.exchange.updated_at == self.now
        self.expect("taken")
        if self.outcome is Outcome.ACCEPTED and not self.exchange.flow.expects_callback:
            self.won = True

    @rule(which=st.integers(0, 3), status=st.sampled_from([None, 400, 500]), code=CODES)
    def reply_refused(self, which: int, status: int | None, code: str) -> None:
        self.tick()
        request_id = self.ids[which % len(self.ids)]
        # The newest attempt is the one that was sent last, or, once answered, the one that was answered.
        newest = self.exchange.attempts[-1].request_id == request_id
        self.exchange = self.exchange.refuse(request_id, status=status, code=code, now=self.now)
        self.codes.append(code)
        assert self.exchange.updated_at == self.now
        if newest:
            self.expect("refused")

    @rule(which=st.integers(0, 3), code=st.none() | CODES)
    def callback(self, which: int, code: str | None) -> None:
        self.tick()
        self.exchange = self.exchange.answer(self.ids[which % len(self.ids)], code=code, now=self.now)
        assert self.won or self.exchange.updated_at == self.now
        self.expect(CALLBACK)
        if code is not None and not self.won:
            self.codes.append(code)
        self.won = self.won or code is None

    @rule()
    def silence(self) -> None:
        self.tick()
        awaiting = not self.exchange.settled
        self.exchange = self.exchange.lapse(now=self.now)
        assert (self.exchange.updated_at == self.now) is awaiting
        self.expect("silence")

    @rule()
    def another_attempt(self) -> None:
        self.tick()
        request_id = RequestId(f"r{len(self.ids)}")

        def event() -> Exchange:
            return self.exchange.again(request_id, now=self.now, answer_due=self.now + MINUTE)

        if self.won:
            unchanged_by(self.exchange, IllegalTransition, event)
            return
        self.exchange = event()
        assert self.exchange.updated_at == self.now
        self.ids.append(request_id)
        self.expect("again")

    @rule(code=CODES)
    def reply_to_a_call_we_never_made(self, code: str) -> None:
        stranger, exchange = RequestId("stranger"), self.exchange
        unchanged_by(exchange, IllegalTransition, lambda: exchange.accept(stranger, status=202, now=self.now))
        unchanged_by(
            exchange, IllegalTransition, lambda: exchange.refuse(stranger, status=400, code=code, now=self.now)
        )
        if not self.won:
            unchanged_by(exchange, IllegalTransition, lambda: exchange.answer(stranger, code=code, now=self.now))

    @invariant()
    def agrees_with_what_was_said(self) -> None:
        exchange = self.exchange
        assert exchange.outcome is self.outcome
        assert exchange.succeeded is self.won
        assert exchange.settled is (self.won or self.outcome not in (Outcome.SENT, Outcome.ACCEPTED))
        assert exchange.refusal == (self.codes[0] if self.codes else None)

    @invariant()
    def loses_no_attempt(self) -> None:
        assert sorted(attempt.request_id for attempt in self.exchange.attempts) == sorted(self.ids)
        assert (self.exchange.opened_at, self.exchange.business_key) == (NOW, "88120")
        assert (self.exchange.answer_due is not None) is self.exchange.flow.expects_callback


@modest_then_full
def test_no_order_of_replies_and_callbacks_makes_an_exchange_lie(examples: int) -> None:
    play(ExchangeMachine, examples)
