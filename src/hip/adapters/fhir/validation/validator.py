"""The validator of NRCeS document bundles: base R4, every profile of the guide, and the rules of documents."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hip.adapters.fhir.validation.claims import claims_of
from hip.adapters.fhir.validation.documents import document_findings
from hip.adapters.fhir.validation.elements import element_check
from hip.adapters.fhir.validation.findings import MOST_FINDINGS, Finding, excerpt, under
from hip.adapters.fhir.validation.guide import R4, Guide, read_guide, shipped_guide
from hip.adapters.fhir.validation.reading import MAX_BYTES, Unreadable, read_document
from hip.adapters.fhir.validation.resources import attributed
from hip.adapters.fhir.validation.rulebook import Rulebook
from hip.adapters.fhir.validation.session import Session
from hip.domain.bundles import Issue, Severity, ValidationReport

_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]")

_DOCUMENT = "DocumentBundle"


class NrcesValidator:
    """Checks whether a bundle is a document that patient apps can show.

    >>> NrcesValidator().validate(b"[]").issues[0].rule
    'json-syntax'

    ``guide`` is a file written by ``hip ig compile``; without it the NRCeS guide 6.5.0 that comes with the package is
    used. ``max_bytes`` bounds what is read. Building one is cheap: the rules of a guide are read once per process.
    Safe to share between threads. Raises InvalidValue when ``guide`` is no compiled guide.
    """

    def __init__(self, *, guide: Path | None = None, max_bytes: int = MAX_BYTES) -> None:
        self._rulebook = _rulebook(guide)
        self._max_bytes = max_bytes
        self._document = document_profile(self._rulebook.guide)

    @property
    def guide(self) -> Guide:
        """The compiled guide in use."""
        return self._rulebook.guide

    def validate(self, content: bytes | str | Mapping[str, Any]) -> ValidationReport:
        """Every issue of the document, errors and warnings, in document order; never raises for bad content.

        ``content`` is JSON (UTF-8) or a tree already read. Paths are FHIRPath with indices from 0.
        """
        try:
            bundle = read_document(content, max_bytes=self._max_bytes)
        except Unreadable as refusal:
            return ValidationReport(issues=(refusal.finding.issue(),))
        if bundle.get("resourceType") != "Bundle":
            return ValidationReport(issues=(_no_bundle(bundle).issue(),))
        return ValidationReport(issues=_issues(self._findings(bundle)))

    def _findings(self, bundle: dict[str, Any]) -> list[Finding]:
        rulebook = self._rulebook
        session = Session(bundle)
        found: list[Finding] = []
        for url in self._profiles(bundle):
            below = rulebook.profile_check(url)(bundle, session)
            if below is not None:
                found.extend(under("Bundle", attributed(below, url, rulebook)))
        found.extend(document_findings(rulebook.guide, bundle, session))
        found.extend(session.findings)
        return found

    def _profiles(self, bundle: Mapping[str, Any]) -> tuple[str, ...]:
        """The guide's document profile, and what the bundle itself claims to be."""
        guide = self.guide
        claimed = dict.fromkeys(
            url
            for url in claims_of(bundle)
            if (known := guide.profiles.get(url)) and known.type == "Bundle" and known.base
        )
        return (self._document, *(url for url in claimed if url != self._document))


def document_profile(guide: Guide) -> str:
    """The canonical URL of the guide's profile for document bundles; base R4's Bundle when it has none."""
    named = (url for url, one in guide.profiles.items() if one.type == "Bundle" and url.endswith("/" + _DOCUMENT))
    return next(named, R4 + "Bundle")


@cache
def _rulebook(guide: Path | None) -> Rulebook:
    return Rulebook(shipped_guide() if guide is None else read_guide(guide), element_check)


def _issues(findings: Iterable[Finding]) -> tuple[Issue, ...]:
    """Each fault once, though several profiles and references may have led to it, in document order."""
    unique: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        unique.setdefault((finding.path, finding.rule, finding.message), finding)
    ordered = sorted(unique.values(), key=_entry_of)
    if len(ordered) > MOST_FINDINGS:
        # Warnings give way, or a document with thousands of them would hide its errors and pass as valid.
        errors = [finding for finding in ordered if finding.severity is Severity.ERROR]
        others = [finding for finding in ordered if finding.severity is not Severity.ERROR]
        ordered = sorted([*errors, *others][:MOST_FINDINGS], key=_entry_of)
    return tuple(finding.issue() for finding in ordered)


def _entry_of(finding: Finding) -> int:
    """The number of the entry a path leads into; -1 for the bundle itself. Within an entry the walk kept the order."""
    match = _ENTRY.match(finding.path)
    return -1 if match is None else int(match[1])


def _no_bundle(bundle: Mapping[str, Any]) -> Finding:
    name = bundle.get("resourceType")
    if not isinstance(name, str):
        return Finding(
            "json-syntax",
            "Bundle",
            found="no resourceType",
            expected='an object with "resourceType": "Bundle"',
            message="this is JSON, but no FHIR document",
            fix="put the Bundle at the top",
            profile="",
        )
    return Finding(
        "resource-type",
        "Bundle",
        found=excerpt(name),
        expected='"Bundle"',
        message="a document is a Bundle",
        fix="put the Composition and what it refers to into a Bundle of type document",
        profile="",
    )
