"""Which rule of the definitions applies to which value of a bundle, found by a walk of its own.

It shares no code with the validator but the compiled guide, so that a rule the validator forgets is not forgotten here.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hip.adapters.fhir.validation.guide import R4, Guide, Node
from hip.adapters.fhir.validation.validator import NrcesValidator, document_profile

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """``holder[name]`` is the value; ``node`` its rule in ``profile``; ``rule`` names the rule, whatever the value.

    ``loose`` marks what tells the slices of an open slicing apart: without it the slice's rules no longer apply.
    """

    holder: Tree
    name: str
    node: Node
    profile: str
    rule: str
    path: str
    loose: bool


@contextmanager
def changed(holder: Tree, name: str, value: Any) -> Iterator[None]:
    """Another value for the time being; the order of the members stays."""
    before = holder[name]
    holder[name] = value
    try:
        yield
    finally:
        holder[name] = before


@contextmanager
def removed(holder: Tree, name: str) -> Iterator[None]:
    """Without a member for the time being."""
    before = dict(holder)
    del holder[name]
    try:
        yield
    finally:
        holder.clear()
        holder.update(before)


def first_of_each_rule(validator: NrcesValidator, bases: Mapping[str, Tree]) -> list[tuple[Tree, Placement]]:
    """One value for every rule that some bundle exercises, with the smallest bundle it stands in."""
    found: dict[tuple[str, str], tuple[Tree, Placement]] = {}
    for bundle in sorted(bases.values(), key=lambda one: len(json.dumps(one))):
        for one in placements(validator.guide, bundle, document_profile(validator.guide)):
            found.setdefault((one.profile, one.rule), (bundle, one))
    return list(found.values())


def placements(guide: Guide, bundle: Tree, document: str) -> Iterator[Placement]:
    """Every member of every object of the bundle that a profile of the guide has a rule for."""
    yield from _walk(guide, bundle, guide.profiles[document].root, document, "Bundle", "Bundle", ())
    for number, entry in enumerate(bundle["entry"]):
        resource = entry["resource"]
        claimed = [url for url in resource.get("meta", {}).get("profile", ()) if url in guide.profiles]
        for url in claimed or [R4 + resource["resourceType"]]:
            name = resource["resourceType"]
            root = guide.profiles[url].root
            yield from _walk(guide, resource, root, url, name, f"Bundle.entry[{number}].resource", ())


def _walk(
    guide: Guide, value: Tree, number: int, profile: str, rule: str, path: str, keys: tuple[tuple[str, ...], ...]
) -> Iterator[Placement]:
    """``keys`` are the paths, from here, of what tells open slices apart."""
    node = guide.nodes[number]
    for name, child_number in _children(guide, node).items():
        child = guide.nodes[child_number]
        member, type_name = _member(value, name, child)
        if member is None:
            continue
        below = tuple(key[1:] for key in keys if key[0] == name)
        yield Placement(
            holder=value,
            name=member,
            node=child,
            profile=profile,
            rule=f"{rule}.{name}",
            path=f"{path}.{member}",
            loose=bool(below),
        )
        if type_name == "Resource":
            continue
        items = value[member] if isinstance(value[member], list) else [value[member]]
        for position, item in enumerate(items):
            if not isinstance(item, dict):
                continue
            at = f"{path}.{member}[{position}]" if isinstance(value[member], list) else f"{path}.{member}"
            chosen, label, more = _slice(guide, child, child_number, item)
            inner = (*(key for key in below if key), *more)
            yield from _walk(guide, item, chosen, profile, f"{rule}.{name}{label}", at, inner)


def _children(guide: Guide, node: Node) -> Mapping[str, int]:
    if "children" in node:
        children: Mapping[str, int] = node["children"]
        return children
    types = node.get("types", ())
    if len(types) != 1:
        return {}
    profiles = types[0][1] if len(types[0]) > 1 else []
    url = profiles[0] if len(profiles) == 1 else R4 + types[0][0]
    definition = guide.profiles.get(url)
    if definition is None or definition.kind == "primitive-type":
        return {}
    found: Mapping[str, int] = guide.nodes[definition.root].get("children", {})
    return found


def _member(value: Tree, name: str, child: Node) -> tuple[str | None, str]:
    types = [entry[0] for entry in child.get("types", ())]
    if not name.endswith("[x]"):
        return (name if name in value else None), (types[0] if types else "")
    for type_name in types:
        written = name[:-3] + type_name[0].upper() + type_name[1:]
        if written in value and len(types) == 1:
            return written, type_name
    return None, ""


def _slice(guide: Guide, node: Node, number: int, item: Tree) -> tuple[int, str, tuple[tuple[str, ...], ...]]:
    """The slice an item falls into by value, and the paths that decided it when the slicing is open."""
    slicing = node.get("slicing")
    if slicing is None or "slices" not in node:
        return number, "", ()
    paths = [tuple(path.split(".")) for kind, path in slicing["by"] if kind in {"value", "pattern"}]
    for name, at in node["slices"].items():
        if all(_fixed(guide, at, path) & set(_texts(item, path)) for path in paths):
            return at, f":{name}", (() if slicing["rules"] == "closed" else tuple(paths))
    return number, "", ()


def _fixed(guide: Guide, number: int, path: tuple[str, ...]) -> set[str]:
    node = guide.nodes[number]
    if not path:
        return {node["fixed"]} if isinstance(node.get("fixed"), str) else set()
    child = _children(guide, node).get(path[0])
    return set() if child is None else _fixed(guide, child, path[1:])


def _texts(item: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(item, list):
        for one in item:
            yield from _texts(one, path)
    elif not path:
        if isinstance(item, str):
            yield item
    elif isinstance(item, dict) and path[0] in item:
        yield from _texts(item[path[0]], path[1:])
