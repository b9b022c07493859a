"""``CircuitMemory`` in this process."""

from collections.abc import Callable
from datetime import datetime

from hip.domain.circuits import Circuit
from hip.domain.errors import StorageFailed


class MemoryCircuitMemory:
    """Circuits are forgotten by the times given. Set ``down`` to True and every method raises StorageFailed."""

    def __init__(self) -> None:
        self.down = False
        self._kept: dict[str, tuple[Circuit, datetime]] = {}

    async def read(self, host: str, *, now: datetime) -> Circuit:
        """``CircuitMemory.read``."""
        if self.down:
            raise StorageFailed("the memory of circuits is told to be down")
        circuit, until = self._kept.get(host, (Circuit(), now))
        return circuit if now < until else Circuit()

    async def change(
        self, host: str, change: Callable[[Circuit], Circuit], *, now: datetime
    ) -> tuple[Circuit, Circuit]:
        """``CircuitMemory.change``; nothing here waits, so that no other task comes between."""
        before = await self.read(host, now=now)
        after = change(before)
        if after != before:
            self._kept[host] = after, after.kept_until(now)
        return before, after

    async def close(self) -> None:
        """Nothing to let go of."""
