"""``_name`` beside ``name``: the id and extensions of a primitive value."""

from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.findings import Finding, empty, lone_id, under, wrong_type
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.rulebook import Rulebook, Test
from hip.adapters.fhir.validation.session import Session


def sibling_test(rulebook: Rulebook, shadow: str, node: Node, type_name: str) -> Test:
    """The test of ``_name``: an object, or for a repeating element a list of objects and nulls beside the values."""
    check = rulebook.profile_check(f"http://hl7.org/fhir/StructureDefinition/{type_name}")
    name = shadow[1:]

    def one(value: Any, session: Session, *, beside: Any) -> list[Finding] | None:
        if type(value) is not dict:
            return [wrong_type(value, "a JSON object")]
        if not value:
            return [empty("", "object")]
        if beside is None and value.keys() == {"id"}:
            return [lone_id()]
        return check(value, session)

    def single(value: Any, parent: Mapping[str, Any], session: Session) -> list[Finding] | None:
        found = one(value, session, beside=parent.get(name))
        return None if found is None else under(f".{shadow}", found)

    def several(value: Any, parent: Mapping[str, Any], session: Session) -> list[Finding] | None:
        if type(value) is not list:
            return [wrong_type(value, "a JSON array", f".{shadow}")]
        if not value:
            return [empty(f".{shadow}", "array")]
        beside = parent.get(name)
        found: list[Finding] = []
        if isinstance(beside, list) and len(beside) != len(value):
            found.append(_uneven(shadow, len(value), len(beside)))
        for number, item in enumerate(value):
            if item is None:
                if not isinstance(beside, list) or number >= len(beside) or beside[number] is None:
                    found.append(wrong_type(None, "a value or its extensions", f".{shadow}[{number}]"))
                continue
            known = beside[number] if isinstance(beside, list) and number < len(beside) else None
            found.extend(under(f".{shadow}[{number}]", one(item, session, beside=known) or []))
        return found or None

    return several if "many" in node else single


def _uneven(shadow: str, count: int, beside: int) -> Finding:
    return Finding(
        "json-null",
        f".{shadow}",
        found=f"{count} items beside {beside}",
        expected=f"{beside} items",
        message=f"{shadow} and {shadow[1:]} must have the same number of items",
        fix="fill the gaps with null",
    )
