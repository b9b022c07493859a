"""Write a guide in its compiled form: gzipped JSON, facts only, the same bytes for the same sources."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hip.adapters.fhir.validation.compiling.snapshots import Forest
from hip.adapters.fhir.validation.compiling.sources import Source
from hip.adapters.fhir.validation.compiling.terminology import BY_RULE, Terminology
from hip.domain.errors import InvalidValue

FORMAT = "hip-guide/1"

# Extensible value sets only lead to warnings; beyond this size a list costs more than it tells.
_MOST_EXTENSIBLE_CODES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledGuide:
    """``content`` is what the file holds; ``skipped`` are profiles published without a snapshot, hence not checked."""

    content: bytes = field(repr=False)
    profiles: int
    rules: int
    skipped: tuple[str, ...]


def compile_guide(sources: Sequence[Source]) -> CompiledGuide:
    """The compiled form of ``sources``: base first, then the guide, then supplements, which may add mustSupport marks.

    Raises InvalidValue when the base types are missing.
    """
    definitions, supported = _definitions(sources)
    forest = Forest()
    profiles: dict[str, Any] = {}
    skipped: list[str] = []
    for url in sorted(definitions):
        definition = definitions[url]
        if definition.get("kind") == "logical":
            continue
        if "snapshot" not in definition:
            skipped.append(url)
            continue
        profiles[url] = {
            "type": definition["type"],
            "kind": definition["kind"],
            "abstract": int(definition.get("abstract", False)),
            "root": forest.plant(definition, supported.get(url, frozenset())),
            **({"base": definition["baseDefinition"]} if definition.get("derivation") == "constraint" else {}),
        }
    if "http://hl7.org/fhir/StructureDefinition/Bundle" not in profiles:
        raise InvalidValue("base", "the definitions of base R4 (the package hl7.fhir.r4.core)")
    terminology = Terminology(resource for source in sources for resource in source.resources)
    content = {
        "format": FORMAT,
        "packages": [[source.name, source.version] for source in sources],
        "profiles": profiles,
        "nodes": forest.nodes,
        "invariants": forest.invariants,
        "valueSets": _value_sets(forest.bindings, terminology),
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return CompiledGuide(
        content=gzip.compress(text.encode(), compresslevel=9, mtime=0),
        profiles=len(profiles),
        rules=len(forest.nodes),
        skipped=tuple(skipped),
    )


def _definitions(sources: Iterable[Source]) -> tuple[dict[str, Mapping[str, Any]], dict[str, frozenset[str]]]:
    definitions: dict[str, Mapping[str, Any]] = {}
    supported: dict[str, frozenset[str]] = {}
    for source in sources:
        for resource in source.resources:
            if resource["resourceType"] != "StructureDefinition":
                continue
            url = resource["url"]
            if "snapshot" in resource or url not in definitions:
                definitions[url] = resource
            else:
                marks = (e["id"] for e in resource["differential"]["element"] if e.get("mustSupport"))
                supported[url] = frozenset(marks)
    return definitions, supported


def _value_sets(bindings: Mapping[str, str], terminology: Terminology) -> dict[str, Any]:
    """Per bound value set: ``{system: [codes]}``, the name of a rule, or null when it cannot be listed offline."""
    value_sets: dict[str, Any] = {}
    for url in sorted(bindings):
        if url in BY_RULE:
            value_sets[url] = BY_RULE[url]
            continue
        codes = terminology.expand(url)
        if codes is not None and bindings[url] == "extensible":
            codes = codes if sum(map(len, codes.values())) <= _MOST_EXTENSIBLE_CODES else None
        value_sets[url] = None if codes is None else {system: sorted(codes[system]) for system in sorted(codes)}
    return value_sets
