"""Discriminators: what tells the slices of a list apart, by value, pattern, type, existence or profile."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hip.adapters.fhir.validation.fixed_values import contains, same
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.rulebook import Rulebook
from hip.adapters.fhir.validation.session import Session

Matcher = Callable[[Any, Session], bool]

_STEP = re.compile(r"extension\('([^']+)'\)|ofType\(([A-Za-z]+)\)|resolve\(\)|\$this|[A-Za-z]\w*")


def matcher(rulebook: Rulebook, node: Node, type_name: str, kind: str, path: str) -> Matcher:
    """Whether an item has what the slice ``node`` asks for at ``path``."""
    steps = tuple(match[0] for match in _STEP.finditer(path) if match[0] != "$this")
    match kind:
        case "value" | "pattern":
            return _by_value(rulebook, node, type_name, steps)
        case "exists":
            return _by_existence(rulebook, node, type_name, steps)
        case "type":
            return _by_type(rulebook, node, type_name, steps)
        case "profile":
            return _by_profile(rulebook, node, type_name, steps)
        case _:
            # position and other kinds of later versions: an item that cannot be told apart belongs to no slice.
            return lambda _, __: False


def _by_value(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Matcher:
    wanted = tuple(expectations(rulebook, node, type_name, steps))
    if not wanted:
        return lambda item, session: next(_values(item, steps, session), None) is not None
    if len(steps) == 1 and len(wanted) == 1 and wanted[0][0] == "fixed" and isinstance(wanted[0][1], str):
        name, value = steps[0], wanted[0][1]
        if re.fullmatch(r"\w+", name):
            return lambda item, _: _one_of(item.get(name), value)

    def matches(item: Any, session: Session) -> bool:
        found = list(_values(item, steps, session))
        return any(_meets(value, how, what) for value in found for how, what in wanted)

    return matches


def _one_of(found: Any, value: str) -> bool:
    return bool(found == value) or (isinstance(found, list) and value in found)


def _meets(value: Any, how: str, what: Any) -> bool:
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
    for child, child_type, rest in _children(rulebook, node, type_name, steps):
        yield from expectations(rulebook, child, child_type, rest)
        # Slices below (extension by url, coding by system) may carry the value instead.
        for number in child.get("slices", {}).values():
            yield from expectations(rulebook, rulebook.node(number), child_type, rest)


def _children(
    rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]
) -> Iterator[tuple[Node, str, tuple[str, ...]]]:
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


def _values(item: Any, steps: tuple[str, ...], session: Session) -> Iterator[Any]:
    """The values at ``steps`` below an item, lists flattened."""
    if isinstance(item, list):
        for one in item:
            yield from _values(one, steps, session)
    elif not steps:
        yield item
    elif steps[0].startswith("ofType("):
        yield from _values(item, steps[1:], session)
    elif isinstance(item, dict):
        for value in _step(item, steps[0], session):
            yield from _values(value, steps[1:], session)


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


def _at(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Node | None:
    """The definition at the end of ``steps``."""
    if not steps or steps[0] == "resolve()":
        return node
    for child, child_type, rest in _children(rulebook, node, type_name, steps):
        return _at(rulebook, child, child_type, rest)
    return None


def _by_existence(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Matcher:
    defined = _at(rulebook, node, type_name, steps)
    wanted = defined is None or defined["max"] != 0
    return lambda item, session: (next(_values(item, steps, session), None) is not None) is wanted


def _by_type(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Matcher:
    defined = _at(rulebook, node, type_name, steps)
    names = {entry[0] for entry in (defined or {}).get("types", ())}
    if steps and steps[-1] == "resolve()":
        names = {
            rulebook.guide.profiles[url].type
            for entry in (defined or {}).get("types", ())
            for url in (entry[2] if len(entry) > 2 else ())
            if url in rulebook.guide.profiles
        }

    def matches(item: Any, session: Session) -> bool:
        for value in _values(item, steps, session):
            if isinstance(value, dict) and "resourceType" in value:
                return value["resourceType"] in names
            return not isinstance(value, dict) or any(not rulebook.is_primitive(name) for name in names)
        return False

    return matches


def _by_profile(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Matcher:
    defined = _at(rulebook, node, type_name, steps)
    entries = (defined or {}).get("types", ())
    through = bool(steps) and steps[-1] == "resolve()"
    urls = [url for entry in entries for url in (entry[2:3] if through else entry[1:2])]
    wanted = [url for listed in urls for url in listed if url in rulebook.guide.profiles]

    def matches(item: Any, session: Session) -> bool:
        for value in _values(item, steps, session):
            for url in wanted:
                if rulebook.guide.profiles[url].type != value.get("resourceType", rulebook.guide.profiles[url].type):
                    continue
                if not session.errors_under(value, url, rulebook.profile_check(url)):
                    return True
        return False

    return matches
