"""What the release gate looks at, and how it writes a line of the decision record."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from hip.domain.consents import Consent, ConsentArtefact, ConsentedContext
from hip.domain.decisions import RuleResult, Stage, Verdict
from hip.domain.transfers import Transfer

UNKNOWN_CONSENT = "ABDM-1112"
NOT_GRANTED = "ABDM-1062"
EXPIRED = "ABDM-1061"
WRONG_DATES = "ABDM-1063"
WRONG_HIP = "ABDM-1035"
INVALID = "ABDM-1006"


class SignatureMode(StrEnum):
    """REL-18: ``off`` asks only that no signature is known to be false, ``observe`` marks, ``enforce`` demands."""

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


class FrequencyMode(StrEnum):
    """REL-12: data may be asked for again until the consent expires, so the default only warns."""

    WARN = "warn"
    ENFORCE = "enforce"


class RequesterMode(StrEnum):
    """REL-17: gateways were seen to leave the requester out of a HIP's artefact (contract §2.9), so ``warn`` marks it.

    Such a consent is still bound by its id, which only the requester it was granted to can ask with.
    """

    WARN = "warn"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePolicy:
    """What an operator may choose. ``consent_manager`` is our X-CM-ID, the domain of every ABHA address (REL-06)."""

    consent_manager: str
    signature: SignatureMode = SignatureMode.OBSERVE
    frequency: FrequencyMode = FrequencyMode.WARN
    requester: RequesterMode = RequesterMode.WARN


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A consent with what is worked out once, so that asking per record costs the same for any number of contexts."""

    consent: Consent
    terms_hash: str | None
    contexts: frozenset[ConsentedContext] = field(repr=False)

    @classmethod
    def of(cls, consent: Consent) -> Self:
        artefact = consent.artefact
        return cls(
            consent=consent,
            terms_hash=None if artefact is None else artefact.fingerprint,
            contexts=frozenset(() if artefact is None else artefact.care_contexts),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """Everything the request-level rules look at; ``earlier`` are requests on this consent in its frequency window.

    ``key_fault`` is what the sealer says of the requester's key, ``push_fault`` what the pusher says of its address;
    None for nothing.
    """

    stage: Stage
    transfer: Transfer
    authority: Authority | None
    policy: ReleasePolicy
    now: datetime
    key_fault: str | None = None
    push_fault: str | None = None
    earlier: int = 0

    @property
    def consent(self) -> Consent | None:
        return None if self.authority is None else self.authority.consent

    @property
    def artefact(self) -> ConsentArtefact | None:
        return None if self.consent is None else self.consent.artefact


def passed(rule: str, **values: object) -> RuleResult:
    """A line that lets it go."""
    return _line(rule, Verdict.PASS, None, "", values)


def warned(rule: str, reason: str, **values: object) -> RuleResult:
    """A line for a person to look at; it lets it go."""
    return _line(rule, Verdict.WARN, None, reason, values)


def refused(rule: str, code: str, reason: str, **values: object) -> RuleResult:
    """A line that stops it."""
    return _line(rule, Verdict.REFUSE, code, reason, values)


def spared(rule: str, reason: str) -> RuleResult:
    """A line that has nothing to say at this stage."""
    return _line(rule, Verdict.NOT_APPLICABLE, None, reason, {})


def _line(rule: str, verdict: Verdict, code: str | None, reason: str, values: dict[str, object]) -> RuleResult:
    shown = tuple((name, _shown(value)) for name, value in values.items())
    return RuleResult(rule=rule, verdict=verdict, code=code, reason=reason, values=shown)


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def missing(rule: str, code: str = NOT_GRANTED) -> RuleResult:
    return refused(rule, code, "there is no artefact to compare with")
