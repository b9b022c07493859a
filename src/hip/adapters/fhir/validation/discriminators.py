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


Chooser = Callable[[Any, Session], int]


def chooser(rulebook: Rulebook, node: Node, type_name: str) -> Chooser:
    """The number of the slice an item of ``node`` falls into, -1 for none."""
    by = node["slicing"]["by"]
    slices = [rulebook.node(number) for number in node["slices"].values()]
    numbers = _by_text(rulebook, slices, type_name, by)
    if numbers is not None:
        return numbers
    matchers = [tuple(matcher(rulebook, one, type_name, kind, path) for kind, path in by) for one in slices]

    def choose(item: Any, session: Session) -> int:
        for number, needed in enumerate(matchers):
            if all(one(item, session) for one in needed):
                return number
        return -1

    return choose


def _by_text(rulebook: Rulebook, slices: list[Node], type_name: str, by: list[list[str]]) -> Chooser | None:
    """When one path with a fixed text each tells the slices apart, a look-up replaces trying them in turn."""
    if len(by) != 1 or by[0][0] not in {"value", "pattern"}:
        return None
    steps = _steps(by[0][1])
    numbers: dict[str, int] = {}
    for number, one in enumerate(slices):
        wanted = tuple(expectations(rulebook, one, type_name, steps))
        if len(wanted) != 1 or not isinstance(wanted[0][1], str):
            return None
        numbers.setdefault(wanted[0][1], number)

    def choose(item: Any, session: Session) -> int:
        found = (numbers.get(value, -1) for value in values_at(item, steps, session) if isinstance(value, str))
        # Slices are tried in their order, so an item with the marks of two falls into the first.
        return min((number for number in found if number >= 0), default=-1)

    return choose


def _steps(path: str) -> tuple[str, ...]:
    return tuple(match[0] for match in _STEP.finditer(path) if match[0] != "$this")


def matcher(rulebook: Rulebook, node: Node, type_name: str, kind: str, path: str) -> Matcher:
    """Whether an item has what the slice ``node`` asks for at ``path``."""
    steps = _steps(path)
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

    def matches(item: Any, session: Session) -> bool:
        found = list(values_at(item, steps, session))
        return any(meets(value, how, what) for value in found for how, what in wanted)

    return matches


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
