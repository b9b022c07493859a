"""Turn StructureDefinition snapshots into trees of rules, equal sub-trees stored once."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

# What a validator needs of a constraint; its wording is ours, see invariants.py.
_SYSTEM = "http://hl7.org/fhirpath/System."
_FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
_BASE = "http://hl7.org/fhir/StructureDefinition/"
# ele-1 is how JSON is read (no empty object, no empty value), so it is not repeated on each element.
_BY_READING = frozenset({"ele-1"})

Node = dict[str, Any]


class Forest:
    """The nodes of every profile. A node is referred to by its number; equal nodes have the same number."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.invariants: list[list[str]] = []
        self.bindings: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._invariant_numbers: dict[str, int] = {}

    def plant(self, definition: Mapping[str, Any], supported: frozenset[str]) -> int:
        """The number of the definition's root. ``supported`` are element ids marked mustSupport elsewhere."""
        growing: dict[str, _Growth] = {}
        root: _Growth | None = None
        for element in definition["snapshot"]["element"]:
            growth = _Growth(element, mark=element["id"] in supported)
            growing[element["id"]] = growth
            parent, _, last = element["id"].rpartition(".")
            name, _, slice_name = last.partition(":")
            if root is None:
                root = growth
            elif slice_name and f"{parent}.{name}" in growing:
                growing[f"{parent}.{name}"].slices[slice_name] = growth
            else:
                growing[parent].children[name] = growth
        if root is None:
            raise ValueError(definition.get("url"))
        return self._number(root)

    def graft(self, nodes: Sequence[Node], invariants: Sequence[Sequence[str]], number: int) -> int:
        """The number here of a node of another, already compiled guide, with everything below it."""
        node = dict(nodes[number])
        if "holds" in node:
            node["holds"] = [self._numbered(list(invariants[one])) for one in node["holds"]]
        for below in ("children", "slices"):
            if below in node:
                node[below] = {name: self.graft(nodes, invariants, one) for name, one in node[below].items()}
        if "binding" in node:
            self._bound(*node["binding"])
        return self._kept(node)

    def _number(self, growth: "_Growth") -> int:
        node = self._facts(growth.element, mark=growth.mark)
        if growth.children:
            node["children"] = {name: self._number(child) for name, child in growth.children.items()}
        if growth.slices:
            node["slices"] = {name: self._number(child) for name, child in growth.slices.items()}
        return self._kept(node)

    def _kept(self, node: Node) -> int:
        # The order of children is the order of the document, so it is part of what a node is.
        key = json.dumps(node, sort_keys=True) + "|" + ",".join(node.get("children", ()))
        number = self._numbers.setdefault(key, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
        return number

    def _facts(self, element: Mapping[str, Any], *, mark: bool) -> Node:
        node: Node = {"min": element["min"], "max": _count(element["max"])}
        if _count(element.get("base", {}).get("max", element["max"])) != 1:
            node["many"] = 1
        types = [_type(entry, element) for entry in element.get("type", ())]
        if types:
            node["types"] = types
        if "contentReference" in element:
            url, _, path = element["contentReference"].rpartition("#")
            node["same"] = [url or _BASE + path.partition(".")[0], path]
        slicing = element.get("slicing")
        if slicing and slicing.get("discriminator"):
            node["slicing"] = {
                "by": [[entry["type"], entry["path"]] for entry in slicing["discriminator"]],
                "rules": slicing["rules"],
                **({"ordered": 1} if slicing.get("ordered") else {}),
            }
        self._values(element, node)
        if mark or element.get("mustSupport"):
            node["support"] = 1
        numbers = [self._invariant(entry) for entry in element.get("constraint", ()) if entry["key"] not in _BY_READING]
        if numbers:
            node["holds"] = numbers
        return node

    def _values(self, element: Mapping[str, Any], node: Node) -> None:
        for key, value in element.items():
            if key.startswith("fixed"):
                node["fixed"] = value
            elif key.startswith("pattern"):
                node["pattern"] = value
            elif key.startswith("minValue"):
                node["least"] = value
            elif key.startswith("maxValue"):
                node["most"] = value
            elif key == "maxLength":
                node["length"] = value
        binding = element.get("binding", {})
        if binding.get("strength") in {"required", "extensible"} and "valueSet" in binding:
            url = binding["valueSet"].partition("|")[0]
            node["binding"] = [binding["strength"], url]
            self._bound(binding["strength"], url)

    def _bound(self, strength: str, url: str) -> None:
        if self.bindings.get(url) != "required":
            self.bindings[url] = strength

    def _invariant(self, entry: Mapping[str, Any]) -> int:
        return self._numbered([entry["key"], entry["severity"], entry.get("expression", "")])

    def _numbered(self, facts: list[str]) -> int:
        number = self._invariant_numbers.setdefault(json.dumps(facts), len(self.invariants))
        if number == len(self.invariants):
            self.invariants.append(facts)
        return number


class _Growth:
    """One element while its children are still being met."""

    __slots__ = ("children", "element", "mark", "slices")

    def __init__(self, element: Mapping[str, Any], *, mark: bool) -> None:
        self.element = element
        self.mark = mark
        self.children: dict[str, _Growth] = {}
        self.slices: dict[str, _Growth] = {}


def _count(text: str) -> int:
    """Max as a number; -1 stands for any number."""
    return -1 if text == "*" else int(text)


def _type(entry: Mapping[str, Any], element: Mapping[str, Any]) -> list[Any]:
    """``[code]``, ``[code, profiles]`` or ``[code, profiles, target profiles]``."""
    code = entry["code"]
    if code.startswith(_SYSTEM):
        # Resource.id is published as a string, its own text and the id type say otherwise.
        named = [e["valueUrl"] for e in entry.get("extension", ()) if e.get("url") == _FHIR_TYPE]
        code = named[0] if named else "string"
        if element.get("base", {}).get("path") == "Resource.id":
            code = "id"
    profiles = sorted(url.partition("|")[0] for url in entry.get("profile", ()))
    targets = sorted(url.partition("|")[0] for url in entry.get("targetProfile", ()))
    if targets:
        return [code, profiles, targets]
    return [code, profiles] if profiles else [code]
