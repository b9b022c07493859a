"""A consent through its life: notices in any order, twice, late or replayed (RET-01)."""

from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.builders.consents import THE_YEAR, a_consent, an_artefact
from tests.builders.links import HIP
from tests.builders.machines import modest_then_full, play
from tests.builders.moments import DAY, NOW, SECOND

from hip.domain.consents import Consent, ConsentArtefact, ConsentStatus, SignatureState

NARROW = an_artefact(hi_types=frozenset())
WIDE = an_artefact()


def told(consent: Consent, status: ConsentStatus, artefact: ConsentArtefact | None = None) -> Consent:
    return consent.receive(
        status,
        artefact=artefact,
        artefact_hash="cd" * 32 if artefact else None,
        signature_state=SignatureState.UNVERIFIED,
        now=NOW + DAY,
    )


def permits(consent: Consent) -> bool:
    return not consent.permits_request(hip_id=HIP, asked=THE_YEAR, now=NOW)


def test_revoked_and_expired_are_the_only_ends() -> None:
    assert {status for status in ConsentStatus if status.ended} == {ConsentStatus.REVOKED, ConsentStatus.EXPIRED}


def test_ret_01_an_ended_consent_keeps_its_hash_and_loses_its_artefact() -> None:
    for end in (ConsentStatus.REVOKED, ConsentStatus.EXPIRED):
        ended = told(a_consent(acknowledged_at=NOW), end)
        assert (ended.status, ended.artefact, ended.artefact_hash) == (end, None, "ab" * 32)
        assert (ended.acknowledged_at, ended.updated_at) == (NOW, NOW + DAY)


def test_ret_01_a_replayed_grant_does_not_revive_an_ended_consent() -> None:
    ended = told(a_consent(), ConsentStatus.REVOKED)
    assert told(ended, ConsentStatus.GRANTED, WIDE) == ended
    assert told(ended, ConsentStatus.EXPIRED) == ended


def test_a_second_grant_replaces_the_first() -> None:
    granted = told(a_consent(signature_state=SignatureState.FAILED), ConsentStatus.GRANTED, NARROW)
    assert (granted.artefact, granted.artefact_hash) == (NARROW, "cd" * 32)
    assert (granted.signature_state, granted.updated_at) == (SignatureState.UNVERIFIED, NOW + DAY)


def test_a_grant_without_an_artefact_changes_nothing() -> None:
    """A paused consent may not go on by a grant that does not say what is granted."""
    for consent in (a_consent(), a_consent(status=ConsentStatus.PAUSED), a_consent(artefact=None)):
        assert told(consent, ConsentStatus.GRANTED) == consent


def test_a_pause_keeps_the_artefact_but_permits_nothing() -> None:
    paused = told(a_consent(), ConsentStatus.PAUSED)
    assert paused.artefact == WIDE
    assert not permits(paused)
    assert permits(told(paused, ConsentStatus.GRANTED, WIDE))


def test_the_first_acknowledgement_counts() -> None:
    """REL-20."""
    first = a_consent().acknowledge(now=NOW)
    assert first.acknowledge(now=NOW + DAY).acknowledged_at == NOW


class ConsentMachine(RuleBasedStateMachine):
    """Every notice there is, with and without an artefact, against a plain account of what was heard."""

    @initialize(
        status=st.sampled_from([ConsentStatus.GRANTED] * 3 + list(ConsentStatus)),
        signature=st.sampled_from(SignatureState),
    )
    def first_notice(self, status: ConsentStatus, signature: SignatureState) -> None:
        granted = status is ConsentStatus.GRANTED
        self.consent = a_consent(
            status=status,
            artefact=WIDE if granted else None,
            artefact_hash="h0" if granted else None,
            signature_state=signature,
        )
        self.now = NOW
        self.ended = status in (ConsentStatus.REVOKED, ConsentStatus.EXPIRED)
        self.last = status
        self.granted: ConsentArtefact | None = WIDE if granted else None
        self.hash = "h0" if granted else None
        self.signature = signature
        self.acknowledged_at: datetime | None = None
        self.tombstone: Consent | None = self.consent if self.ended else None

    @rule(
        status=st.sampled_from([ConsentStatus.GRANTED] * 6 + list(ConsentStatus)),
        artefact=st.sampled_from([None, WIDE, NARROW]),
        digest=st.sampled_from(["h1", "h2"]),
        signature=st.sampled_from(SignatureState),
    )
    def notice(
        self, status: ConsentStatus, artefact: ConsentArtefact | None, digest: str, signature: SignatureState
    ) -> None:
        self.now += SECOND
        self.consent = self.consent.receive(
            status, artefact=artefact, artefact_hash=digest, signature_state=signature, now=self.now
        )
        if self.ended:
            return
        if status is ConsentStatus.GRANTED and artefact is None:
            return
        self.last = status
        if status is ConsentStatus.GRANTED:
            self.granted, self.hash, self.signature = artefact, digest, signature
        if status in (ConsentStatus.REVOKED, ConsentStatus.EXPIRED):
            self.ended, self.granted = True, None
            self.tombstone = self.consent

    @rule()
    def acknowledge(self) -> None:
        self.now += SECOND
        self.consent = self.consent.acknowledge(now=self.now)
        self.acknowledged_at = self.acknowledged_at or self.now

    @invariant()
    def agrees_with_what_was_heard(self) -> None:
        consent = self.consent
        assert consent.status is self.last
        assert consent.artefact == self.granted
        assert (consent.artefact_hash, consent.signature_state) == (self.hash, self.signature)
        assert consent.acknowledged_at == self.acknowledged_at
        assert consent.received_at == NOW

    @invariant()
    def permits_only_what_was_granted_last_and_never_ended(self) -> None:
        alive = self.last is ConsentStatus.GRANTED and self.granted is not None and not self.ended
        assert permits(self.consent) is (alive and self.signature is not SignatureState.FAILED)

    @invariant()
    def an_ended_consent_is_a_tombstone_for_ever(self) -> None:
        if self.tombstone is None:
            return
        assert self.consent.artefact is None
        assert (self.consent.status, self.consent.updated_at) == (self.tombstone.status, self.tombstone.updated_at)


@modest_then_full
def test_ret_01_no_order_of_notices_revives_an_ended_consent(examples: int) -> None:
    play(ConsentMachine, examples)
