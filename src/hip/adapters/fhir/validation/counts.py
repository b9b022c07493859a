"""Cardinality of repeating elements."""

from typing import Any

from hip.adapters.fhir.validation.findings import Finding, empty, wrong_type
from hip.adapters.fhir.validation.guide import Node


def count_fault(name: str, node: Node, count: int) -> Finding | None:
    """Cardinality of a list that is there."""
    most = node["max"]
    if count < node["min"]:
        return Finding(
            "min",
            f".{name}",
            found=str(count),
            expected=f"at least {node['min']}",
            message=f"{name} needs at least {node['min']} items",
            fix=f"add {name}",
        )
    if most >= 0 and count > most:
        return Finding(
            "max",
            f".{name}",
            found=str(count),
            expected=f"at most {most}",
            message=f"{name} may have at most {most} {'item' if most == 1 else 'items'}",
            fix=f"keep {most} of {name}",
        )
    return None


def list_fault(name: str, node: Node, value: Any) -> list[Finding] | None:
    """What is wrong with a list before its items are looked at; an empty list of findings means nothing."""
    if type(value) is not list:
        return [wrong_type(value, "a JSON array", f".{name}")]
    if not value:
        return [empty(f".{name}", "array")]
    fault = count_fault(name, node, len(value))
    return None if fault is None else [fault]
