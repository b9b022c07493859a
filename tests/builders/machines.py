"""Playing state machines: a modest count in every run, the full one in the soak."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

modest_then_full = pytest.mark.parametrize("examples", [40, pytest.param(3000, marks=pytest.mark.soak)])
"""Gives a test its ``examples``."""


def play(machine: type[RuleBasedStateMachine], examples: int, *, steps: int = 25) -> None:
    """Run ``examples`` random orders of at most ``steps`` events."""
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


def unchanged_by(value: Any, error: type[Exception], event: Any) -> None:
    """``event`` must raise ``error``; ``value`` is frozen, so what was is what is."""
    before = repr(value)
    with pytest.raises(error):
        event()
    assert repr(value) == before
