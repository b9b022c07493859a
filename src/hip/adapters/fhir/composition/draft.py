"""A bundle being written: stable ids, references, and the entries in the order they were added."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from hip.adapters.fhir.composition.codes import ICD10, LOINC, SNOMED, Code
from hip.adapters.fhir.composition.layouts import PROFILES, Heading
from hip.adapters.fhir.composition.narrative import narrative
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.recorded import Concept
from hip.domain.visits import VisitRecord

_ATTRIBUTES = {SNOMED: "snomed", ICD10: "icd10", LOINC: "loinc"}

Resource = dict[str, Any]
Reference = dict[str, str]


class Part(NamedTuple):
    """One line of a section, and the reference to what it tells of; several lines may tell of one resource, and then
    only the first refers to it."""

    reference: Reference
    words: str


@dataclass(slots=True, kw_only=True)
class Draft:
    """What all builders of one bundle share. ``root`` is the URL identifiers of this facility are made under."""

    record: VisitRecord
    facility: Facility
    hi_type: HiType
    root: str
    entries: list[Resource] = field(default_factory=list)
    sections: list[Resource] = field(default_factory=list)
    patient: Reference = field(default_factory=dict)
    practitioner: Reference = field(default_factory=dict)
    organization: Reference = field(default_factory=dict)
    encounter: Reference = field(default_factory=dict)
    _namespace: UUID = field(init=False)
    _types: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._namespace = uuid5(NAMESPACE_URL, f"{self.root}/{self.record.hip_id}/visits/{self.record.visit_code}")

    def uuid(self, kind: str, index: int = 0) -> str:
        """The id of a thing of this visit: UUIDv5 of HIP, visit, kind and index, so it never changes."""
        return str(uuid5(self._namespace, f"{kind}/{index}"))

    def add(self, resource: Resource, kind: str, index: int = 0, *, profile: str, display: str = "") -> Reference:
        """Put ``resource`` (its ``resourceType`` first) in the bundle; the reference to it, as ``urn:uuid``."""
        identity = self.uuid(f"{resource['resourceType']}/{kind}", index)
        named: Resource = {
            "resourceType": resource.pop("resourceType"),
            "id": identity,
            "meta": {"profile": [PROFILES + profile]},
        }
        named.update(resource)
        full_url = f"urn:uuid:{identity}"
        self._types[full_url] = named["resourceType"]
        self.entries.append({"fullUrl": full_url, "resource": named})
        return {"reference": full_url, "display": display} if display else {"reference": full_url}

    @property
    def moment(self) -> datetime:
        """When the document is dated: the end of the visit, or its start while it has none."""
        return self.record.end or self.record.start

    def system(self, kind: str) -> str:
        """The identifier system of this facility's numbers of a kind ("patients", "visits")."""
        return f"{self.root}/{self.record.hip_id}/{kind}"

    def section(self, heading: Heading, parts: list[Part], *, typed: bool = False, text: str | None = None) -> None:
        """Add a section with its narrative; nothing when it would be empty.

        ``typed`` writes ``type`` into each entry, for the profiles that slice entries by it.
        """
        if not parts and text is None:
            return
        made: Resource = {"title": heading.title}
        if heading.code is not None:
            made["code"] = heading.code.concept()
        made["text"] = narrative((text,) if text else (), [part.words for part in parts])
        references = [part.reference for part in parts if part.reference]
        if references:
            made["entry"] = [self._typed(each) for each in references] if typed else references
        self.sections.append(made)

    def _typed(self, reference: Reference) -> Reference:
        return {**reference, "type": self._types[reference["reference"]]}


def codeable(concept: Concept, *systems: str) -> dict[str, Any]:
    """A CodeableConcept of the concept's codes in the allowed ``systems``, in their order, with its text.

    The display is the code's own term when the source gave one, else the text.
    """
    text = concept.text.strip()
    made: dict[str, Any] = {}
    codings = []
    for system in systems:
        name = _ATTRIBUTES[system]
        code = getattr(concept, name)
        if code is not None:
            term = getattr(concept, f"{name}_term")
            codings.append(Code(system, code, (term or text).strip()).coding())
    if codings:
        made["coding"] = codings
    made["text"] = text
    return made
