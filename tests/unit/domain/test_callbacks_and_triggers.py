"""Stored callbacks and trigger rows: what a run, a replay and a changed visit may make of them."""

from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.builders.conversations import a_callback
from tests.builders.machines import modest_then_full, play, unchanged_by
from tests.builders.moments import NOW, SECOND
from tests.builders.stored_visits import a_trigger

from hip.domain.callbacks import Callback, CallbackState
from hip.domain.errors import IllegalTransition


class CallbackMachine(RuleBasedStateMachine):
    """Runs and replays in any order, of a callback that was received or refused at the edge."""

    @initialize(rejected=st.booleans())
    def receive(self, rejected: bool) -> None:
        self.rejected = rejected
        self.first = (
            a_callback(sealed_body=None, state=CallbackState.REJECTED, finished_at=NOW, error="no JWT")
            if rejected
            else a_callback()
        )
        self.callback = self.first
        self.now = NOW
        self.runs: list[tuple[CallbackState, str | None, datetime]] = []

    @rule(
        result=st.sampled_from([CallbackState.DONE, CallbackState.FAILED, CallbackState.UNKNOWN]),
        error=st.sampled_from(["ABDM-1030 request r-1 is not known", "ABDM-1006 hipId: expected a text"]),
    )
    def run(self, result: CallbackState, error: str) -> None:
        self.now += SECOND

        def event() -> Callback:
            match result:
                case CallbackState.DONE:
                    return self.callback.done(now=self.now)
                case CallbackState.FAILED:
                    return self.callback.failed(error, now=self.now)
                case _:
                    return self.callback.unknown(now=self.now)

        if self.rejected:
            unchanged_by(self.callback, IllegalTransition, event)
            return
        self.callback = event()
        self.runs.append((result, error if result is CallbackState.FAILED else None, self.now))

    @invariant()
    def it_tells_its_last_run(self) -> None:
        callback = self.callback
        assert callback.runs == len(self.runs)
        if self.runs:
            assert (callback.state, callback.error, callback.finished_at) == self.runs[-1]
        else:
            assert callback == self.first

    @invariant()
    def what_was_received_never_changes(self) -> None:
        now, then = self.callback, self.first
        assert (now.id, now.hip_id, now.path, now.request_id) == (then.id, then.hip_id, then.path, then.request_id)
        assert (now.body_hash, now.sealed_body, now.headers) == (then.body_hash, then.sealed_body, then.headers)
        assert (now.received_at, now.verified, now.late) == (then.received_at, then.verified, then.late)


@modest_then_full
def test_no_order_of_runs_makes_a_callback_lie_or_revives_a_rejected_one(examples: int) -> None:
    play(CallbackMachine, examples, steps=8)


class TriggerMachine(RuleBasedStateMachine):
    """Bundles become complete, repeatedly; the visit changes, repeatedly."""

    def __init__(self) -> None:
        super().__init__()
        self.trigger = a_trigger()
        self.now = NOW
        self.complete_since: datetime | None = None

    @rule()
    def complete(self) -> None:
        self.now += SECOND
        self.trigger = self.trigger.process(now=self.now)
        self.complete_since = self.complete_since or self.now

    @rule()
    def change(self) -> None:
        self.now += SECOND
        self.trigger = self.trigger.reopen()
        self.complete_since = None

    @invariant()
    def the_flag_and_its_time_agree(self) -> None:
        assert self.trigger.processed is (self.complete_since is not None)
        assert self.trigger.processed_at == self.complete_since
        assert self.trigger.created_at == NOW


@modest_then_full
def test_no_order_of_changes_leaves_a_trigger_processed_without_its_time(examples: int) -> None:
    play(TriggerMachine, examples, steps=8)
