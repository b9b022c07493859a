"""Release rules about how a request is made and served (rules.md §2, REL-14 … 16, 19 … 21, PUSH-04, PUSH-07).

One function a rule, pure; each fails closed: what is missing or cannot be compared refuses.
"""

from hip.domain.decisions import RuleResult, Stage, digest
from hip.domain.errors import KeyMaterialRefused
from hip.domain.release_facts import INVALID, NOT_GRANTED, RequestFacts, missing, passed, refused, spared


def rel_14(facts: RequestFacts) -> RuleResult:
    """ECDH on Curve25519, a nonce of 32 bytes, a point on the curve that is neither the identity nor of small order."""
    material = facts.transfer.request.key_material
    fault = facts.key_fault
    if fault is None:
        try:
            material.require_suite()
        except KeyMaterialRefused as refusal:
            fault = str(refusal)
    if fault is not None:
        return refused("REL-14", INVALID, fault)
    return passed("REL-14", public_key=digest(material.public_key))


def rel_15(facts: RequestFacts) -> RuleResult:
    """The key's expiry, with its time and in UTC, is still to come. No expiry is no permission."""
    material = facts.transfer.request.key_material
    try:
        material.require_unexpired(now=facts.now)
    except KeyMaterialRefused as refusal:
        return refused("REL-15", INVALID, str(refusal), until=material.expires_at, now=facts.now)
    return passed("REL-15", until=material.expires_at, now=facts.now)


def rel_16(facts: RequestFacts) -> RuleResult:
    """The transaction was opened for this very consent. A repeat of its id opens none and is served nothing."""
    transfer = facts.transfer
    if facts.consent is None or facts.consent.consent_id != transfer.consent_id:
        return refused("REL-16", "ABDM-1064", "the transaction was opened for another consent")
    return passed("REL-16", transaction=transfer.transaction_id)


def rel_19(facts: RequestFacts) -> RuleResult:
    """The terms of the artefact hash to what they hashed to when they were stored. Else somebody changed them."""
    if facts.consent is None or facts.authority is None or facts.artefact is None:
        return missing("REL-19")
    stored, found = facts.consent.terms_hash, facts.authority.terms_hash
    if stored is None or stored != found:
        return refused("REL-19", NOT_GRANTED, "the stored artefact is not what was granted", stored=stored, found=found)
    return passed("REL-19", terms=found, received=facts.consent.artefact_hash)


def rel_20(facts: RequestFacts) -> RuleResult:
    """The gateway has taken our on-notify for this consent before anything flows."""
    if facts.consent is None:
        return missing("REL-20")
    if facts.consent.acknowledged_at is None:
        return refused("REL-20", NOT_GRANTED, "the consent's on-notify has not been accepted yet")
    return passed("REL-20", acknowledged=facts.consent.acknowledged_at)


def rel_21(facts: RequestFacts) -> RuleResult:
    """What is under way stops when the consent ends: asked again with its row locked before each page."""
    if facts.stage is Stage.REQUEST:
        return spared("REL-21", "nothing is under way yet")
    if facts.consent is None or facts.artefact is None or facts.consent.status.ended:
        return refused("REL-21", NOT_GRANTED, "the consent was ended while its records were on their way")
    return passed("REL-21")


def push_04(facts: RequestFacts) -> RuleResult:
    """The text of the push address allows calling it; its resolved addresses are checked at each push."""
    if facts.push_fault is not None:
        return refused("PUSH-04", INVALID, "the push address must not be called")
    return passed("PUSH-04")


def push_07(facts: RequestFacts) -> RuleResult:
    """No page starts after the transfer's deadline."""
    if facts.stage is Stage.PAGE and facts.now >= facts.transfer.deadline:
        return refused("PUSH-07", NOT_GRANTED, "the deadline has passed", deadline=facts.transfer.deadline)
    return passed("PUSH-07", deadline=facts.transfer.deadline)
