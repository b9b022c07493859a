"""Small documents and small guides, made without the corpus."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hip.adapters.fhir.validation.compiling.guide_file import compile_guide
from hip.adapters.fhir.validation.compiling.sources import read_source
from hip.adapters.fhir.validation.guide import SHIPPED
from hip.adapters.fhir.validation.validator import NrcesValidator

Tree = dict[str, Any]

HERE = "http://example.org/StructureDefinition/"


def url_of(number: int) -> str:
    """The fullUrl of entry ``number`` of a document."""
    return f"urn:uuid:{uuid.UUID(int=number + 1)}"


def document(*resources: Tree) -> Tree:
    """A valid document of base R4 whose Composition refers to every resource; entry 0 is the Composition."""
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"text": "Note"},
        "date": "2024-05-01",
        "title": "Note",
        "author": [{"display": "Ravi Rao"}],
        "section": [{"entry": [{"reference": url_of(number + 1)} for number in range(len(resources))]}],
    }
    if not resources:
        composition["section"] = [{"text": {"status": "generated", "div": NARRATIVE}}]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "meta": {"versionId": "1"},
        "identifier": {"system": "http://example.org", "value": "1"},
        "timestamp": "2024-05-01T10:00:00+05:30",
        "entry": [
            {"fullUrl": url_of(number), "resource": resource}
            for number, resource in enumerate((composition, *resources))
        ],
    }


NARRATIVE = '<div xmlns="http://www.w3.org/1999/xhtml">All is well</div>'


def element(path: str, low: int = 0, high: str = "1", *, many: bool = False, **rest: Any) -> Tree:
    """An element of a snapshot; ``path`` may name slices. ``many``: a list in JSON even if limited to one here."""
    plain = ".".join(part.partition(":")[0] for part in path.split("."))
    sliced = path.rpartition(".")[2].partition(":")[2]
    return {
        "id": path,
        "path": plain,
        "min": low,
        "max": high,
        "base": {"path": plain, "min": 0, "max": "*" if many or high == "*" else "1"},
        **({"sliceName": sliced} if sliced else {}),
        **rest,
    }


def typed(*codes: str, profile: Sequence[str] = (), target: Sequence[str] = ()) -> list[Tree]:
    """The type part of an element."""
    return [
        {
            "code": code,
            **({"profile": list(profile)} if profile else {}),
            **({"targetProfile": list(target)} if target else {}),
        }
        for code in codes
    ]


def profile(name: str, base: str, *elements: Tree, kind: str = "resource") -> Tree:
    """A profile with the members every resource has, and ``elements``."""
    shared = (
        element(base),
        *(
            element(f"{base}.{member}", type=typed(code))
            for member, code in (("id", "id"), ("meta", "Meta"), ("status", "code"))
            if kind == "resource"
        ),
    )
    return {
        "resourceType": "StructureDefinition",
        "url": HERE + name,
        "type": base,
        "kind": kind,
        "abstract": False,
        "derivation": "constraint",
        "baseDefinition": f"http://hl7.org/fhir/StructureDefinition/{base}",
        "snapshot": {"element": [*shared, *elements]},
    }


def validator_for(folder: Path, *definitions: Tree) -> NrcesValidator:
    """A validator of a guide made of base R4 and ``definitions``."""
    source = folder / "little-1.0.0.json"
    source.write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": one} for one in definitions]}))
    guide = folder / "little.guide"
    guide.write_bytes(compile_guide([read_source(source)], base=SHIPPED).content)
    return NrcesValidator(guide=guide)


def errors(validator: NrcesValidator, *resources: Tree) -> set[tuple[str, str]]:
    """The errors of a document with these resources, as (rule, path)."""
    return {(issue.rule, issue.path) for issue in validator.validate(document(*resources)).errors}
