"""fixed[x]: the value and nothing else; pattern[x]: at least this."""

from typing import Any

from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.rulebook import Check
from hip.adapters.fhir.validation.session import Session


def fixed_check(node: Node) -> Check | None:
    """None when the node fixes nothing."""
    if "fixed" in node:
        return _fixed(node["fixed"])
    if "pattern" in node:
        return _pattern(node["pattern"])
    return None


def same(left: Any, right: Any) -> bool:
    """JSON equality: true is not 1."""
    if type(left) is not type(right) and not (_number(left) and _number(right)):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def contains(value: Any, pattern: Any) -> bool:
    """Whether ``value`` has everything ``pattern`` has, lists in any order."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(key in value and contains(value[key], pattern[key]) for key in pattern)
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(contains(item, wanted) for item in value) for wanted in pattern)
    return same(value, pattern)


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _fixed(wanted: Any) -> Check:
    if isinstance(wanted, str):

        def check_text(value: Any, _: Session) -> list[Finding] | None:
            return None if value == wanted else _differs("fixed-value", value, wanted)

        return check_text

    def check(value: Any, _: Session) -> list[Finding] | None:
        return None if same(value, wanted) else _differs("fixed-value", value, wanted)

    return check


def _pattern(wanted: Any) -> Check:
    def check(value: Any, _: Session) -> list[Finding] | None:
        return None if contains(value, wanted) else _differs("pattern-value", value, wanted)

    return check


def _differs(rule: str, value: Any, wanted: Any) -> list[Finding]:
    text = excerpt(wanted) if not isinstance(wanted, dict | list) else str(wanted)[:200]
    return [
        Finding(
            rule,
            "",
            found=excerpt(value),
            expected=text if rule == "fixed-value" else f"at least {text}",
            message="the profile fixes this value" if rule == "fixed-value" else "the profile asks for this content",
            fix=f"write {text}",
        )
    ]
