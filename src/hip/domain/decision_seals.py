"""Decision records in the audit's chain: one entry of it vouches for a row of them (AUD-02).

A seal holds the SHA-256 of the canonical bytes of its records, each preceded by its number. Whoever changes, removes or
adds a record between its first and its last number breaks it; whoever changes the seal breaks the chain.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from hip.domain.decisions import Decision

SEALED = "decisions-sealed"
"""The action of such an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedDecision:
    """A record with the number of its row, which only grows within a HIP."""

    number: int
    decision: Decision

    def canonical(self) -> bytes:
        """The number, and every member of the record as JSON with sorted names, in ASCII; times are UTC."""
        members = json.dumps(dataclasses.asdict(self.decision), sort_keys=True, separators=(",", ":"), default=_shown)
        return f"{self.number}:{members}\n".encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSeal:
    """``count`` records from number ``first`` to ``last``; numbers between them that no record has are no fault."""

    first: int
    last: int
    count: int
    digest: str

    @classmethod
    def of(cls, records: Sequence[NumberedDecision]) -> Self:
        """Of at least one record, in the order of their numbers."""
        digest = hashlib.sha256(b"".join(record.canonical() for record in records)).hexdigest()
        return cls(first=records[0].number, last=records[-1].number, count=len(records), digest=digest)

    @classmethod
    def read(cls, detail: Sequence[tuple[str, str]]) -> Self | None:
        """From an audit entry; None for a detail that is none."""
        found: Mapping[str, str] = dict(detail)
        try:
            numbers = [int(found[name]) for name in ("first", "last", "count")]
            return cls(first=numbers[0], last=numbers[1], count=numbers[2], digest=found["sha256"])
        except (KeyError, ValueError):
            return None

    @property
    def detail(self) -> tuple[tuple[str, str], ...]:
        """As an audit entry keeps it."""
        return (
            ("first", str(self.first)),
            ("last", str(self.last)),
            ("count", str(self.count)),
            ("sha256", self.digest),
        )

    def holds(self, records: Sequence[NumberedDecision]) -> bool:
        """True when ``records``, all there are between its first and last number, are those that were sealed."""
        return bool(records) and type(self).of(records) == self


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    raise TypeError(type(value).__name__)
