"""Expand value sets offline: the codes of a binding, or nothing when only a terminology server could tell."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Codes = dict[str, set[str]]

# No code system file holds these; the validator checks them by rule (RFC 6838, ISO 4217).
BY_RULE = {
    "http://hl7.org/fhir/ValueSet/mimetypes": "mime-type",
    "http://hl7.org/fhir/ValueSet/currencies": "currency",
}


class Terminology:
    """Value sets and code systems of several packages; a later package replaces the same URL of an earlier one."""

    def __init__(self, resources: Iterable[Mapping[str, Any]]) -> None:
        self._value_sets: dict[str, Mapping[str, Any]] = {}
        self._code_systems: dict[str, Mapping[str, Any]] = {}
        for resource in resources:
            kept = {"ValueSet": self._value_sets, "CodeSystem": self._code_systems}.get(resource["resourceType"])
            if kept is not None:
                kept[resource["url"]] = resource

    def expand(self, url: str) -> Codes | None:
        """System -> codes, or None when some part cannot be listed offline."""
        return self._expand(url, frozenset())

    def _expand(self, url: str, above: frozenset[str]) -> Codes | None:
        value_set = self._value_sets.get(url)
        if value_set is None or url in above:
            return None
        compose = value_set.get("compose")
        if compose is None:
            return _contained(value_set)
        codes: Codes = {}
        for part in compose.get("include", ()):
            included = self._part(part, above | {url})
            if included is None:
                return None
            for system, found in included.items():
                codes.setdefault(system, set()).update(found)
        for part in compose.get("exclude", ()):
            excluded = self._part(part, above | {url})
            if excluded is None:
                return None
            for system, found in excluded.items():
                codes.get(system, set()).difference_update(found)
        return {system: found for system, found in codes.items() if found} or None

    def _part(self, part: Mapping[str, Any], above: frozenset[str]) -> Codes | None:
        results: list[Codes] = []
        if "system" in part:
            own = self._of_system(part)
            if own is None:
                return None
            results.append({part["system"]: own})
        for url in part.get("valueSet", ()):
            inner = self._expand(url.partition("|")[0], above)
            if inner is None:
                return None
            results.append(inner)
        if not results:
            return None
        first, *others = results
        return {
            system: codes.intersection(*(other.get(system, set()) for other in others))
            for system, codes in first.items()
        }

    def _of_system(self, part: Mapping[str, Any]) -> set[str] | None:
        if "concept" in part:
            return {concept["code"] for concept in part["concept"]}
        system = self._code_systems.get(part["system"])
        if system is None or system.get("content") != "complete":
            return None
        codes = {concept["code"] for concept in _walk(system.get("concept", ()))}
        for rule in part.get("filter", ()):
            chosen = _filtered(system, rule)
            if chosen is None:
                return None
            codes &= chosen
        return codes


def _contained(value_set: Mapping[str, Any]) -> Codes | None:
    """The codes of a stored expansion, for value sets published without a definition."""
    codes: Codes = {}
    for concept in _walk(value_set.get("expansion", {}).get("contains", ()), "contains"):
        if "code" in concept and "system" in concept:
            codes.setdefault(concept["system"], set()).add(concept["code"])
    return codes or None


def _walk(concepts: Iterable[Mapping[str, Any]], below: str = "concept") -> Iterator[Mapping[str, Any]]:
    for concept in concepts:
        yield concept
        yield from _walk(concept.get(below, ()), below)


def _filtered(system: Mapping[str, Any], rule: Mapping[str, Any]) -> set[str] | None:
    """Codes chosen by a hierarchy filter; None for filters on properties, which a server would have to answer."""
    if rule.get("property") != "concept" or rule.get("op") not in {"is-a", "descendent-of", "is-not-a"}:
        return None
    parents = {
        child: concept["code"]
        for concept in _walk(system.get("concept", ()))
        for child in (inner["code"] for inner in concept.get("concept", ()))
    }
    top = rule.get("value")
    below: set[str] = set()
    for concept in _walk(system.get("concept", ())):
        climbed = {"parent": [p["valueCode"] for p in concept.get("property", ()) if p.get("code") == "subsumedBy"]}
        code: str | None = concept["code"]
        while code is not None and code != top:
            code = parents.get(code)
        if code == top or top in climbed["parent"]:
            below.add(concept["code"])
    if rule["op"] == "is-a":
        return below
    if rule["op"] == "descendent-of":
        return below - {str(top)}
    return {concept["code"] for concept in _walk(system.get("concept", ()))} - below
