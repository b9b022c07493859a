"""Discriminators: what tells the slices of a list apart, by value, pattern, type, existence or profile."""

import re
from collections.abc import Callable
from typing import Any

from hip.adapters.fhir.validation.expectations import expectations, meets, steps_into, values_at
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
        return lambda item, session: next(values_at(item, steps, session), None) is not None
    if len(steps) == 1 and len(wanted) == 1 and wanted[0][0] == "fixed" and isinstance(wanted[0][1], str):
        name, value = steps[0], wanted[0][1]
        if re.fullmatch(r"\w+", name):
            return lambda item, _: _one_of(item.get(name), value)

    def matches(item: Any, session: Session) -> bool:
        found = list(values_at(item, steps, session))
        return any(meets(value, how, what) for value in found for how, what in wanted)

    return matches


def _one_of(found: Any, value: str) -> bool:
    return bool(found == value) or (isinstance(found, list) and value in found)


def _at(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Node | None:
    """The definition at the end of ``steps``."""
    if not steps or steps[0] == "resolve()":
        return node
    for child, child_type, rest in steps_into(rulebook, node, type_name, steps):
        return _at(rulebook, child, child_type, rest)
    return None


def _by_existence(rulebook: Rulebook, node: Node, type_name: str, steps: tuple[str, ...]) -> Matcher:
    defined = _at(rulebook, node, type_name, steps)
    wanted = defined is None or defined["max"] != 0
    return lambda item, session: (next(values_at(item, steps, session), None) is not None) is wanted


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
        for value in values_at(item, steps, session):
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
        for value in values_at(item, steps, session):
            for url in wanted:
                if rulebook.guide.profiles[url].type != value.get("resourceType", rulebook.guide.profiles[url].type):
                    continue
                if not session.errors_under(value, url, rulebook.profile_check(url)):
                    return True
        return False

    return matches
