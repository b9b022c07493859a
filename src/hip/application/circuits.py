"""The circuit breakers, one for each host: who may call, and what the calls said about the host."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol

from hip.application.ports import CircuitMemory, Clock
from hip.domain.circuits import Admission, Circuit, CircuitRules
from hip.domain.errors import CircuitOpen, StorageFailed

ALONE = timedelta(seconds=10)
"""After the shared memory did not answer, a process goes by its own for so long: no call waits for it twice."""


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
    """What any process of the deployment has met, all go by: a worker forks for each batch and would begin anew.

    While the shared memory is away each process goes by what it last knew and meets itself; no call fails for that.
    """

    def __init__(self, rules: CircuitRules, clock: Clock, report: CircuitReport, shared: CircuitMemory) -> None:
        self._rules = rules
        self._clock = clock
        self._report = report
        self._shared = shared
        self._own: dict[str, Circuit] = {}
        self._left_alone: datetime | None = None

    @asynccontextmanager
    async def passage(self, host: str) -> AsyncGenerator[Passage]:
        """Around one call to ``host``. Raises CircuitOpen, before anything is sent, while its circuit is open."""
        if not self._rules.failures:
            yield Passage(probe=False)
            return
        circuit, admission = await self._admitted(host)
        if admission.wait is not None:
            raise CircuitOpen(f"{host} failed {circuit.failures} times in a row", retry_after=admission.wait)
        passage = Passage(probe=admission.probe)
        try:
            yield passage
        finally:
            # Most calls are answered by a host against which nothing is held: that is nothing new.
            if not (passage.alive and circuit == Circuit()):
                await self._learn(host, passage, probe_until=circuit.probe_until)

    async def wait(self, host: str) -> timedelta | None:
        """How long no call to ``host`` would be let through; None when one may be tried. Changes nothing."""
        if not self._rules.failures:
            return None
        circuit = await self.look(host)
        return circuit.admit(self._rules, now=self._clock())[1].wait

    async def look(self, host: str) -> Circuit:
        """The circuit of ``host`` as it stands, for a person; changes nothing and never fails."""
        now = self._clock()
        if not self._alone(now):
            try:
                return await self._shared.read(host, now=now)
            except StorageFailed:
                self._left_alone = now
        return self._own.get(host, Circuit())

    async def _admitted(self, host: str) -> tuple[Circuit, Admission]:
        now, answer = self._clock(), Admission()

        def ask(circuit: Circuit) -> Circuit:
            nonlocal answer
            asked, answer = circuit.admit(self._rules, now=now)
            return asked

        _, circuit = await self._change(host, ask)
        return circuit, answer

    async def _learn(self, host: str, passage: Passage, *, probe_until: datetime | None) -> None:
        if passage.alive is None:
            if passage.probe:
                await self._change(host, lambda circuit: circuit.abandoned(probe_until))
            return
        if passage.alive:
            before, after = await self._change(host, Circuit.succeeded)
        else:
            now = self._clock()
            before, after = await self._change(
                host, lambda circuit: circuit.failed(self._rules, now=now, probe=passage.probe)
            )
        if after.open_until != before.open_until:
            event = "circuit-closed" if after.open_until is None else "circuit-opened"
            self._report(event, host=host, failures=after.failures, until=after.open_until)

    async def _change(self, host: str, change: Callable[[Circuit], Circuit]) -> tuple[Circuit, Circuit]:
        now = self._clock()
        if not self._alone(now):
            try:
                before, after = await self._shared.change(host, change, now=now)
            except StorageFailed:
                self._left_alone = now
            else:
                self._own[host] = after
                return before, after
        before = self._own.get(host, Circuit())
        after = self._own[host] = change(before)
        return before, after

    def _alone(self, now: datetime) -> bool:
        # A clock that was set back must not make it long.
        return self._left_alone is not None and timedelta(0) <= now - self._left_alone < ALONE


@asynccontextmanager
async def passage(circuits: Circuits | None, host: str) -> AsyncGenerator[Passage]:
    """``Circuits.passage``; without circuits every call is let through."""
    if circuits is None:
        yield Passage(probe=False)
        return
    async with circuits.passage(host) as passed:
        yield passed
