"""Which push carries which record: bounded in count and in size, and the same however often it is resumed (PUSH-09)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from hip.domain.pages import Page

LARGEST_PUSH = 8 * 1024 * 1024
"""Bytes of bundles in one push: beyond 5 to 10 MB requesters are likely to refuse its body (contract §2.11)."""


@dataclass(slots=True, kw_only=True)
class Paging:
    """Numbers records and their pushes, both from 1. A record larger than the bound has a push to itself.

    With more than one entry a push, entries share an AES key and IV (PUSH-01): whoever sets that has been warned.
    """

    entries_per_push: int
    records: int = 0
    pushes: int = 0
    _entries: int = 0
    _bytes: int = 0

    def place(self, size: int) -> tuple[int, int]:
        """The number of the next record, of ``size`` bytes as far as is known, and of the push that carries it."""
        full = self._entries >= self.entries_per_push or self._bytes + size > LARGEST_PUSH
        if self.pushes == 0 or full:
            self.pushes += 1
            self._entries = self._bytes = 0
        self._entries += 1
        self._bytes += size
        self.records += 1
        return self.records, self.pushes


def by_push(pages: Sequence[Page], *, cut: bool) -> Sequence[Sequence[Page]]:
    """The pages of each push; ``pages`` stand by number. ``cut``: the last may have more, so it waits for its rest."""
    groups = [list(group) for _, group in groupby(pages, key=lambda page: page.carried_by)]
    return groups[:-1] if cut and len(groups) > 1 else groups
