"""Records that come one by one, gathered into what is stored together."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hip.application.intake import AT_ONCE, BYTES_AT_ONCE

W = TypeVar("W")


@dataclass(slots=True)
class Gathered(Generic[W]):
    """Records, each with the place ``where`` it stood, until one transaction is full of them."""

    places: list[W] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, where: W, record: bytes) -> None:
        """Add one, however large it is."""
        self.places.append(where)
        self.records.append(record)
        self.size += len(record)

    @property
    def full(self) -> bool:
        """True when no more is to be held."""
        return len(self.records) >= AT_ONCE or self.size >= BYTES_AT_ONCE
