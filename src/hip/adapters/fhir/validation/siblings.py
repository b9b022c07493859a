"""``_name`` beside ``name``: the id and extensions of a primitive value."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from hip.adapters.fhir.validation.findings import Finding, empty, lone_id, under, wrong_type
from hip.adapters.fhir.validation.guide import R4, Node
from hip.adapters.fhir.validation.rulebook import Check, Rulebook, Test
from hip.adapters.fhir.validation.session import Session


def sibling_test(rulebook: Rulebook, shadow: str, node: Node, type_name: str) -> Test:
    """The test of ``_name``: an object, or for a repeating element a list of objects and nulls beside the values."""
    sibling = _Sibling(shadow, rulebook.profile_check(R4 + type_name))
    return sibling.several if "many" in node else sibling.single


class _Sibling:
    """The checks of one ``_name``."""

    __slots__ = ("_check", "_name", "_shadow")

    def __init__(self, shadow: str, check: Check) -> None:
        self._shadow = shadow
        self._name = shadow[1:]
        self._check = check

    def single(self, value: Any, parent: Mapping[str, Any], session: Session) -> list[Finding] | None:
        found = self._one(value, parent.get(self._name), session)
        return None if found is None else under(f".{self._shadow}", found)

    def several(self, value: Any, parent: Mapping[str, Any], session: Session) -> list[Finding] | None:
        if type(value) is not list:
            return [wrong_type(value, "a JSON array", f".{self._shadow}")]
        if not value:
            return [empty(f".{self._shadow}", "array")]
        beside = parent.get(self._name)
        values: list[Any] = beside if isinstance(beside, list) else []
        found = [_uneven(self._shadow, len(value), len(values))] if values and len(values) != len(value) else []
        for number, (item, known) in enumerate(zip_longest(value, values[: len(value)])):
            if item is not None:
                below = self._one(item, known, session) or []
            else:
                below = [wrong_type(None, "a value or its extensions")] if known is None else []
            found.extend(under(f".{self._shadow}[{number}]", below))
        return found or None

    def _one(self, value: Any, beside: Any, session: Session) -> list[Finding] | None:
        if type(value) is not dict:
            return [wrong_type(value, "a JSON object")]
        if not value:
            return [empty("", "object")]
        if beside is None and value.keys() == {"id"}:
            return [lone_id()]
        return self._check(value, session)


def _uneven(shadow: str, count: int, beside: int) -> Finding:
    return Finding(
        "json-null",
        f".{shadow}",
        found=f"{count} items beside {beside}",
        expected=f"{beside} items",
        message=f"{shadow} and {shadow[1:]} must have the same number of items",
        fix="fill the gaps with null",
    )
