"""Rows in a dictionary, with an undo log: what one unit wrote can be taken back until it commits."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class MemoryTable(Generic[K, V]):
    """Frozen rows by key, kept in the order of their first insertion. Replacing a row keeps its place."""

    def __init__(self) -> None:
        self._rows: dict[K, V] = {}
        self._before: dict[K, V | None] = {}

    def get(self, key: K) -> V | None:
        return self._rows.get(key)

    def __contains__(self, key: K) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[V]:
        """Oldest insertion first."""
        return iter(list(self._rows.values()))

    def __reversed__(self) -> Iterator[V]:
        """Newest insertion first, so that a stable sort by time puts the later of two equals first."""
        return iter(list(self._rows.values())[::-1])

    def items(self) -> list[tuple[K, V]]:
        """A snapshot of keys and rows, oldest insertion first."""
        return list(self._rows.items())

    def put(self, key: K, row: V) -> None:
        self._before.setdefault(key, self._rows.get(key))
        self._rows[key] = row

    def drop(self, key: K) -> None:
        """The row is gone; one that is taken back stands last."""
        self._before.setdefault(key, self._rows.get(key))
        self._rows.pop(key, None)

    def keep(self) -> None:
        """What was written since the last ``keep`` lasts."""
        self._before.clear()

    def undo(self) -> None:
        """What was written since the last ``keep`` never was."""
        for key, row in self._before.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
        self._before.clear()
