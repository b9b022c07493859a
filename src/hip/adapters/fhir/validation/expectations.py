"""What a definition fixes somewhere below an element: the values by which slices and records are recognised."""

from collections.abc import Iterator, Mapping
from typing import Any

from hip.adapters.fhir.validation.fixed_values import contains, same
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.rulebook import Rulebook
from hip.adapters.fhir.validation.session import Session


def meets(value: Any, how: str, what: Any) -> bool:
    """Whether a value is what an expectation asks for."""
    match how:
        case "fixed":
            return same(value, what)
        case "pattern":
            return contains(value, what)
        case _:
            codes = frozenset().union(*what.values())
            code = value.get("code") if isinstance(value, dict) else value
            return isinstance(code, str) and code in codes


def expectations(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """What the definition fixes at the end of ``steps``: ``fixed`` or ``pattern`` and a value, ``codes`` and a set."""
    for how in ("fixed", "pattern"):
        if how in node:
            yield from ((how, value) for value in _inside(node[how], steps))
            return
    if not steps:
        binding = node.get("binding", ("", ""))
        codes = rulebook.guide.value_sets.get(binding[1])
        if binding[0] == "required" and isinstance(codes, Mapping):
            yield "codes", codes
        return
    for child, child_type, rest in steps_into(rulebook, node, type_name, steps):
        yield from expectations(rulebook, child, child_type, rest)
        # Slices below (extension by url, coding by system) may carry the value instead.
        for number in child.get("slices", {}).values():
            yield from expectations(rulebook, rulebook.node(number), child_type, rest)


def steps_into(
    rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]
) -> Iterator[tuple[Node, str, tuple[str, ...]]]:
    """The definitions the first step leads to, each with its type and the steps that remain."""
    first, rest = steps[0], steps[1:]
    if first.startswith("ofType("):
        yield node, first[7:-1], rest
        return
    name = "extension" if first.startswith("extension(") else first
    children = rulebook.children_of(node, type_name)
    number = children.get(name, children.get(f"{name}[x]"))
    if number is None:
        return
    child = rulebook.node(number)
    for child_type in rulebook.types_of(child) or ("",):
        yield child, child_type, rest


def _inside(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _inside(item, steps)
    elif not steps:
        yield value
    elif isinstance(value, dict) and steps[0] in value:
        yield from _inside(value[steps[0]], steps[1:])


def values_at(item: Any, steps: tuple[str, ...], session: Session) -> Iterator[Any]:
    """The values at ``steps`` below an item, lists flattened."""
    if isinstance(item, list):
        for one in item:
            yield from values_at(one, steps, session)
    elif not steps:
        yield item
    elif steps[0].startswith("ofType("):
        yield from values_at(item, steps[1:], session)
    elif isinstance(item, dict):
        for value in _step(item, steps[0], session):
            yield from values_at(value, steps[1:], session)


def _step(item: Mapping[str, Any], step: str, session: Session) -> Iterator[Any]:
    if step == "resolve()":
        reference = item.get("reference")
        target = session.find(reference) if isinstance(reference, str) else None
        if target is not None:
            yield target
    elif step.startswith("extension("):
        url = step[len("extension('") : -2]
        extensions = item.get("extension")
        for one in extensions if isinstance(extensions, list) else ():
            if isinstance(one, dict) and one.get("url") == url:
                yield one
    elif step in item:
        yield item[step]
    else:
        yield from (
            value for key, value in item.items() if key.startswith(step) and key[len(step) : len(step) + 1].isupper()
        )
