"""References: what they may point to by type and by profile, and whether what they point to is in the bundle."""

import re
from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.claims import claimed_profiles
from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.adapters.fhir.validation.rulebook import Check, Rulebook
from hip.adapters.fhir.validation.session import Session
from hip.domain.bundles import Severity

_ANY = frozenset({"Resource", "DomainResource"})
_RELATIVE = re.compile(r"([A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?")
_TYPED = re.compile(r"https?://.*/([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def reference_check(rulebook: Rulebook, targets: tuple[str, ...]) -> Check:
    """``targets`` are the canonical URLs of the allowed target profiles; none means any resource."""
    allowed = _allowed(rulebook, targets)
    wanted = ", ".join(sorted(allowed)) if allowed is not None else "any resource"

    def check(value: Mapping[str, Any], session: Session) -> list[Finding] | None:
        reference = value.get("reference")
        if type(reference) is not str or not reference:
            return None
        target = session.find(reference)
        if target is None:
            return _unresolved(rulebook, reference, allowed, wanted, session)
        name = target.get("resourceType")
        found = _declared(value, name)
        if allowed is None or not isinstance(name, str):
            return found
        profiles = allowed.get(name)
        if profiles is None:
            found = found or []
            found.append(_bad_type(name, wanted))
        elif profiles:
            below = _unlike(rulebook, target, profiles, session)
            if below is not None:
                found = (found or []) + below
        return found

    return check


def _allowed(rulebook: Rulebook, targets: tuple[str, ...]) -> dict[str, tuple[str, ...]] | None:
    """Resource type -> profiles one of which the target must meet (none: the base type will do); None: anything."""
    allowed: dict[str, list[str] | None] = {}
    for url in targets:
        profile = rulebook.guide.profiles.get(url)
        if profile is None:
            continue
        if profile.type in _ANY:
            return None
        if profile.base is None:
            allowed[profile.type] = None
        else:
            known = allowed.setdefault(profile.type, [])
            if known is not None:
                known.append(url)
    if not allowed:
        return None
    return {name: tuple(urls or ()) for name, urls in allowed.items()}


def _unlike(
    rulebook: Rulebook, target: Mapping[str, Any], profiles: tuple[str, ...], session: Session
) -> list[Finding] | None:
    """The target must meet one of the profiles. What it lacks is reported at the target itself."""
    claimed = claimed_profiles(rulebook, target)
    if any(url in claimed for url in profiles):
        # It is checked against that profile where it stands; saying so again here would only hide the cause.
        return None
    tried = {url: session.errors_under(target, url, rulebook.profile_check(url)) for url in profiles}
    if not all(tried.values()):
        return None
    nearest = min(profiles, key=lambda url: len(tried[url]))
    place = session.place_of(target)
    if place is not None:
        session.report_once(place, nearest, tried[nearest])
    return [
        Finding(
            "reference-target-profile",
            "",
            found=f"{target.get('resourceType')} at {place or 'a contained resource'}",
            expected=" or ".join(profiles),
            message=f"the resource pointed to does not meet {' or '.join(url.rpartition('/')[2] for url in profiles)}",
            fix=f"put right what it lacks ({', '.join(dict.fromkeys(one.rule for one in tried[nearest][:5]))})",
        )
    ]


def _bad_type(name: str, wanted: str) -> Finding:
    return Finding(
        "reference-target-type",
        "",
        found=name,
        expected=wanted,
        message=f"a {name} may not be referred to here",
        fix=f"refer to {wanted}",
    )


def _declared(value: Mapping[str, Any], name: object) -> list[Finding] | None:
    """Reference.type must agree with the resource it points to."""
    declared = value.get("type")
    if type(declared) is not str or declared.rpartition("/")[2] == name:
        return None
    return [
        Finding(
            "reference-type",
            ".type",
            found=excerpt(declared),
            expected=excerpt(name),
            message="type names another resource type than the reference points to",
            fix="correct type, or the reference",
        )
    ]


def _unresolved(
    rulebook: Rulebook,
    reference: str,
    allowed: Mapping[str, tuple[str, ...]] | None,
    wanted: str,
    session: Session,
) -> list[Finding] | None:
    if reference.startswith("#"):
        return None  # ref-1 says so
    found: list[Finding] = []
    typed = _RELATIVE.fullmatch(reference) or _TYPED.fullmatch(reference)
    if typed is None and not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", reference):
        found.append(
            Finding(
                "reference-format",
                ".reference",
                found=excerpt(reference),
                expected="urn:uuid:…, https://…/Type/id or Type/id",
                message="this is no reference",
                fix="refer to the fullUrl of an entry",
            )
        )
    elif typed is not None and allowed is not None and typed[1] not in allowed and rulebook.guide.is_resource(typed[1]):
        found.append(_bad_type(typed[1], wanted))
    inside = reference.startswith("urn:") or session.resource.get("resourceType") == "Composition"
    found.append(
        Finding(
            "reference-unresolved",
            "",
            severity=Severity.ERROR if inside else Severity.WARNING,
            found=excerpt(reference),
            expected="the fullUrl of an entry of this bundle",
            message="nothing in the bundle has this address" + ("" if inside else "; a patient's app cannot follow it"),
            fix="add the resource as an entry, or correct the reference",
        )
    )
    return found
