"""What a patient's app shows of a document, as values: a page of sections, of items, of rows; and its gaps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A label and the words beside it. Without words it is a gap: apps show "NA", and ``expected`` would fill it.

    ``path`` is FHIRPath with indices, as in the validator's issues.
    """

    label: str
    words: str | None = field(repr=False)
    path: str
    expected: str = ""

    @property
    def gap(self) -> bool:
        return self.words is None

    def as_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"label": self.label, "value": self.words, "path": self.path}
        return {**shown, "expected": self.expected} if self.gap else shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One resource; below it those it consists of, such as the results of a report."""

    kind: str
    path: str
    rows: tuple[Row, ...]
    items: tuple["Item", ...] = ()

    def all_rows(self) -> Iterator[Row]:
        """Its rows, then those below."""
        yield from self.rows
        for item in self.items:
            yield from item.all_rows()

    def as_json(self) -> dict[str, Any]:
        return _without_empty(
            {
                "resourceType": self.kind,
                "path": self.path,
                "rows": [row.as_json() for row in self.rows],
                "items": [item.as_json() for item in self.items],
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section: its narrative when it has nothing else, its items, and sections within it."""

    title: str
    path: str
    narrative: tuple[str, ...] = field(default=(), repr=False)
    rows: tuple[Row, ...] = ()
    items: tuple[Item, ...] = ()
    sections: tuple["Section", ...] = ()

    def all_rows(self) -> Iterator[Row]:
        """Its rows, then those below."""
        yield from self.rows
        for item in self.items:
            yield from item.all_rows()
        for section in self.sections:
            yield from section.all_rows()

    def as_json(self) -> dict[str, Any]:
        return _without_empty(
            {
                "title": self.title,
                "path": self.path,
                "narrative": list(self.narrative),
                "rows": [row.as_json() for row in self.rows],
                "items": [item.as_json() for item in self.items],
                "sections": [section.as_json() for section in self.sections],
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole document. ``unplaced`` are resources no section leads to: apps do not show them."""

    title: str
    rows: tuple[Row, ...]
    parties: tuple[Item, ...]
    sections: tuple[Section, ...]
    unplaced: tuple[Item, ...] = ()

    def gaps(self) -> tuple[Row, ...]:
        """Every row apps show "NA" for, from top to bottom."""
        parts = (
            self.rows,
            *(item.all_rows() for item in self.parties),
            *(section.all_rows() for section in self.sections),
            *(item.all_rows() for item in self.unplaced),
        )
        return tuple(row for rows in parts for row in rows if row.gap)

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "rows": [row.as_json() for row in self.rows],
            "parties": [item.as_json() for item in self.parties],
            "sections": [section.as_json() for section in self.sections],
            "unplaced": [item.as_json() for item in self.unplaced],
            "gaps": [{"path": row.path, "label": row.label, "expected": row.expected} for row in self.gaps()],
        }


def _without_empty(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in shown.items() if value not in ([], ())}
