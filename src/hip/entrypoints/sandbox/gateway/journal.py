"""What happened at the gateway, in order: every call made to it and every attempt to deliver a callback."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from hip.entrypoints.sandbox.moments import Now, stamp
from hip.entrypoints.sandbox.views import Finding, JournalEntry

KEPT = 200_000


@dataclass(slots=True)
class Journal:
    """The newest ``KEPT`` entries. Bodies are kept only on demand: tests compare them with the contract's schemas."""

    now: Now
    keep_bodies: bool = False
    _entries: deque[JournalEntry] = field(default_factory=lambda: deque(maxlen=KEPT))
    _findings: deque[Finding] = field(default_factory=lambda: deque(maxlen=KEPT))
    _count: int = 0

    def write(
        self,
        direction: Literal["in", "out"],
        *,
        method: str,
        path: str,
        status: int,
        request_id: str = "",
        client_id: str = "",
        service_id: str = "",
        code: str | None = None,
        attempt: int = 1,
        note: str = "",
        body: Any = None,
    ) -> None:
        """Add an entry. ``body`` is dropped unless bodies are kept."""
        self._count += 1
        self._entries.append(
            JournalEntry(
                number=self._count,
                at=stamp(self.now()),
                direction=direction,
                method=method,
                path=path,
                status=status,
                request_id=request_id,
                client_id=client_id,
                service_id=service_id,
                code=code,
                attempt=attempt,
                note=note,
                body=body if self.keep_bodies else None,
            )
        )

    def found(self, rule: str, detail: str) -> None:
        """Note a breach that the real gateway lets pass. ``detail`` names references and ids, never a person."""
        self._findings.append(Finding(at=stamp(self.now()), rule=rule, detail=detail))

    def entries(
        self, *, path: str = "", direction: str = "", request_id: str = "", after: int = 0
    ) -> list[JournalEntry]:
        """Entries numbered above ``after`` whose path contains ``path``, oldest first."""
        return [
            entry
            for entry in self._entries
            if entry.number > after
            and path in entry.path
            and (not direction or entry.direction == direction)
            and (not request_id or entry.request_id == request_id)
        ]

    def findings(self) -> list[Finding]:
        """Every breach noted, oldest first."""
        return list(self._findings)
