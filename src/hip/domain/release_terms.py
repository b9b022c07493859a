"""Release rules about the terms of a consent (rules.md §2, REL-01 … 06, 08, 10 … 13, 17, 18).

One function a rule, pure; each fails closed: what is missing or cannot be compared refuses.
"""

from datetime import timedelta

from hip.domain.consents import ACCESS_MODES, PURPOSES, ConsentArtefact, ConsentStatus, SignatureState
from hip.domain.decisions import RuleResult, Stage, digest
from hip.domain.hi_types import HiType
from hip.domain.release_facts import (
    EXPIRED,
    NOT_GRANTED,
    UNKNOWN_CONSENT,
    WRONG_DATES,
    WRONG_HIP,
    FrequencyMode,
    RequesterMode,
    RequestFacts,
    SignatureMode,
    missing,
    passed,
    refused,
    spared,
    warned,
)

_UNITS = {
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
    "WEEK": timedelta(weeks=1),
    "MONTH": timedelta(days=30),
    "YEAR": timedelta(days=365),
}


def window_of(artefact: ConsentArtefact) -> timedelta | None:
    """The span in which requests are counted (REL-12); None when the consent states none that can be read."""
    if artefact.frequency is None or artefact.frequency[0] not in _UNITS or artefact.frequency[1] < 1:
        return None
    unit, value, _ = artefact.frequency
    return min(_UNITS[unit] * min(value, 1000), timedelta(days=3650))


def rel_01(facts: RequestFacts) -> RuleResult:
    """The consent is known. A copy is never fetched, an unknown id never served."""
    if facts.consent is None or facts.consent.consent_id != facts.transfer.consent_id:
        return refused("REL-01", UNKNOWN_CONSENT, "the consent is not known", consent=facts.transfer.consent_id)
    return passed("REL-01", consent=facts.consent.consent_id)


def rel_02(facts: RequestFacts) -> RuleResult:
    """The stored status is exactly GRANTED, and there is an artefact that says what was granted."""
    consent = facts.consent
    if consent is None:
        return missing("REL-02")
    if consent.status is not ConsentStatus.GRANTED:
        code = EXPIRED if consent.status is ConsentStatus.EXPIRED else NOT_GRANTED
        reason = f"the consent is {consent.status}, not GRANTED"
        return refused("REL-02", code, reason, status=consent.status)
    if consent.artefact is None:
        return refused("REL-02", NOT_GRANTED, "no artefact is stored", status=consent.status)
    return passed("REL-02", status=consent.status)


def rel_03(facts: RequestFacts) -> RuleResult:
    """Now is before ``dataEraseAt``, the end of the consent for a provider."""
    if facts.artefact is None:
        return missing("REL-03", EXPIRED)
    until = facts.artefact.data_erase_at
    if facts.now >= until:
        return refused("REL-03", EXPIRED, "the consent has expired", until=until, now=facts.now)
    return passed("REL-03", until=until, now=facts.now)


def rel_04(facts: RequestFacts) -> RuleResult:
    """Expiry needs no notice: a consent that is due to be swept is spent already."""
    if facts.consent is None:
        return missing("REL-04", EXPIRED)
    if facts.consent.due(facts.now):
        return refused("REL-04", EXPIRED, "the consent ended by our own clock, whatever was notified", now=facts.now)
    return passed("REL-04", now=facts.now)


def rel_05(facts: RequestFacts) -> RuleResult:
    """The artefact names the HIP that was asked; one that names none is marked, and the header stands for it."""
    if facts.artefact is None:
        return missing("REL-05", WRONG_HIP)
    named, asked = facts.artefact.hip_id, facts.transfer.hip_id
    if facts.consent is None or facts.consent.hip_id != asked or named not in (None, asked):
        return refused("REL-05", WRONG_HIP, "the consent names another HIP", named=named, asked=asked)
    if named is None:
        return warned("REL-05", "the consent names no HIP: the request's header was taken", asked=asked)
    return passed("REL-05", named=named)


def rel_06(facts: RequestFacts) -> RuleResult:
    """The patient's ABHA address belongs to this environment; whose each record is, ``record_release`` asks."""
    if facts.artefact is None:
        return missing("REL-06")
    domain, ours = facts.artefact.patient.domain, facts.policy.consent_manager.strip().lower()
    if domain != ours:
        return refused("REL-06", NOT_GRANTED, "the ABHA address is of another environment", domain=domain, ours=ours)
    return passed("REL-06", patient=digest(facts.artefact.patient.text), domain=domain)


def rel_08(facts: RequestFacts) -> RuleResult:
    """The dates asked for lie wholly inside the consent's. Outside refuses; nothing is ever clamped in silence."""
    if facts.artefact is None:
        return missing("REL-08", WRONG_DATES)
    asked, allowed = facts.transfer.request.date_range, facts.artefact.date_range
    values = {"asked": f"{asked.start.isoformat()}/{asked.end.isoformat()}"}
    values["allowed"] = f"{allowed.start.isoformat()}/{allowed.end.isoformat()}"
    if not asked.within(allowed):
        return refused("REL-08", WRONG_DATES, "the dates asked for are not all within the consent", **values)
    return passed("REL-08", **values)


def rel_10(facts: RequestFacts) -> RuleResult:
    """Names of record kinds that we do not know are marked: they permit nothing."""
    if facts.artefact is None:
        return missing("REL-10")
    types = ",".join(sorted(facts.artefact.hi_types & set(HiType)))
    if facts.artefact.unknown_hi_types:
        count = facts.artefact.unknown_hi_types
        return warned("REL-10", "the consent names kinds of record that are not known here", known=types, unknown=count)
    return passed("REL-10", known=types)


def rel_11(facts: RequestFacts) -> RuleResult:
    """VIEW, STORE, QUERY or STREAM."""
    if facts.artefact is None:
        return missing("REL-11")
    mode = facts.artefact.access_mode
    if mode not in ACCESS_MODES:
        return refused("REL-11", NOT_GRANTED, "the access mode is not supported", mode=mode)
    return passed("REL-11", mode=mode)


def rel_12(facts: RequestFacts) -> RuleResult:
    """At most 1 + ``repeats`` requests in ``value`` units of time, counted when a request arrives."""
    if facts.artefact is None:
        return missing("REL-12")
    if facts.stage is not Stage.REQUEST:
        return spared("REL-12", "counted when the request arrived")
    window, frequency = window_of(facts.artefact), facts.artefact.frequency
    if frequency is None or window is None:
        if facts.policy.frequency is FrequencyMode.ENFORCE:
            return refused("REL-12", NOT_GRANTED, "the consent states no frequency that can be read")
        return warned("REL-12", "the consent states no frequency that can be read")
    unit, value, repeats = frequency
    values = {"asked": facts.earlier + 1, "allowed": 1 + repeats, "per": f"{value} {unit}"}
    if facts.earlier <= repeats:
        return passed("REL-12", **values)
    reason = "asked for more often than the consent says"
    if facts.policy.frequency is FrequencyMode.ENFORCE:
        return refused("REL-12", NOT_GRANTED, reason, **values)
    return warned("REL-12", reason, **values)


def rel_13(facts: RequestFacts) -> RuleResult:
    """A purpose of ABDM's. BTG (break the glass) lets it go and calls for a person's attention."""
    if facts.artefact is None:
        return missing("REL-13")
    purpose = facts.artefact.purpose
    if purpose not in PURPOSES:
        return refused("REL-13", NOT_GRANTED, "the purpose is not one of ABDM's", purpose=purpose)
    if purpose == "BTG":
        return warned("REL-13", "break the glass: emergency access without the patient's usual say", purpose=purpose)
    return passed("REL-13", purpose=purpose)


def rel_17(facts: RequestFacts) -> RuleResult:
    """The artefact names the requester: the request's body names none, so nothing else could.

    One that names none is refused where the policy demands a name, and marked otherwise (``RequesterMode``). A request
    whose X-HIU-ID header names another is refused.
    """
    if facts.artefact is None:
        return missing("REL-17")
    mode, asking = facts.policy.requester, facts.transfer.request.requester
    if facts.artefact.hiu_id and asking and asking.casefold() != facts.artefact.hiu_id.casefold():
        reason = "another requester asks than the consent names"
        return refused("REL-17", NOT_GRANTED, reason, requester=facts.artefact.hiu_id, asking=asking)
    if not facts.artefact.hiu_id and mode is RequesterMode.ENFORCE:
        return refused("REL-17", NOT_GRANTED, "the consent names no requester", mode=mode)
    if not facts.artefact.hiu_id:
        return warned("REL-17", "the consent names no requester", mode=mode)
    return passed("REL-17", requester=facts.artefact.hiu_id)


def rel_18(facts: RequestFacts) -> RuleResult:
    """A signature known to be false always refuses; ``enforce`` wants it verified, which no source tells how to do."""
    if facts.consent is None:
        return missing("REL-18")
    state, mode = facts.consent.signature_state, facts.policy.signature
    if state is SignatureState.FAILED:
        return refused("REL-18", NOT_GRANTED, "the artefact's signature is not right", state=state, mode=mode)
    if mode is SignatureMode.OFF or state is SignatureState.VERIFIED:
        return passed("REL-18", state=state, mode=mode)
    reason = f"the artefact's signature is {state}"
    if mode is SignatureMode.ENFORCE:
        return refused("REL-18", NOT_GRANTED, reason, state=state, mode=mode)
    return warned("REL-18", reason, state=state, mode=mode)
