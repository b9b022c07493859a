"""Resources inside the bundle: an entry's, a contained one, whatever its type; checked as what it claims to be."""

from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.claims import claims_of, decided_profiles
from hip.adapters.fhir.validation.expectations import expectations, meets, values_at
from hip.adapters.fhir.validation.findings import Finding, excerpt, has_error
from hip.adapters.fhir.validation.guide import Profile
from hip.adapters.fhir.validation.rulebook import Check, Rulebook
from hip.adapters.fhir.validation.session import Session

# Claims come from outside, so what is remembered about their combinations is bounded.
_MOST_REMEMBERED = 512

Decided = tuple[tuple[tuple[str, Check], ...], tuple[Finding, ...]]


def resource_check(rulebook: Rulebook, only: str | None = None, also: Check | None = None) -> Check:
    """``only`` restricts the type, ``also`` is a further check of the element (a profile a bundle asks for)."""
    remembered: dict[tuple[str, tuple[str, ...]], Decided] = {}

    def decide(name: str, claims: tuple[str, ...]) -> Decided:
        known = remembered.get((name, claims))
        if known is None:
            profiles, faults = decided_profiles(rulebook, name, claims)
            known = tuple((url, rulebook.profile_check(url)) for url in profiles), faults
            if len(remembered) < _MOST_REMEMBERED:
                remembered[name, claims] = known
        return known

    def check(value: Mapping[str, Any], session: Session) -> list[Finding] | None:
        name = value.get("resourceType")
        if type(name) is not str or not rulebook.guide.is_resource(name) or (only is not None and name != only):
            return [_unknown_type(name, only)]
        checks, faults = decide(name, claims_of(value))
        found = [_again(fault) for fault in faults]
        before = session.enter(value)
        try:
            for url, one in checks:
                below = one(value, session)
                if below is not None:
                    if name == "Composition" and has_error(below):
                        found.extend(_other_record(rulebook, value, session, url))
                    found.extend(attributed(below, url, rulebook))
            if also is not None:
                found.extend(also(value, session) or ())
        finally:
            session.leave(before)
        return found or None

    return check


def _other_record(rulebook: Rulebook, composition: Mapping[str, Any], session: Session, claimed: str) -> list[Finding]:
    """When the content is that of another record of the guide, saying so explains all the other errors at once."""
    fitting = [
        url
        for url, profile in rulebook.guide.profiles.items()
        if profile.type == "Composition"
        and url != claimed
        and profile.base is not None
        and _has_type_of(rulebook, composition, profile, session)
        and not has_error(rulebook.profile_check(url)(composition, session))
    ]
    if not fitting:
        return []
    names = " or ".join(url.rpartition("/")[2] for url in fitting)
    return [
        Finding(
            "wrong-profile",
            "",
            found=claimed.rpartition("/")[2],
            expected=names,
            message=f"the Composition claims {claimed.rpartition('/')[2]} but has the content of {names}",
            fix="claim the profile of the record it is, or write the content that profile asks for",
            profile=claimed,
        )
    ]


def _has_type_of(rulebook: Rulebook, composition: Mapping[str, Any], profile: Profile, session: Session) -> bool:
    """Whether the Composition's type is one the profile fixes, be it by code or by text."""
    root = rulebook.node(profile.root)
    return any(
        meets(value, how, wanted)
        for steps in (("type", "coding", "code"), ("type", "text"))
        for how, wanted in expectations(rulebook, root, profile.type, steps)
        for value in values_at(composition, steps, session)
    )


def attributed(findings: list[Finding], url: str, rulebook: Rulebook) -> list[Finding]:
    """Say which profile asked for it; base R4 has no name in reports."""
    source = "" if rulebook.guide.profiles[url].base is None else url
    for finding in findings:
        if finding.profile is None:
            finding.profile = source
    return findings


def _again(fault: Finding) -> Finding:
    """Findings change while they climb, so remembered ones are copied."""
    return Finding(
        fault.rule,
        fault.path,
        message=fault.message,
        expected=fault.expected,
        fix=fault.fix,
        found=fault.found,
        severity=fault.severity,
        profile="",
    )


def _unknown_type(name: object, only: str | None) -> Finding:
    return Finding(
        "resource-type",
        "",
        found=excerpt(name) if name is not None else "no resourceType",
        expected=f"a {only}" if only else "a resource type of FHIR R4",
        message="resourceType is missing" if name is None else "there is no such resource type here",
        fix="correct resourceType",
        profile="",
    )
