"""One document under validation: where its resources are, what refers to what, and what was already decided."""

from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.fhirpath.surroundings import Surroundings
from hip.adapters.fhir.validation.findings import Finding

Resource = Mapping[str, Any]
Whereabouts = tuple[Resource, int, str, Surroundings]


class Session:
    """Built once per bundle. ``resource`` is the entry's resource being checked, ``entry`` its number."""

    __slots__ = (
        "_contained_in",
        "_entries",
        "by_url",
        "decided",
        "entry",
        "findings",
        "full_url",
        "links",
        "resource",
        "surroundings",
    )

    def __init__(self, bundle: Resource) -> None:
        self.by_url: dict[str, tuple[int, Resource]] = {}
        self._entries: dict[int, tuple[int, str]] = {}
        self._contained_in: dict[int, dict[str, Resource]] = {}
        entries = bundle.get("entry")
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(resource, dict):
                url = entry.get("fullUrl")
                url = url if isinstance(url, str) else ""
                self._entries[id(resource)] = (number, url)
                if url:
                    self.by_url.setdefault(url, (number, resource))
        self.resource = bundle
        self.surroundings = Surroundings(bundle, bundle, self.find)
        self.entry = -1
        self.full_url = ""
        self.links: set[tuple[int, int]] = set()
        # (id of a resource, profile) -> its errors; an empty list while the answer is still being worked out.
        self.decided: dict[tuple[int, str], list[Finding]] = {}
        self.findings: list[Finding] = []

    def enter(self, resource: Resource) -> Whereabouts:
        """Make an entry's resource the current one; contained resources stay within theirs. What to ``leave`` to."""
        before = (self.resource, self.entry, self.full_url, self.surroundings)
        place = self._entries.get(id(resource))
        if place is not None:
            self.resource = resource
            self.entry, self.full_url = place
        self.surroundings = Surroundings(resource, self.resource, self.find)
        return before

    def leave(self, before: Whereabouts) -> None:
        self.resource, self.entry, self.full_url, self.surroundings = before

    def find(self, reference: str) -> Resource | None:
        """The resource a reference points to: contained, or an entry by full URL or by a path beside its referrer."""
        if reference.startswith("#"):
            return self._contained(reference[1:])
        found = self.by_url.get(reference)
        if found is None:
            reference = reference.partition("/_history/")[0]
            if not reference.startswith(("http:", "https:", "urn:")):
                # A RESTful fullUrl ends in Type/id; what is before that is the server the reference is relative to.
                reference = f"{self.full_url.rsplit('/', 2)[0]}/{reference}"
            found = self.by_url.get(reference)
        if found is None:
            return None
        self.links.add((self.entry, found[0]))
        return found[1]

    def _contained(self, key: str) -> Resource | None:
        if not key:
            return self.resource
        within = self._contained_in.get(id(self.resource))
        if within is None:
            contained = self.resource.get("contained")
            resources = [one for one in contained if isinstance(one, dict)] if isinstance(contained, list) else []
            # The first of two with the same id counts.
            within = {one["id"]: one for one in reversed(resources) if isinstance(one.get("id"), str)}
            self._contained_in[id(self.resource)] = within
        return within.get(key)

    def place_of(self, resource: Resource) -> str | None:
        """``Bundle.entry[3].resource``; None for a contained resource."""
        place = self._entries.get(id(resource))
        return None if place is None else f"Bundle.entry[{place[0]}].resource"

    def errors_under(
        self, resource: Resource, profile: str, check: Callable[[Any, "Session"], list[Finding] | None]
    ) -> list[Finding]:
        """What makes another resource of this bundle break ``profile``; worked out once."""
        key = (id(resource), profile)
        known = self.decided.get(key)
        if known is not None:
            return known
        # Resources may refer to each other in a circle: while one is being judged it counts as sound.
        self.decided[key] = []
        before = self.enter(resource)
        try:
            found = [one for one in check(resource, self) or () if one.severity.value == "error"]
        finally:
            self.leave(before)
        self.decided[key] = found
        return found

    def report_once(self, place: str, profile: str, findings: list[Finding]) -> None:
        """Keep findings about a resource that is not the one being walked. Repeats are told apart by their path."""
        for finding in findings:
            if not finding.path.startswith("Bundle."):
                finding.path = place + finding.path
                finding.profile = finding.profile or profile
                self.findings.append(finding)

    def linked_to(self, start: int) -> set[int]:
        """The entries reachable from ``start`` along references, forward or backward."""
        beside: dict[int, set[int]] = {}
        for one, other in self.links:
            beside.setdefault(one, set()).add(other)
            beside.setdefault(other, set()).add(one)
        reached, edge = {start}, [start]
        while edge:
            for number in beside.get(edge.pop(), ()):
                if number not in reached:
                    reached.add(number)
                    edge.append(number)
        return reached
