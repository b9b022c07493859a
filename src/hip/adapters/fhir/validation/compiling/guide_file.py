"""Write a guide in its compiled form: gzipped JSON, facts only, the same bytes for the same sources."""

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hip.adapters.fhir.validation.compiling.snapshots import Forest
from hip.adapters.fhir.validation.compiling.sources import Source
from hip.adapters.fhir.validation.compiling.terminology import BY_RULE, Terminology
from hip.adapters.fhir.validation.fhirpath.evaluation import is_readable
from hip.domain.errors import InvalidValue

_R4 = "http://hl7.org/fhir/StructureDefinition/"
FORMAT = "hip-guide/1"

# htmlChecks() is no FHIRPath; these two are checked by the reader of narratives.
_BY_HAND = frozenset({"txt-1", "txt-2"})

# Extensible value sets only lead to warnings; beyond this size a list costs more than it tells.
_MOST_EXTENSIBLE_CODES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledGuide:
    """``content`` is what the file holds.

    ``skipped`` are profiles published without a snapshot, hence not checked; ``unread`` are keys of invariants whose
    expressions cannot be evaluated: documents get a warning where one would apply.
    """

    content: bytes = field(repr=False)
    profiles: int
    rules: int
    skipped: tuple[str, ...]
    unread: tuple[str, ...]


def compile_guide(sources: Sequence[Source], *, base: Path | None = None) -> CompiledGuide:
    """The compiled form of ``sources``: base first, then the guide, then supplements, which may add mustSupport marks.

    ``base`` is a guide already compiled, whose base R4 part stands in for the core package; value sets of the new
    guide that draw on code systems of the core package are then left to a terminology server. Raises InvalidValue when
    the base types are missing.
    """
    forest = Forest()
    profiles: dict[str, Any] = {}
    packages: list[list[str]] = []
    value_sets: dict[str, Any] = {}
    if base is not None:
        packages, value_sets = _grafted(base, forest, profiles)
    skipped = _planted(sources, forest, profiles)
    if _R4 + "Bundle" not in profiles:
        raise InvalidValue("base", "the definitions of base R4 (the package hl7.fhir.r4.core)")
    terminology = Terminology(resource for source in sources for resource in source.resources)
    content = {
        "format": FORMAT,
        "packages": [*packages, *([source.name, source.version] for source in sources)],
        "profiles": profiles,
        "nodes": forest.nodes,
        "invariants": forest.invariants,
        "valueSets": _value_sets(forest.bindings, terminology, value_sets),
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return CompiledGuide(
        content=gzip.compress(text.encode(), compresslevel=9, mtime=0),
        profiles=len(profiles),
        rules=len(forest.nodes),
        skipped=skipped,
        unread=tuple(key for key, _, text in forest.invariants if key not in _BY_HAND and not is_readable(text)),
    )


def compiled_content(path: Path) -> Mapping[str, Any]:
    """What a compiled guide holds. Raises InvalidValue when the file is none of this format."""
    try:
        content: Mapping[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
        if content["format"] == FORMAT:
            return content
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
        raise InvalidValue(path.name, "a guide written by hip ig compile") from error
    raise InvalidValue(path.name, f"a guide compiled by this version ({FORMAT})")


def _grafted(base: Path, forest: Forest, profiles: dict[str, Any]) -> tuple[list[list[str]], dict[str, Any]]:
    content = compiled_content(base)
    for url in sorted(url for url in content["profiles"] if url.startswith(_R4)):
        facts = dict(content["profiles"][url])
        facts["root"] = forest.graft(content["nodes"], content["invariants"], facts["root"])
        profiles[url] = facts
    return [list(content["packages"][0])], dict(content["valueSets"])


def _planted(sources: Sequence[Source], forest: Forest, profiles: dict[str, Any]) -> tuple[str, ...]:
    definitions, supported = _definitions(sources)
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
    return tuple(skipped)


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


def _value_sets(bindings: Mapping[str, str], terminology: Terminology, known: Mapping[str, Any]) -> dict[str, Any]:
    """Per bound value set: ``{system: [codes]}``, the name of a rule, or null when it cannot be listed offline."""
    value_sets: dict[str, Any] = {}
    for url in sorted(bindings):
        if url in BY_RULE:
            value_sets[url] = BY_RULE[url]
            continue
        codes = terminology.expand(url)
        if codes is None and url in known:
            value_sets[url] = known[url]
            continue
        if codes is not None and bindings[url] == "extensible":
            codes = codes if sum(map(len, codes.values())) <= _MOST_EXTENSIBLE_CODES else None
        value_sets[url] = None if codes is None else {system: sorted(codes[system]) for system in sorted(codes)}
    return value_sets
