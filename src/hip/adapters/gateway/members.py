"""Reading other people's JSON: every value knows its dotted path, so a complaint can name it and never show it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hip.domain.errors import InvalidValue

DEEPEST = 64
"""Levels of nesting; no callback has more than eight (CB-07)."""

# Neither PostgreSQL nor UTF-8 can hold these.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Member:
    """A value and where it stands. A missing member and ``null`` are the same: absent."""

    raw: Any = field(repr=False)
    path: str = ""

    @property
    def present(self) -> bool:
        """False for what says nothing: null, blank text, an empty object or array."""
        return bool(self.raw.strip()) if isinstance(self.raw, str) else self.raw not in (None, {}, [])

    def member(self, *names: str) -> "Member":
        """The first of ``names`` that is present, else the first name, absent. Anything but an object has none."""
        children = [Member(self._get(name), f"{self.path}.{name}" if self.path else name) for name in names]
        return next((child for child in children if child.present), children[0])

    def within(self, *names: str) -> "Member":
        """A descendant, name by name."""
        found = self
        for name in names:
            found = found.member(name)
        return found

    def items(self) -> "Sequence[Member]":
        """The elements of an array that are not null; anything else that is present counts as an array of one."""
        if not isinstance(self.raw, list):
            return [self] if self.present else []
        elements = [Member(element, f"{self.path}[{index}]") for index, element in enumerate(self.raw)]
        return [element for element in elements if element.raw is not None]

    def text(self, expected: str, *, longest: int = 255) -> str:
        """Stripped text of 1 to ``longest`` characters; a whole number counts as its digits. Raises InvalidValue."""
        found = self.optional_text(longest=longest)
        if found is None:
            raise InvalidValue(self.path, expected)
        return found

    def optional_text(self, *, longest: int = 255) -> str | None:
        """As ``text``, but None for everything that is no usable text."""
        raw = self.raw
        if isinstance(raw, int) and not isinstance(raw, bool):
            raw = str(raw)
        if not isinstance(raw, str):
            return None
        stripped = raw.strip()
        return stripped if 0 < len(stripped) <= longest and not _UNSTORABLE.search(stripped) else None

    def whole(self, expected: str, *, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, written as a number or as text. Raises InvalidValue."""
        raw = self.raw
        if isinstance(raw, float) and raw.is_integer():
            raw = int(raw)
        if isinstance(raw, str) and re.fullmatch(r"\s*-?[0-9]{1,9}\s*", raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not low <= raw <= high:
            raise InvalidValue(self.path, expected)
        return raw

    def object(self, expected: str) -> "Member":
        """Itself, when it is an object that is not empty. Raises InvalidValue."""
        if not isinstance(self.raw, dict) or not self.raw:
            raise InvalidValue(self.path, expected)
        return self

    def _get(self, name: str) -> Any:
        return self.raw.get(name) if isinstance(self.raw, dict) else None


def read_object(body: bytes) -> Member:
    """The JSON object in ``body``, UTF-8.

    Raises InvalidValue (field ``body``) for anything else, for a key that stands twice in one object, since readers
    disagree on which one counts, and for nesting deeper than 64.
    """
    try:
        content = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidValue("body", "JSON without repeated keys, nested at most 64 deep") from None
    if not isinstance(content, dict):
        raise InvalidValue("body", "a JSON object")
    if _depth_exceeds(content, DEEPEST):
        raise InvalidValue("body", "JSON nested at most 64 deep")
    return Member(content)


def canonical(content: Any) -> bytes:
    """One form for equal JSON: keys sorted, no white space, UTF-8."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=True)
    return text.encode("utf-8", "surrogatepass")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("repeated key")
    return content


def _no_number(_constant: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")


def _depth_exceeds(content: Any, limit: int) -> bool:
    level = [content]
    for _ in range(limit):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
