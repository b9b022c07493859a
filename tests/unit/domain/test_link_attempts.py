"""The state machine of user-initiated linking, and the OTP in it (OTP-01)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders.links import OTP, a_link_attempt
from tests.builders.moments import MINUTE, NOW, SECOND

from hip.domain import otp
from hip.domain.errors import IllegalTransition
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, PatientReference, RequestId
from hip.domain.link_attempts import (
    AttemptState,
    ChosenContext,
    LinkAttempt,
    LinkingRefused,
    OfferedContext,
    Verdict,
    choose,
)

PATIENT = PatientReference("PAT-20417")


def offered(reference: str, hi_type: HiType = HiType.PRESCRIPTION) -> OfferedContext:
    return OfferedContext(reference=CareContextReference(reference), hi_type=hi_type)


def chosen(reference: str, hi_type: HiType | None = HiType.PRESCRIPTION, *, patient: str = PATIENT) -> ChosenContext:
    return ChosenContext(
        patient_reference=PatientReference(patient), reference=CareContextReference(reference), hi_type=hi_type
    )


def confirm(attempt: LinkAttempt, typed: str, *, id_: str = "r", at: timedelta = SECOND) -> tuple[LinkAttempt, Verdict]:
    return attempt.confirm(typed, request_id=RequestId(id_), at=NOW + at, now=NOW + at)


@given(entropy=st.binary(min_size=otp.ENTROPY, max_size=40))
def test_an_otp_is_six_digits(entropy: bytes) -> None:
    made = otp.new_otp(entropy)
    assert len(made) == 6
    assert made.isascii()
    assert made.isdigit()


def test_an_otp_needs_its_randomness() -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        otp.new_otp(b"x" * 15)


def test_zeros_lead() -> None:
    assert otp.new_otp(b"\0" * 16) == "000000"


@pytest.mark.parametrize("typed", ["482914", "48291", "4829130", "", " 482913", "\ud800", "9" * 10_000])
def test_only_the_otp_matches(typed: str) -> None:
    hashed = otp.HashedOtp.of(OTP, salt=b"s" * 16)
    assert hashed.matches(OTP)
    assert not hashed.matches(typed)


def test_the_same_otp_under_two_salts_looks_like_two() -> None:
    assert otp.HashedOtp.of(OTP, salt=b"a" * 16).digest != otp.HashedOtp.of(OTP, salt=b"b" * 16).digest


def test_a_hash_shows_nothing() -> None:
    hashed = otp.HashedOtp.of(OTP, salt=b"s" * 16)
    assert repr(hashed) == "HashedOtp()"
    assert OTP not in repr(a_link_attempt())


def test_a_hint_shows_the_last_four_digits() -> None:
    assert otp.hint("9876543210") == "******3210"


def test_a_number_is_counted_under_a_name_that_is_not_the_number() -> None:
    key = otp.number_key("9876543210", hip_id="IN0410000123")
    assert "9876543210" not in key
    assert key != otp.number_key("9876543210", hip_id="IN0410000999")
    assert key == otp.number_key("9876543210", hip_id="IN0410000123")


def test_what_is_chosen_keeps_the_order_of_the_offer() -> None:
    on_offer = (offered("2"), offered("1"), offered("3"))
    assert choose([chosen("3"), chosen("2")], offered=on_offer, patient=PATIENT) == (offered("2"), offered("3"))


def test_a_choice_without_a_type_takes_every_type_it_was_offered_under() -> None:
    on_offer = (offered("1"), offered("1", HiType.INVOICE), offered("2"))
    assert choose([chosen("1", None)], offered=on_offer, patient=PATIENT) == on_offer[:2]


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ([chosen("9")], "ABDM-1057"),
        ([chosen("1", HiType.INVOICE)], "ABDM-1057"),
        ([chosen("1"), chosen("9")], "ABDM-1057"),
        ([], "ABDM-1057"),
        ([chosen("1", patient="PAT-1")], "ABDM-1060"),
    ],
)
def test_nothing_else_can_be_chosen(choice: list[ChosenContext], code: str) -> None:
    with pytest.raises(LinkingRefused) as refusal:
        choose(choice, offered=[offered("1")], patient=PATIENT)
    assert refusal.value.code == code


def test_no_otp_is_taken_before_it_was_sent() -> None:
    attempt, verdict = confirm(a_link_attempt(state=AttemptState.OFFERED), OTP)
    assert (attempt.state, verdict.code) == (AttemptState.OFFERED, "ABDM-1035")


def test_the_last_moment_of_an_otp_is_before_its_expiry() -> None:
    attempt = a_link_attempt()
    assert confirm(attempt, OTP, at=5 * MINUTE - timedelta(microseconds=1))[1].code is None
    expired, verdict = confirm(attempt, OTP, at=5 * MINUTE)
    assert (expired.state, verdict.code) == (AttemptState.FAILED, "ABDM-1035")


def test_what_the_gateway_refused_is_not_confirmed_by_a_replay() -> None:
    confirmed, _ = confirm(a_link_attempt(), OTP)
    assert confirm(confirmed.fail("ABDM-1111", now=NOW), OTP)[1].code == "ABDM-1035"


@pytest.mark.parametrize("state", [AttemptState.OTP_SENT, AttemptState.OFFERED, AttemptState.FAILED])
def test_nothing_is_linked_without_the_right_otp(state: AttemptState) -> None:
    with pytest.raises(IllegalTransition):
        a_link_attempt(state=state).link(now=NOW)


def test_what_is_linked_does_not_fail() -> None:
    linked = confirm(a_link_attempt(), OTP)[0].link(now=NOW)
    assert linked.link(now=NOW) == linked
    with pytest.raises(IllegalTransition):
        linked.fail("ABDM-1111", now=NOW)


Step = tuple[str, str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "type", "link", "fail"]),
        st.sampled_from([OTP, "111111", "222222", ""]),
        st.integers(0, 7),
    ),
    max_size=14,
)


def steps_keep_the_rules(steps: list[Step]) -> None:
    attempt, ids, passed = a_link_attempt(state=AttemptState.OFFERED), 0, timedelta(0)
    wrong_before_the_right = 0
    for step, typed, minutes in steps:
        passed += minutes * MINUTE / 2
        before = attempt
        try:
            match step:
                case "send":
                    attempt = attempt.sent(now=NOW + passed)
                case "link":
                    attempt = attempt.link(now=NOW + passed)
                case "fail":
                    attempt = attempt.fail("ABDM-1004", now=NOW + passed)
                case _:
                    ids += 1
                    attempt, verdict = confirm(attempt, typed, id_=f"r{ids}", at=passed)
                    wrong_before_the_right += verdict.code is not None and before.state is AttemptState.OTP_SENT
                    if verdict.code is None:
                        assert typed == OTP
                        assert passed < 5 * MINUTE
                        assert before.tries < 5
                        assert before.state is not AttemptState.OFFERED
                    again = confirm(attempt, "another", id_=f"r{ids}", at=passed)
                    assert again[0].tries == attempt.tries or attempt.state is AttemptState.OTP_SENT
        except IllegalTransition:
            assert attempt is before
        assert attempt.tries <= 5
        assert attempt.tries <= wrong_before_the_right
        if before.state is AttemptState.LINKED:
            assert attempt.state is AttemptState.LINKED
        if before.state is AttemptState.FAILED:
            assert attempt == before
        if attempt.state in (AttemptState.CONFIRMED, AttemptState.LINKED):
            assert attempt.verdicts[-1].code is None


@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_only_the_right_otp_in_time_links(steps: list[Step]) -> None:
    steps_keep_the_rules(steps)


@pytest.mark.soak
@given(steps=STEPS)
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_many_times(steps: list[Step]) -> None:
    steps_keep_the_rules(steps)


def test_a_verdict_is_the_same_when_its_confirm_comes_again() -> None:
    attempt, first = confirm(a_link_attempt(), "111111", id_="one")
    again, second = confirm(attempt, OTP, id_="one")
    assert (again, second) == (attempt, first)
    assert replace(attempt) == attempt
