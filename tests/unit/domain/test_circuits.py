"""The circuit breaker as a state machine: what any sequence of calls, failures and hours may do to it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hip.domain.circuits import Circuit, CircuitRules, CircuitState

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
RULES = CircuitRules(failures=3, pause=timedelta(seconds=30), probe=timedelta(seconds=40))

STEPS = st.lists(st.tuples(st.sampled_from(["ask", "good", "bad", "lost"]), st.integers(0, 45)), max_size=60)


def failing(times: int, circuit: Circuit | None = None) -> Circuit:
    circuit = circuit or Circuit()
    for _ in range(times):
        circuit = circuit.failed(RULES, now=NOON)
    return circuit


def test_it_opens_at_the_third_failure_in_a_row_and_not_before():
    assert failing(2).state(NOON) is CircuitState.CLOSED
    assert failing(2, failing(2).succeeded()).state(NOON) is CircuitState.CLOSED, "a success in between starts anew"
    opened = failing(3)
    assert opened.state(NOON) is CircuitState.OPEN
    assert opened.admit(RULES, now=NOON)[1].wait == RULES.pause


def test_after_the_pause_one_call_tries_and_the_others_wait_for_it():
    after = NOON + RULES.pause
    probing, first = failing(3).admit(RULES, now=after)
    assert (probing.state(after), first.probe, first.wait) == (CircuitState.HALF_OPEN, True, None)
    assert probing.admit(RULES, now=after)[1].wait == RULES.pause
    assert probing.succeeded() == Circuit()
    again = probing.failed(RULES, now=after, probe=True)
    assert again.admit(RULES, now=after)[1].wait == RULES.pause
    assert probing.abandoned(probing.probe_until).admit(RULES, now=after)[1].probe
    later, _ = probing.admit(RULES, now=after + RULES.probe)
    assert later.abandoned(probing.probe_until) == later, "a lost probe that ends late takes no other's place"
    assert probing.admit(RULES, now=after + RULES.probe)[1].probe, "a probe nobody hears of again is lost"


def test_a_failure_from_before_it_opened_does_not_lengthen_the_pause():
    late = failing(3).failed(RULES, now=NOON + timedelta(seconds=20))
    assert late.open_until == NOON + RULES.pause


def test_rules_without_failures_never_open_it():
    never = CircuitRules(failures=0)
    circuit = Circuit()
    for _ in range(100):
        circuit = circuit.failed(never, now=NOON)
    assert circuit.state(NOON) is CircuitState.CLOSED


@given(STEPS)
def test_whatever_happens_one_probe_at_a_time_goes_and_every_refusal_ends(steps: list[tuple[str, int]]) -> None:
    circuit, now = Circuit(), NOON
    probes: list[datetime] = []
    in_a_row = 0
    for step, seconds in steps:
        now += timedelta(seconds=seconds)
        match step:
            case "ask":
                circuit, admission = circuit.admit(RULES, now=now)
                if admission.probe:
                    assert not probes or now >= probes[-1] + RULES.probe, "the last one may still be under way"
                    probes.append(now)
                if admission.wait is not None:
                    assert timedelta(0) < admission.wait <= max(RULES.pause, RULES.probe)
                else:
                    assert circuit.state(now) is not CircuitState.OPEN
            case "good":
                circuit, probes, in_a_row = circuit.succeeded(), [], 0
            case "bad":
                circuit = circuit.failed(RULES, now=now, probe=bool(probes))
                probes, in_a_row = [], in_a_row + 1
            case _:
                circuit, probes = circuit.abandoned(circuit.probe_until), []
        assert circuit.failures == in_a_row
        assert (circuit.open_until is None) is (in_a_row < RULES.failures)
