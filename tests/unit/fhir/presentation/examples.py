"""Every document of the example visits, and what could be taken out of one so that apps have nothing to show."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.builders.visits import CLINIC

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.hi_types import HiType

Tree = dict[str, Any]
VISITS = sorted((Path(__file__).parents[4] / "examples" / "visits").glob("*.json"))


def documents() -> dict[str, Tree]:
    """By file and HI type."""
    made: dict[str, Tree] = {}
    for file in VISITS:
        visit = VisitRecordReader().read(file.read_bytes())
        for hi_type in visit.required_hi_types:
            content = FhirComposer().compose(visit, hi_type, facility=CLINIC)
            made[f"{file.stem} {hi_type}"] = json.loads(content)
    return made


def document(file: str, hi_type: HiType) -> Tree:
    """A document of its own, to be changed at will."""
    [found] = [tree for name, tree in documents().items() if name.startswith(file) and name.endswith(f" {hi_type}")]
    return found


def resource(bundle: Tree, kind: str, number: int = 0) -> Tree:
    """The so-many-th resource of a kind."""
    found = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]
    return found[number]


def muted(bundle: Tree) -> Iterator[Tree]:
    """The document once for each concept, name, attachment and observation, with the words of that one taken out."""
    for number, _ in enumerate(_spoken(bundle)):
        changed = copy.deepcopy(bundle)
        part, words = list(_spoken(changed))[number]
        for word in words:
            part.pop(word, None)
        for coding in part.get("coding", ()):
            coding.pop("display", None)
        if not part:  # an empty object is an error, not a gap
            part["use"] = "usual"
        yield changed


def _spoken(value: Any) -> Iterator[tuple[Tree, tuple[str, ...]]]:
    if isinstance(value, list):
        for one in value:
            yield from _spoken(one)
    elif isinstance(value, dict):
        if "coding" in value:
            yield value, ("text",)
        elif "contentType" in value and "resourceType" not in value:
            yield value, ("data", "url")
        elif value.get("resourceType") == "Observation":
            yield value, tuple(name for name in value if name.startswith("value") or name in {"component", "hasMember"})
        for name, one in value.items():
            if name == "name" and isinstance(one, list):
                for each in one:
                    yield each, ("text", "family", "given")
            yield from _spoken(one)
