"""The circuit breakers of this process, one for each host: who may call, and what the calls said about the host."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from hip.application.ports import Clock
from hip.domain.circuits import Circuit, CircuitRules, CircuitState
from hip.domain.errors import CircuitOpen


class CircuitReport(Protocol):
    def __call__(self, event: str, *, host: str, failures: int, until: datetime | None) -> None:
        """One line for the log: a circuit opened (``until``, UTC) or closed."""


class Passage:
    """One call that was let through. Say ``answered`` or ``failed`` once; silence says nothing about the host."""

    def __init__(self, *, probe: bool) -> None:
        self.probe = probe
        self.alive: bool | None = None

    def answered(self, status: int) -> None:
        """The host replied with this HTTP status: 5xx is a failure of the host, any other shows it alive."""
        self.alive = status < 500

    def failed(self) -> None:
        """The host could not be reached, or did not reply in time."""
        self.alive = False


class Circuits:
    """State is kept in this process alone: it is what this process itself has met."""

    def __init__(self, rules: CircuitRules, clock: Clock, report: CircuitReport) -> None:
        self._rules = rules
        self._clock = clock
        self._report = report
        self._circuits: dict[str, Circuit] = {}

    @asynccontextmanager
    async def passage(self, host: str) -> AsyncGenerator[Passage]:
        """Around one call to ``host``. Raises CircuitOpen, before anything is sent, while its circuit is open."""
        circuit, admission = self._of(host).admit(self._rules, now=self._clock())
        self._circuits[host] = circuit
        if admission.wait is not None:
            raise CircuitOpen(f"{host} failed {circuit.failures} times in a row", retry_after=admission.wait)
        passage = Passage(probe=admission.probe)
        try:
            yield passage
        finally:
            self._learn(host, passage)

    def states(self) -> Mapping[str, tuple[CircuitState, int, datetime | None]]:
        """Each host that was called: its state, failures in a row, and until when (UTC) nothing is sent to it."""
        now = self._clock()
        return {
            host: (circuit.state(now), circuit.failures, circuit.open_until)
            for host, circuit in sorted(self._circuits.items())
        }

    def _of(self, host: str) -> Circuit:
        return self._circuits.get(host, Circuit())

    def _learn(self, host: str, passage: Passage) -> None:
        before = self._of(host)
        if passage.alive is None:
            self._circuits[host] = before.abandoned() if passage.probe else before
            return
        after = (
            before.succeeded() if passage.alive else before.failed(self._rules, now=self._clock(), probe=passage.probe)
        )
        self._circuits[host] = after
        if after.open_until != before.open_until:
            event = "circuit-closed" if after.open_until is None else "circuit-opened"
            self._report(event, host=host, failures=after.failures, until=after.open_until)
