"""The release gate: every rule, in order, into one decision record (rules.md §2).

``decide`` is pure. What it looks at is gathered by ``hip.application.release``.
"""

from collections.abc import Iterable

from hip.domain import release_conduct as conduct
from hip.domain import release_records as records
from hip.domain import release_terms as terms
from hip.domain.consents import Consent, ConsentStatus
from hip.domain.decisions import Decision, RecordDecision, RuleResult, Stage, digest
from hip.domain.release_facts import EXPIRED, NOT_GRANTED, RequestFacts, passed, refused, spared, warned
from hip.domain.release_records import RecordFacts

REQUEST_RULES = (
    terms.rel_01,
    terms.rel_02,
    terms.rel_03,
    terms.rel_04,
    terms.rel_05,
    terms.rel_06,
    terms.rel_08,
    terms.rel_10,
    terms.rel_11,
    terms.rel_12,
    terms.rel_13,
    conduct.rel_14,
    conduct.rel_15,
    conduct.rel_16,
    terms.rel_17,
    terms.rel_18,
    conduct.rel_19,
    conduct.rel_20,
    conduct.rel_21,
    conduct.push_04,
    conduct.push_07,
)
"""In the order in which they are asked; the first that refuses is the one that is answered."""


def decide(
    facts: RequestFacts, examined: Iterable[RecordFacts] = (), *, page: int | None = None, whole: bool = False
) -> Decision:
    """The record of one answer. ``whole`` when ``examined`` is all there is to send, so that REL-23 can be told."""
    results = tuple(rule(facts) for rule in REQUEST_RULES)
    decided = tuple(decide_record(facts, one) for one in examined)
    if whole:
        results = (*results, rel_23(sum(one.leaves for one in decided)))
    artefact = facts.artefact
    return Decision(
        hip_id=facts.transfer.hip_id,
        consent_id=facts.transfer.consent_id,
        transaction_id=facts.transfer.transaction_id,
        stage=facts.stage,
        at=facts.now,
        page=page,
        patient=None if artefact is None else digest(artefact.patient.text),
        requester=None if artefact is None else artefact.hiu_id,
        results=results,
        records=decided,
    )


def decide_record(facts: RequestFacts, one: RecordFacts) -> RecordDecision:
    """Every record-level rule, whether or not an earlier one refuses: the record tells all that is wrong."""
    return RecordDecision(
        care_context_reference=one.context.care_context_reference,
        hi_type=one.hi_type,
        results=tuple(rule(facts, one) for rule in records.RECORD_RULES),
    )


def rel_23(leaving: int) -> RuleResult:
    """Nothing to send is no silence: on-request and notify go out all the same, with a status for each context."""
    if leaving < 1:
        return warned("REL-23", "nothing of what was asked for may leave or is here", leaving=leaving)
    return passed("REL-23", leaving=leaving)


def ended(before: Consent, after: Consent) -> Decision:
    """The record that a consent has ended: no later record of it permits anything (REL-02, REL-04, REL-21, RET-01)."""
    code = EXPIRED if after.status is ConsentStatus.EXPIRED else NOT_GRANTED
    by_clock = after.status is ConsentStatus.EXPIRED and before.due(after.updated_at)
    return Decision(
        hip_id=after.hip_id,
        consent_id=after.consent_id,
        transaction_id=None,
        stage=Stage.ENDED,
        at=after.updated_at,
        patient=None if before.artefact is None else digest(before.artefact.patient.text),
        requester=None if before.artefact is None else before.artefact.hiu_id,
        results=(
            refused("REL-02", code, f"the consent is {after.status}, not GRANTED", status=after.status),
            refused("REL-04", code, "the consent is over by our own clock")
            if by_clock
            else spared("REL-04", "not ended by the clock"),
            refused("REL-21", code, "whatever is under way stops here"),
        ),
    )
