"""The decision record: what the release gate decided, rule by rule, as it is kept for ever (rules.md §2).

A record holds no personal value in the clear: ABHA addresses and patient references appear as ``digest``, everything
else is an id of a consent, a facility or a care context, a state, a code or a time.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, HipId, TransactionId

POLICY_VERSION = "2026.1"
"""Changes whenever a rule decides differently, so that an old record is read by the rules of its day."""

TITLES = {
    "REL-01": "the consent is known here",
    "REL-02": "the consent is granted",
    "REL-03": "the consent has not expired",
    "REL-04": "expiry is found by our own clock",
    "REL-05": "the consent names this facility",
    "REL-06": "the record belongs to the patient who consented",
    "REL-07": "the care context is named in the consent and known here",
    "REL-08": "the dates asked for lie inside the consent",
    "REL-09": "the record lies inside the dates",
    "REL-10": "the kind of record is consented",
    "REL-11": "the access mode is supported",
    "REL-12": "the agreed frequency is kept",
    "REL-13": "the purpose is one of ABDM's",
    "REL-14": "the requester's key is usable",
    "REL-15": "the requester's key has not expired",
    "REL-16": "the transaction belongs to this consent, once",
    "REL-17": "the consent names its requester",
    "REL-18": "the consent's signature",
    "REL-19": "nothing was changed since it was stored",
    "REL-20": "the consent was acknowledged first",
    "REL-21": "the consent was not ended meanwhile",
    "REL-22": "the record is valid and is this patient's",
    "REL-23": "the requester is told what became of each care context",
    "PUSH-04": "the push address may be called",
    "PUSH-07": "the deadline has not passed",
}
"""What each rule demands, in words for people."""

_DIGEST_LENGTH = 24


def digest(value: str) -> str:
    """A personal value as the record keeps it: 24 hex digits of its SHA-256, enough to find, not to read."""
    return hashlib.sha256(value.encode()).hexdigest()[:_DIGEST_LENGTH]


class Verdict(StrEnum):
    """Only ``refuse`` stops anything; ``warn`` is a matter for a person to look at."""

    PASS = "pass"  # noqa: S105 - a verdict, not a secret
    REFUSE = "refuse"
    WARN = "warn"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """One line of a record. ``code`` is the ABDM code to answer and set for refusals only.

    ``reason`` is plain words without personal values, empty for a pass; ``values`` are what was compared.
    """

    rule: str
    verdict: Verdict
    code: str | None = None
    reason: str = ""
    values: tuple[tuple[str, str], ...] = ()

    @property
    def refuses(self) -> bool:
        """True when this line alone stops the release."""
        return self.verdict is Verdict.REFUSE

    @property
    def told(self) -> str:
        """How a refusal is reported and logged: rule and reason."""
        return f"{self.rule}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDecision:
    """What was decided of one record of one care context; ``hi_type`` is None for a context without any record."""

    care_context_reference: CareContextReference
    hi_type: HiType | None
    results: tuple[RuleResult, ...]

    @property
    def refusal(self) -> RuleResult | None:
        """The first rule, in order, that keeps it here."""
        return next((result for result in self.results if result.refuses), None)

    @property
    def leaves(self) -> bool:
        """True when every rule lets it go. Without a single line nothing was examined, so nothing leaves."""
        return bool(self.results) and self.refusal is None


class Stage(StrEnum):
    """When the gate was asked."""

    REQUEST = "request"
    PLAN = "plan"
    PAGE = "page"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One answer of the gate. ``patient`` is the digest of the ABHA address, ``requester`` the HIU id; ``at`` is UTC.

    Stage ``ended`` records that the consent ended: it belongs to no transaction, and no page of the consent is
    permitted by any later record. ``page`` is set for stage ``page`` only.
    """

    hip_id: HipId
    consent_id: ConsentId
    transaction_id: TransactionId | None
    stage: Stage
    at: datetime
    page: int | None = None
    patient: str | None = None
    requester: str | None = None
    results: tuple[RuleResult, ...]
    records: tuple[RecordDecision, ...] = ()
    policy: str = POLICY_VERSION

    @property
    def refusals(self) -> tuple[RuleResult, ...]:
        """Every rule the request as a whole breaks, in order."""
        return tuple(result for result in self.results if result.refuses)

    @property
    def permitted(self) -> bool:
        """True when no rule refuses the request as a whole; each record still has its own answer."""
        return bool(self.results) and not self.refusals

    @property
    def waits(self) -> bool:
        """True when only REL-20 stands in the way, which passes by itself once the gateway took our on-notify."""
        return [result.rule for result in self.refusals] == ["REL-20"]

    @property
    def refusal(self) -> RuleResult | None:
        """The rule to answer with: the first that refuses, REL-20 only when nothing else does."""
        return next((one for one in self.refusals if one.rule != "REL-20"), next(iter(self.refusals), None))
