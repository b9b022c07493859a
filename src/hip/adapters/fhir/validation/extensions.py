"""Extensions: each is checked against the definition its URL names."""

from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.adapters.fhir.validation.rulebook import Check, Rulebook
from hip.adapters.fhir.validation.session import Session
from hip.domain.bundles import Severity


def extension_check(rulebook: Rulebook, own: Check, named: tuple[str, ...]) -> Check:
    """The check of an extension; ``own`` is that of its place, which may be one of the profiles ``named`` there."""
    profiles = rulebook.guide.profiles

    def check(value: Mapping[str, Any], session: Session) -> list[Finding] | None:
        url = value.get("url")
        known = profiles.get(url) if type(url) is str else None
        if known is not None and known.type == "Extension" and known.base is not None and url not in named:
            return rulebook.profile_check(known.url)(value, session)
        found = own(value, session)
        if type(url) is str and ":" in url and known is None:
            found = found or []
            found.append(_unknown(url))
        return found

    return check


def _unknown(url: str) -> Finding:
    return Finding(
        "extension-unknown",
        "",
        severity=Severity.INFORMATION,
        found=excerpt(url),
        expected="an extension of base R4 or of the guide",
        message="this extension is not in the guide; only its form was checked, and apps will pass over it",
        fix="nothing, if it is meant",
    )
