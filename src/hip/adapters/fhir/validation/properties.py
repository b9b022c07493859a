"""The test of one member of an object: JSON type, cardinality, legal value, fixed value, binding, slices."""

from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.counts import list_fault
from hip.adapters.fhir.validation.findings import Finding, empty, excerpt, hopeless, under, wrong_type
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.rulebook import Check, Rulebook, Test
from hip.adapters.fhir.validation.session import Session
from hip.adapters.fhir.validation.slicing import sliced_test
from hip.adapters.fhir.validation.values import value_check


def property_test(rulebook: Rulebook, name: str, number: int, type_name: str) -> Test:
    """The test of the member ``name``, node ``number`` written as ``type_name``."""
    node = rulebook.node(number)
    if node["max"] == 0:
        return never(_prohibited(name))
    if rulebook.is_primitive(type_name):
        check = value_check(rulebook, node, type_name)
        if "many" in node and not name.endswith("[x]"):
            return _primitives(name, node, check)
        return _primitive(name, check)
    if "many" not in node:
        return _one(name, rulebook, number, type_name)
    if "slices" in node and "slicing" in node:
        return sliced_test(rulebook, name, number, type_name)
    return _several(name, node, rulebook.check(number, type_name))


def never(finding: Finding) -> Test:
    """A member that may not be there."""

    def test(value: Any, _: Mapping[str, Any], __: Session) -> list[Finding] | None:
        return [
            Finding(
                finding.rule,
                finding.path,
                found=excerpt(value),
                expected=finding.expected,
                message=finding.message,
                fix=finding.fix,
            )
        ]

    return test


def _prohibited(name: str) -> Finding:
    return Finding(
        "max", f".{name}", expected="no such element", message=f"{name} is not allowed here", fix=f"remove {name}"
    )


def _one(name: str, rulebook: Rulebook, number: int, type_name: str) -> Test:
    prefix = f".{name}"
    check: Check | None = None

    def test(value: Any, _: Mapping[str, Any], session: Session) -> list[Finding] | None:
        nonlocal check
        if type(value) is not dict:
            return [wrong_type(value, "a JSON object", prefix)]
        if not value:
            return [empty(prefix, "object")]
        if check is None:
            check = rulebook.check(number, type_name)
        found = check(value, session)
        return None if found is None else under(prefix, found)

    return test


def _several(name: str, node: Node, check: Check) -> Test:
    least, most = node["min"], node["max"]

    def test(value: Any, _: Mapping[str, Any], session: Session) -> list[Finding] | None:
        found: list[Finding] | None = None
        if type(value) is not list or not least <= len(value) or not value or 0 <= most < len(value):
            found = list_fault(name, node, value)
            if type(value) is not list:
                return found
        for number, item in enumerate(value):
            if type(item) is not dict:
                below: list[Finding] | None = [wrong_type(item, "a JSON object")]
            elif not item:
                below = [empty("", "object")]
            else:
                below = check(item, session)
            if below is not None:
                below = under(f".{name}[{number}]", below)
                if found is None:
                    found = below
                else:
                    found.extend(below)
                    if hopeless(found):
                        break
        return found

    return test


def _primitive(name: str, check: Check) -> Test:
    prefix = f".{name}"

    def test(value: Any, _: Mapping[str, Any], session: Session) -> list[Finding] | None:
        found = check(value, session)
        return None if found is None else under(prefix, found)

    return test


def _primitives(name: str, node: Node, check: Check) -> Test:
    shadow = f"_{name}"

    def test(value: Any, parent: Mapping[str, Any], session: Session) -> list[Finding] | None:
        found = list_fault(name, node, value)
        if type(value) is not list:
            return found
        beside = parent.get(shadow)
        for number, item in enumerate(value):
            if item is None and isinstance(beside, list) and number < len(beside) and beside[number] is not None:
                continue
            below = check(item, session)
            if below is not None:
                below = under(f".{name}[{number}]", below)
                if found is None:
                    found = below
                else:
                    found.extend(below)
                    if hopeless(found):
                        break
        return found

    return test
