"""Turns the numbered nodes of a guide into checks, each built when the first value needs it and then kept.

A check takes a value and the session and returns what is wrong below it, or None; a test does so for one member of an
object and is given that object too. Only what occurs in documents is
ever built: of the guide's three thousand nodes a consultation needs some hundred.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.findings import Finding
from hip.adapters.fhir.validation.guide import R4, Guide, Node, Profile
from hip.adapters.fhir.validation.invariants import Invariant, compiled_invariants
from hip.adapters.fhir.validation.session import Session

Check = Callable[[Any, Session], list[Finding] | None]
Test = Callable[[Any, Mapping[str, Any], Session], list[Finding] | None]


class Shape:
    """What an element of one type must look like: its own rules joined with those of its type and type profile.

    ``is_root`` marks the shape of a whole resource, extension or data type, which stands for itself.
    """

    __slots__ = ("children", "invariants", "is_root", "node", "profiles", "targets", "type")

    def __init__(
        self,
        *,
        node: Node,
        type_name: str,
        children: Mapping[str, int],
        invariants: tuple[Invariant, ...],
        profiles: tuple[str, ...] = (),
        targets: tuple[str, ...] = (),
        is_root: bool = False,
    ) -> None:
        self.node = node
        self.type = type_name
        self.children = children
        self.invariants = invariants
        self.profiles = profiles
        self.targets = targets
        self.is_root = is_root


class Rulebook:
    """The checks of one guide. Safe to share between threads: building twice gives the same check."""

    def __init__(self, guide: Guide, build: "Callable[[Rulebook, Shape], Check]") -> None:
        self.guide = guide
        self._build = build
        self._invariants = compiled_invariants(guide)
        self._checks: dict[tuple[int, str], Check] = {}
        self._profiles: dict[str, Check] = {}
        self._same: dict[tuple[str, str], Node] = {}

    def node(self, number: int) -> Node:
        return self.guide.nodes[number]

    def profile_check(self, url: str) -> Check:
        """The check of a whole resource or extension against one profile. KeyError when the guide has no such."""
        check = self._profiles.get(url)
        if check is None:
            profile = self.guide.profiles[url]
            node = self.guide.nodes[profile.root]
            children = node.get("children", {})
            shape = Shape(
                node=node,
                type_name=profile.type,
                children=children,
                invariants=self._holding(node.get("holds", ())),
                is_root=True,
            )
            check = self._profiles[url] = self._build(self, shape)
        return check

    def check(self, number: int, type_name: str) -> Check:
        """The check of an element that is an object: node ``number`` written with type ``type_name``."""
        key = (number, type_name)
        check = self._checks.get(key)
        if check is None:
            check = self._checks[key] = self._build(self, self.shape(self.node(number), type_name))
        return check

    def shape(self, node: Node, type_name: str) -> Shape:
        own = self._resolved(node)
        profiles, targets = _of_type(node, type_name)
        children: Mapping[str, int] = own.get("children", {})
        numbers = list(own.get("holds", ()))
        definitions = [self.guide.profiles[url] for url in profiles if url in self.guide.profiles]
        if len(definitions) != 1:
            definitions = [profile for profile in (self.guide.of_type(type_name),) if profile is not None]
        for definition in definitions:
            root = self.guide.nodes[definition.root]
            children = children or root.get("children", {})
            numbers.extend(root.get("holds", ()))
        return Shape(
            node=node,
            type_name=type_name,
            children=children,
            invariants=self._holding(numbers),
            profiles=profiles,
            targets=targets,
        )

    def children_of(self, node: Node, type_name: str) -> Mapping[str, int]:
        return self.shape(node, type_name).children

    def _resolved(self, node: Node) -> Node:
        """The node itself, or the one it says it is the same as (a section within a section)."""
        same = node.get("same")
        if same is None:
            return node
        key = (str(same[0]), str(same[1]))
        found = self._same.get(key)
        if found is None:
            found = self.guide.nodes[self.guide.profiles[same[0]].root]
            for name in same[1].split(".")[1:]:
                found = self.guide.nodes[self._resolved(found)["children"][name]]
            self._same[key] = found
        return found

    def types_of(self, node: Node) -> tuple[str, ...]:
        """The type names an element may be written with."""
        return tuple(dict.fromkeys(entry[0] for entry in self._resolved(node).get("types", ())))

    def _holding(self, numbers: Any) -> tuple[Invariant, ...]:
        unique = dict.fromkeys(numbers)
        return tuple(self._invariants[number] for number in unique)

    def is_primitive(self, type_name: str) -> bool:
        return self.guide.is_primitive(type_name)

    def definition(self, type_name: str) -> Profile | None:
        return self.guide.profiles.get(R4 + type_name)


def _of_type(node: Node, type_name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The type profiles and the target profiles the node names for a type."""
    profiles: dict[str, None] = {}
    targets: dict[str, None] = {}
    for entry in node.get("types", ()):
        if entry[0] == type_name:
            profiles.update(dict.fromkeys(entry[1] if len(entry) > 1 else ()))
            targets.update(dict.fromkeys(entry[2] if len(entry) > 2 else ()))
    return tuple(profiles), tuple(targets)
