"""The resources of a document and what refers to them. Tolerant of any JSON."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Resource = Mapping[str, Any]


class Held(NamedTuple):
    """A resource of the bundle with its FHIRPath; ``number`` is its entry's."""

    resource: Resource
    path: str
    number: int


class Entries:
    """The resources of a bundle, by what references call them."""

    def __init__(self, bundle: Mapping[str, Any]) -> None:
        self.all: list[Held] = []
        self._by_name: dict[str, Held] = {}
        entries = bundle.get("entry")
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            resource = entry.get("resource") if isinstance(entry, Mapping) else None
            if not isinstance(resource, Mapping):
                continue
            held = Held(resource, f"Bundle.entry[{number}].resource", number)
            self.all.append(held)
            full_url = entry.get("fullUrl")
            if isinstance(full_url, str):
                self._by_name.setdefault(full_url, held)
            self._by_name.setdefault(f"{resource.get('resourceType')}/{resource.get('id')}", held)

    def target(self, reference: object) -> Held | None:
        """What a Reference points to: by fullUrl, or by type and id, with or without a version."""
        text = reference.get("reference") if isinstance(reference, Mapping) else None
        if not isinstance(text, str):
            return None
        plain = text.partition("/_history/")[0]
        return self._by_name.get(plain) or self._by_name.get("/".join(plain.rsplit("/", 2)[-2:]))
