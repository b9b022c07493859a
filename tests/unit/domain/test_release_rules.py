"""Every rule about a request as a whole, a truth table each (rules.md §2, REL-01 … REL-23)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.builders.consents import THE_YEAR, a_consent, an_artefact
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import DAY, MINUTE, NOW
from tests.builders.transfers import a_health_information_request, a_transfer

from hip.domain import release_conduct as conduct
from hip.domain import release_terms as terms
from hip.domain.consents import Consent, ConsentStatus, DateRange, SignatureState
from hip.domain.decisions import TITLES, RuleResult, Stage, Verdict
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, ConsentId
from hip.domain.key_material import KeyMaterial
from hip.domain.release import REQUEST_RULES, decide, ended, rel_23
from hip.domain.release_facts import Authority, FrequencyMode, ReleasePolicy, RequesterMode, RequestFacts, SignatureMode

TICK = timedelta(microseconds=1)
PASS, REFUSE, WARN, SPARED = Verdict.PASS, Verdict.REFUSE, Verdict.WARN, Verdict.NOT_APPLICABLE
POLICY = ReleasePolicy(consent_manager="sbx")


def facts(consent: Consent | None = None, **changes: Any) -> RequestFacts:
    """A request that every rule lets go, on ``consent`` or Meera's; then ``changes``."""
    consent = consent or a_consent(acknowledged_at=NOW)
    values: dict[str, Any] = {
        "stage": Stage.REQUEST,
        "transfer": a_transfer(),
        "authority": Authority.of(consent),
        "policy": POLICY,
        "now": NOW,
    }
    return RequestFacts(**(values | changes))


def on_terms(**terms_changed: Any) -> RequestFacts:
    return facts(a_consent(acknowledged_at=NOW, artefact=an_artefact(**terms_changed)))


def said(result: RuleResult) -> tuple[Verdict, str | None]:
    return result.verdict, result.code


def test_a_sound_request_is_permitted_and_every_rule_has_said_so() -> None:
    decision = decide(facts())
    assert decision.permitted
    assert decision.refusal is None
    warned = [result.rule for result in decision.results if result.verdict is not PASS]
    assert warned == ["REL-18", "REL-21"]  # an unverified signature is marked; nothing is under way yet
    assert len(decision.results) == len(REQUEST_RULES)
    assert {result.rule for result in decision.results} <= set(TITLES)


def test_a_record_names_whom_it_is_about_without_naming_them() -> None:
    decision = decide(facts())
    assert decision.requester == "IN0510000001"
    assert decision.patient is not None
    assert "meera" not in repr(decision)
    assert "PAT-20417" not in repr(decision)


@pytest.mark.parametrize("rule", [r for r in REQUEST_RULES if r.__name__ not in ("rel_14", "rel_15", "rel_21")])
def test_every_rule_fails_closed_without_a_consent(rule: Callable[[RequestFacts], RuleResult]) -> None:
    nothing = replace(facts(), authority=None)
    expected = PASS if rule.__name__.startswith("push") else REFUSE
    assert rule(nothing).verdict is expected


def test_rel_01_an_unknown_consent_is_refused() -> None:
    assert said(terms.rel_01(facts())) == (PASS, None)
    assert said(terms.rel_01(replace(facts(), authority=None))) == (REFUSE, "ABDM-1112")
    other = facts(a_consent(consent_id=ConsentId("consent-9")))
    assert said(terms.rel_01(other)) == (REFUSE, "ABDM-1112")


@pytest.mark.parametrize("status", ConsentStatus)
@pytest.mark.parametrize("kept", [True, False])
def test_rel_02_only_granted_with_an_artefact_permits(status: ConsentStatus, kept: bool) -> None:
    consent = a_consent(status=status, **({} if kept else {"artefact": None}))
    verdict, code = said(terms.rel_02(facts(consent)))
    assert verdict is (PASS if status is ConsentStatus.GRANTED and kept else REFUSE)
    if verdict is REFUSE:
        assert code == ("ABDM-1061" if status is ConsentStatus.EXPIRED else "ABDM-1062")


@pytest.mark.parametrize(("off", "verdict"), [(-TICK, PASS), (0 * TICK, REFUSE), (TICK, REFUSE), (900 * DAY, REFUSE)])
def test_rel_03_a_consent_ends_at_data_erase_at(off: timedelta, verdict: Verdict) -> None:
    result = terms.rel_03(facts(now=NOW + 90 * DAY + off))
    assert said(result) == (verdict, None if verdict is PASS else "ABDM-1061")


@pytest.mark.parametrize(
    ("status", "off", "verdict"),
    [
        (ConsentStatus.GRANTED, -TICK, PASS),
        (ConsentStatus.GRANTED, 0 * TICK, REFUSE),
        (ConsentStatus.PAUSED, 0 * TICK, REFUSE),
        (ConsentStatus.EXPIRED, 0 * TICK, PASS),
        (ConsentStatus.REVOKED, 0 * TICK, PASS),
    ],
)
def test_rel_04_the_clock_ends_what_no_notice_ended(status: ConsentStatus, off: timedelta, verdict: Verdict) -> None:
    result = terms.rel_04(facts(a_consent(status=status), now=NOW + 90 * DAY + off))
    assert said(result) == (verdict, None if verdict is PASS else "ABDM-1061")


@pytest.mark.parametrize(
    ("named", "stored_for", "asked_of", "verdict"),
    [
        (HIP, HIP, HIP, PASS),
        (None, HIP, HIP, WARN),
        (OTHER_HIP, HIP, HIP, REFUSE),
        (HIP, HIP, OTHER_HIP, REFUSE),
        (HIP, OTHER_HIP, HIP, REFUSE),
        (None, OTHER_HIP, HIP, REFUSE),
    ],
)
def test_rel_05_the_consent_is_for_the_hip_that_is_asked(
    named: Any, stored_for: Any, asked_of: Any, verdict: Verdict
) -> None:
    consent = a_consent(hip_id=stored_for, artefact=an_artefact(hip_id=named))
    result = terms.rel_05(facts(consent, transfer=a_transfer(hip_id=asked_of)))
    assert said(result) == (verdict, "ABDM-1035" if verdict is REFUSE else None)


@pytest.mark.parametrize(
    ("address", "manager", "verdict"),
    [
        ("meera.k01@sbx", "sbx", PASS),
        ("meera.k01@sbx", "SBX", PASS),
        ("meera.k01@abdm", "abdm", PASS),
        ("meera.k01@abdm", "sbx", REFUSE),
        ("meera.k01@sbx", "abdm", REFUSE),
        ("meera.k01@sbx", "", REFUSE),
    ],
)
def test_rel_06_an_address_of_another_environment_is_refused(address: str, manager: str, verdict: Verdict) -> None:
    consent = a_consent(artefact=an_artefact(patient=AbhaAddress(address)))
    result = terms.rel_06(facts(consent, policy=ReleasePolicy(consent_manager=manager)))
    assert said(result) == (verdict, "ABDM-1062" if verdict is REFUSE else None)


@pytest.mark.parametrize(
    ("start", "end", "verdict"),
    [
        (0 * TICK, 0 * TICK, PASS),
        (TICK, -TICK, PASS),
        (-TICK, 0 * TICK, REFUSE),
        (0 * TICK, TICK, REFUSE),
        (-400 * DAY, -400 * DAY, REFUSE),
    ],
)
def test_rel_08_dates_outside_the_consent_are_refused_never_clamped(
    start: timedelta, end: timedelta, verdict: Verdict
) -> None:
    asked = DateRange(start=THE_YEAR.start + start, end=THE_YEAR.end + end)
    transfer = a_transfer(request=a_health_information_request(date_range=asked))
    assert said(terms.rel_08(facts(transfer=transfer))) == (verdict, "ABDM-1063" if verdict is REFUSE else None)


@pytest.mark.parametrize(("unknown", "verdict"), [(0, PASS), (1, WARN)])
def test_rel_10_names_of_kinds_we_do_not_know_are_marked(unknown: int, verdict: Verdict) -> None:
    assert terms.rel_10(on_terms(unknown_hi_types=unknown)).verdict is verdict


@pytest.mark.parametrize("mode", ["VIEW", "STORE", "QUERY", "STREAM", "PRINT", "", "view", "VIEW,STORE"])
def test_rel_11_an_unsupported_access_mode_is_refused(mode: str) -> None:
    supported = mode in ("VIEW", "STORE", "QUERY", "STREAM")
    assert said(terms.rel_11(on_terms(access_mode=mode))) == ((PASS, None) if supported else (REFUSE, "ABDM-1062"))


@pytest.mark.parametrize(
    ("frequency", "earlier", "warns"),
    [
        (("HOUR", 1, 0), 0, False),
        (("HOUR", 1, 0), 1, True),
        (("DAY", 2, 3), 3, False),
        (("DAY", 2, 3), 4, True),
        (("FORTNIGHT", 1, 9), 0, True),
        (("HOUR", 0, 9), 0, True),
        (None, 0, True),
    ],
)
def test_rel_12_the_frequency_is_counted_and_enforced_only_when_asked_to(
    frequency: Any, earlier: int, warns: bool
) -> None:
    asked = replace(on_terms(frequency=frequency), earlier=earlier)
    assert terms.rel_12(asked).verdict is (WARN if warns else PASS)
    strict = replace(asked, policy=replace(POLICY, frequency=FrequencyMode.ENFORCE))
    assert said(terms.rel_12(strict)) == ((REFUSE, "ABDM-1062") if warns else (PASS, None))
    assert terms.rel_12(replace(strict, stage=Stage.PAGE)).verdict is SPARED


@pytest.mark.parametrize(
    ("frequency", "window"),
    [
        (("HOUR", 1, 0), timedelta(hours=1)),
        (("WEEK", 2, 0), timedelta(days=14)),
        (("YEAR", 2**31 - 1, 0), timedelta(days=3650)),
        (("MOON", 1, 0), None),
        (None, None),
    ],
)
def test_rel_12_the_window_is_never_longer_than_ten_years(frequency: Any, window: timedelta | None) -> None:
    assert terms.window_of(an_artefact(frequency=frequency)) == window


@pytest.mark.parametrize(
    ("purpose", "verdict"),
    [
        *[(purpose, PASS) for purpose in ("CAREMGT", "PUBHLTH", "HPAYMT", "DSRCH", "PATRQT")],
        ("BTG", WARN),
        *[(purpose, REFUSE) for purpose in ("MARKETING", "", "btg")],
    ],
)
def test_rel_13_only_abdms_purposes_permit_and_break_the_glass_calls_for_attention(
    purpose: str, verdict: Verdict
) -> None:
    assert said(terms.rel_13(on_terms(purpose=purpose))) == (verdict, "ABDM-1062" if verdict is REFUSE else None)


def with_key(**changes: Any) -> RequestFacts:
    material = replace(KeyMaterial(public_key="BA==", nonce="bm8=", expires_at=NOW + DAY), **changes)
    return facts(transfer=a_transfer(request=a_health_information_request(key_material=material)))


@pytest.mark.parametrize(
    ("changes", "fault", "verdict"),
    [
        ({}, None, PASS),
        ({"curve": "curve25519"}, None, PASS),
        ({"algorithm": "RSA"}, None, REFUSE),
        ({"curve": "P-256"}, None, REFUSE),
        ({}, "the point is not on the curve", REFUSE),
    ],
)
def test_rel_14_an_unusable_key_is_refused(changes: dict[str, Any], fault: str | None, verdict: Verdict) -> None:
    result = conduct.rel_14(replace(with_key(**changes), key_fault=fault))
    assert said(result) == (verdict, "ABDM-1006" if verdict is REFUSE else None)


@pytest.mark.parametrize(("until", "verdict"), [(TICK, PASS), (0 * TICK, REFUSE), (-TICK, REFUSE), (None, REFUSE)])
def test_rel_15_the_keys_expiry_is_compared_with_its_time(until: timedelta | None, verdict: Verdict) -> None:
    result = conduct.rel_15(with_key(expires_at=None if until is None else NOW + until))
    assert said(result) == (verdict, "ABDM-1006" if verdict is REFUSE else None)


def test_rel_16_a_transaction_of_another_consent_is_refused() -> None:
    assert conduct.rel_16(facts()).verdict is PASS
    other = facts(transfer=a_transfer(consent_id=ConsentId("consent-2")))
    assert said(conduct.rel_16(other)) == (REFUSE, "ABDM-1064")


@pytest.mark.parametrize(
    ("hiu", "mode", "verdict"),
    [
        ("IN0510000001", RequesterMode.WARN, PASS),
        (None, RequesterMode.WARN, WARN),
        ("", RequesterMode.WARN, WARN),
        ("IN0510000001", RequesterMode.ENFORCE, PASS),
        (None, RequesterMode.ENFORCE, REFUSE),
        ("", RequesterMode.ENFORCE, REFUSE),
    ],
)
def test_rel_17_a_consent_that_names_no_requester_is_marked_or_refused(
    hiu: str | None, mode: RequesterMode, verdict: Verdict
) -> None:
    asked = on_terms(hiu_id=hiu)
    policy = replace(asked.policy, requester=mode)
    result = terms.rel_17(replace(asked, policy=policy))
    assert said(result) == (verdict, "ABDM-1062" if verdict is REFUSE else None)


@pytest.mark.parametrize(
    ("named", "asking", "verdict"),
    [
        ("HIU-1", "HIU-1", PASS),
        ("HIU-1", "hiu-1", PASS),
        ("HIU-1", "HIU-2", REFUSE),
        ("HIU-1", None, PASS),
        (None, "HIU-2", WARN),
    ],
)
def test_rel_17_a_requester_that_names_itself_is_the_one_of_the_consent(
    named: str | None, asking: str | None, verdict: Verdict
) -> None:
    asked = on_terms(hiu_id=named)
    transfer = replace(asked.transfer, request=replace(asked.transfer.request, requester=asking))
    result = terms.rel_17(replace(asked, transfer=transfer))
    assert said(result) == (verdict, "ABDM-1062" if verdict is REFUSE else None)


@pytest.mark.parametrize("mode", SignatureMode)
@pytest.mark.parametrize("state", SignatureState)
def test_rel_18_a_false_signature_always_refuses_and_enforce_wants_a_true_one(
    mode: SignatureMode, state: SignatureState
) -> None:
    result = terms.rel_18(facts(a_consent(signature_state=state), policy=replace(POLICY, signature=mode)))
    if state is SignatureState.FAILED:
        expected = REFUSE
    elif state is SignatureState.VERIFIED or mode is SignatureMode.OFF:
        expected = PASS
    else:
        expected = REFUSE if mode is SignatureMode.ENFORCE else WARN
    assert said(result) == (expected, "ABDM-1062" if expected is REFUSE else None)


@pytest.mark.parametrize(
    "change",
    [
        {"hi_types": frozenset(HiType)},
        {"purpose": "DSRCH"},
        {"hiu_id": "HIU-2"},
        {"hip_id": None},
        {"patient": AbhaAddress("ravi.r01@sbx")},
        {"care_contexts": ()},
        {"access_mode": "STORE"},
        {"date_range": DateRange(start=NOW - 301 * DAY, end=NOW + DAY)},
        {"data_erase_at": NOW + 91 * DAY},
        {"frequency": None},
        {"unknown_hi_types": 1},
        {"consent_id": ConsentId("consent-2")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_rel_19_a_stored_artefact_that_was_changed_anywhere_is_refused(change: dict[str, Any]) -> None:
    assert conduct.rel_19(facts()).verdict is PASS
    changed = replace(a_consent(), artefact=an_artefact(**change))
    assert said(conduct.rel_19(facts(changed))) == (REFUSE, "ABDM-1062")


def test_rel_19_an_artefact_whose_hash_was_never_stored_is_refused() -> None:
    assert conduct.rel_19(facts(a_consent(terms_hash=None))).verdict is REFUSE


def test_rel_20_nothing_flows_before_the_on_notify_was_taken_and_that_alone_waits() -> None:
    waiting = decide(facts(a_consent()))
    assert waiting.waits
    assert not waiting.permitted
    assert conduct.rel_20(facts()).verdict is PASS
    revoked = decide(facts(a_consent(status=ConsentStatus.PAUSED)))
    assert not revoked.waits
    assert revoked.refusal is not None
    assert revoked.refusal.rule == "REL-02"


@pytest.mark.parametrize("stage", [Stage.PLAN, Stage.PAGE])
@pytest.mark.parametrize(
    ("consent", "verdict"),
    [
        (a_consent(), PASS),
        (a_consent(status=ConsentStatus.REVOKED, artefact=None), REFUSE),
        (a_consent(status=ConsentStatus.EXPIRED), REFUSE),
        (a_consent(artefact=None), REFUSE),
    ],
)
def test_rel_21_a_consent_that_ended_meanwhile_stops_what_is_under_way(
    stage: Stage, consent: Consent, verdict: Verdict
) -> None:
    assert conduct.rel_21(facts(consent, stage=stage)).verdict is verdict
    assert decide(facts(consent, stage=stage)).permitted is False or verdict is PASS


@pytest.mark.parametrize(("leaving", "verdict"), [(0, WARN), (1, PASS), (40, PASS)])
def test_rel_23_nothing_to_send_is_told_and_marked(leaving: int, verdict: Verdict) -> None:
    assert rel_23(leaving).verdict is verdict
    assert decide(facts(), whole=True).results[-1].verdict is WARN


def test_push_04_an_unsafe_address_is_refused() -> None:
    assert conduct.push_04(facts()).verdict is PASS
    assert said(conduct.push_04(facts(push_fault="private"))) == (REFUSE, "ABDM-1006")


@pytest.mark.parametrize(("off", "verdict"), [(-TICK, PASS), (0 * TICK, REFUSE)])
def test_push_07_no_page_starts_after_the_deadline(off: timedelta, verdict: Verdict) -> None:
    assert conduct.push_07(facts(stage=Stage.PAGE, now=NOW + 20 * MINUTE + off)).verdict is verdict
    assert conduct.push_07(facts(stage=Stage.REQUEST, now=NOW + 20 * MINUTE + off)).verdict is PASS


@pytest.mark.parametrize("status", [ConsentStatus.REVOKED, ConsentStatus.EXPIRED])
@pytest.mark.parametrize("late", [True, False])
def test_ret_01_the_end_of_a_consent_is_a_record_that_permits_nothing(status: ConsentStatus, late: bool) -> None:
    before = a_consent()
    now = NOW + 91 * DAY if late else NOW
    after = before.receive(status, artefact=None, artefact_hash=None, signature_state=SignatureState.ABSENT, now=now)
    record = ended(before, after)
    assert (record.stage, record.transaction_id, record.permitted) == (Stage.ENDED, None, False)
    assert record.patient == decide(facts()).patient
    by_clock = next(result for result in record.results if result.rule == "REL-04")
    assert by_clock.refuses is (late and status is ConsentStatus.EXPIRED)
