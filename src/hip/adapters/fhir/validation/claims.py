"""meta.profile: which profiles a resource says it meets, and which of those the guide knows."""

from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.adapters.fhir.validation.rulebook import Rulebook
from hip.domain.bundles import Severity


def claims_of(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """The canonical URLs in meta.profile, without versions; what is no text is left to the type rules."""
    meta = resource.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    if not isinstance(profiles, list):
        return ()
    return tuple(url.partition("|")[0] for url in profiles if isinstance(url, str))


def claimed_profiles(rulebook: Rulebook, resource: Mapping[str, Any]) -> frozenset[str]:
    """Every profile the resource is checked against where it stands: those claimed, and those they build upon."""
    name = resource.get("resourceType")
    return frozenset(
        profile.url for url in claims_of(resource) for profile in rulebook.guide.lineage(url) if profile.type == name
    )


def decided_profiles(
    rulebook: Rulebook, type_name: str, claims: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """The profiles to check a resource of this type against, and what is wrong with the claims themselves."""
    guide = rulebook.guide
    faults: list[Finding] = []
    wanted: dict[str, None] = {}
    for number, url in enumerate(claims):
        profile = guide.profiles.get(url)
        if profile is None:
            faults.append(_unknown(number, url))
        elif profile.type != type_name and profile.type not in {"Resource", "DomainResource"}:
            faults.append(_foreign(number, url, profile.type, type_name))
        elif profile.base is not None:
            wanted[url] = None
    covered = {ancestor.url for url in wanted for ancestor in guide.lineage(url) if ancestor.url != url}
    chosen = tuple(url for url in wanted if url not in covered)
    base = guide.of_type(type_name)
    return chosen or ((base.url,) if base else ()), tuple(faults)


def _unknown(number: int, url: str) -> Finding:
    return Finding(
        "unknown-profile",
        f".meta.profile[{number}]",
        severity=Severity.WARNING,
        found=excerpt(url),
        expected="a profile of base R4 or of the guide",
        message="this profile is not in the guide, so nothing was checked against it",
        fix="correct the URL, or remove the claim",
    )


def _foreign(number: int, url: str, profile_type: str, type_name: str) -> Finding:
    return Finding(
        "profile-type",
        f".meta.profile[{number}]",
        found=excerpt(url),
        expected=f"a profile on {type_name}",
        message=f"this is a profile on {profile_type}, the resource is a {type_name}",
        fix="claim a profile of the right type",
    )
