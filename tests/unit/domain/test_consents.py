"""What a consent permits, rule by rule: a truth table each, and a plain reference check beside (rules.md §2)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.consents import THE_YEAR, a_consent, an_artefact
from tests.builders.links import HIP, MEERA_ADDRESS, OTHER_HIP
from tests.builders.moments import DAY, NOW

from hip.domain.consents import Consent, ConsentedContext, ConsentStatus, DateRange, Refusal, SignatureState
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, HipId, PatientReference

TICK = timedelta(microseconds=1)
CONTEXT = ConsentedContext(
    patient_reference=PatientReference("PAT-20417"), care_context_reference=CareContextReference("88120")
)
ANOTHER = replace(CONTEXT, care_context_reference=CareContextReference("88121"))
ANOTHERS = replace(CONTEXT, patient_reference=PatientReference("PAT-1"))


def on_request(consent: Consent, **changes: Any) -> list[tuple[str, str]]:
    """Rule and code of every refusal."""
    values = {"hip_id": HIP, "asked": THE_YEAR, "now": NOW} | changes
    return [(refusal.rule, refusal.code) for refusal in consent.permits_request(**values)]


def on_record(artefact_changes: dict[str, Any] | None = None, **changes: Any) -> list[tuple[str, str]]:
    values = {
        "context": CONTEXT,
        "linked_to": MEERA_ADDRESS,
        "hi_type": HiType.PRESCRIPTION,
        "clinical_date": NOW - DAY,
        "asked": THE_YEAR,
    } | changes
    artefact = an_artefact(**(artefact_changes or {}))
    return [(refusal.rule, refusal.code) for refusal in artefact.permits_record(**values)]


def test_a_granted_consent_permits_what_it_names() -> None:
    assert on_request(a_consent()) == []
    assert on_record() == []


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (ConsentStatus.GRANTED, []),
        (ConsentStatus.REQUESTED, [("REL-02", "ABDM-1062")]),
        (ConsentStatus.DENIED, [("REL-02", "ABDM-1062")]),
        (ConsentStatus.PAUSED, [("REL-02", "ABDM-1062")]),
        (ConsentStatus.REVOKED, [("REL-02", "ABDM-1062")]),
        (ConsentStatus.EXPIRED, [("REL-02", "ABDM-1061")]),
    ],
)
def test_rel_02_only_granted_permits(status: ConsentStatus, refused: list[tuple[str, str]]) -> None:
    assert on_request(a_consent(status=status)) == refused
    assert on_request(a_consent(status=status, artefact=None)) == (refused or [("REL-02", "ABDM-1062")])


@pytest.mark.parametrize(("now", "refused"), [(-TICK, False), (0 * TICK, True), (TICK, True), (1000 * DAY, True)])
def test_rel_03_and_rel_04_a_consent_ends_by_our_own_clock(now: timedelta, refused: bool) -> None:
    """No EXPIRED notice need ever come."""
    erased = on_request(a_consent(), now=NOW + 90 * DAY + now)
    assert erased == ([("REL-03", "ABDM-1061")] if refused else [])


@pytest.mark.parametrize(
    ("named", "asked_of", "refused"),
    [(HIP, HIP, False), (None, HIP, False), (OTHER_HIP, HIP, True), (HIP, OTHER_HIP, True)],
)
def test_rel_05_an_artefact_of_another_hip_is_refused(named: HipId | None, asked_of: HipId, refused: bool) -> None:
    consent = a_consent(artefact=an_artefact(hip_id=named))
    assert on_request(consent, hip_id=asked_of) == ([("REL-05", "ABDM-1035")] if refused else [])


@pytest.mark.parametrize(
    ("linked_to", "refused"),
    [
        (MEERA_ADDRESS, False),
        (AbhaAddress.parse("MEERA.K01@SBX"), False),
        (AbhaAddress("meera.k01@abdm"), True),
        (AbhaAddress("meera.k02@sbx"), True),
        (None, True),
    ],
)
def test_rel_06_a_context_linked_to_anyone_else_is_refused(linked_to: AbhaAddress | None, refused: bool) -> None:
    assert on_record(linked_to=linked_to) == ([("REL-06", "ABDM-1062")] if refused else [])


@pytest.mark.parametrize("context", [ANOTHER, ANOTHERS])
def test_rel_07_a_context_the_artefact_does_not_name_is_refused(context: ConsentedContext) -> None:
    """Neither half of the pair is enough."""
    assert on_record(context=context) == [("REL-07", "ABDM-1062")]
    assert on_record({"care_contexts": (CONTEXT, context)}, context=context) == []
    assert on_record({"care_contexts": ()}) == [("REL-07", "ABDM-1062")]


@pytest.mark.parametrize(
    ("start", "end", "refused"),
    [
        (0 * TICK, 0 * TICK, False),
        (TICK, -TICK, False),
        (-TICK, 0 * TICK, True),
        (0 * TICK, TICK, True),
        (-TICK, TICK, True),
        (-400 * DAY, -400 * DAY, True),
        (400 * DAY, 400 * DAY, True),
    ],
)
def test_rel_08_what_is_asked_lies_wholly_inside_or_is_refused(start: timedelta, end: timedelta, refused: bool) -> None:
    """Never clamped: a part outside refuses the whole."""
    asked = DateRange(start=THE_YEAR.start + start, end=THE_YEAR.end + end)
    assert on_request(a_consent(), asked=asked) == ([("REL-08", "ABDM-1063")] if refused else [])


def test_rel_08_a_range_that_ends_before_it_begins_is_refused() -> None:
    assert DateRange(start=NOW, end=NOW).contains(NOW)
    with pytest.raises(InvalidValue) as refused:
        DateRange(start=NOW, end=NOW - TICK)
    assert (refused.value.field, refused.value.code) == ("dateRange", "ABDM-1063")


@pytest.mark.parametrize(
    ("clinical_date", "refused"),
    [
        (NOW - 10 * DAY - TICK, True),
        (NOW - 10 * DAY, False),
        (NOW - 5 * DAY, False),
        (NOW - 2 * DAY, False),
        (NOW - 2 * DAY + TICK, True),
    ],
)
def test_rel_09_a_record_outside_the_asked_dates_is_omitted(clinical_date: datetime, refused: bool) -> None:
    asked = DateRange(start=NOW - 10 * DAY, end=NOW - 2 * DAY)
    assert on_record(clinical_date=clinical_date, asked=asked) == ([("REL-09", "ABDM-1063")] if refused else [])


@pytest.mark.parametrize("clinical_date", [THE_YEAR.start - TICK, THE_YEAR.end + TICK])
def test_rel_09_a_record_outside_the_consented_dates_is_omitted_whatever_is_asked(clinical_date: datetime) -> None:
    wide = DateRange(start=NOW - 1000 * DAY, end=NOW + 1000 * DAY)
    assert on_record(clinical_date=clinical_date, asked=wide) == [("REL-09", "ABDM-1063")]


@pytest.mark.parametrize("hi_type", HiType)
def test_rel_10_a_type_the_artefact_does_not_name_is_omitted(hi_type: HiType) -> None:
    named = hi_type in (HiType.OP_CONSULTATION, HiType.PRESCRIPTION)
    assert on_record(hi_type=hi_type) == ([] if named else [("REL-10", "ABDM-1062")])
    nothing = {"hi_types": frozenset(), "unknown_hi_types": 8}
    assert on_record(nothing, hi_type=hi_type) == [("REL-10", "ABDM-1062")]


@pytest.mark.parametrize("mode", ["VIEW", "STORE", "QUERY", "STREAM", "PRINT", "", "view", "VIEW,STORE"])
def test_rel_11_an_unsupported_access_mode_is_refused(mode: str) -> None:
    supported = mode in ("VIEW", "STORE", "QUERY", "STREAM")
    consent = a_consent(artefact=an_artefact(access_mode=mode))
    assert on_request(consent) == ([] if supported else [("REL-11", "ABDM-1062")])


@pytest.mark.parametrize("purpose", ["CAREMGT", "BTG", "PUBHLTH", "HPAYMT", "DSRCH", "PATRQT", "MARKETING", "", "btg"])
def test_rel_13_a_purpose_that_is_not_one_of_abdms_is_refused(purpose: str) -> None:
    known = purpose in ("CAREMGT", "BTG", "PUBHLTH", "HPAYMT", "DSRCH", "PATRQT")
    consent = a_consent(artefact=an_artefact(purpose=purpose))
    assert on_request(consent) == ([] if known else [("REL-13", "ABDM-1062")])


@pytest.mark.parametrize("state", SignatureState)
def test_rel_18_a_failed_signature_always_refuses(state: SignatureState) -> None:
    refused = [("REL-18", "ABDM-1062")] if state is SignatureState.FAILED else []
    assert on_request(a_consent(signature_state=state)) == refused


def test_every_broken_rule_is_named_not_only_the_first() -> None:
    consent = a_consent(
        status=ConsentStatus.PAUSED,
        signature_state=SignatureState.FAILED,
        artefact=an_artefact(hip_id=OTHER_HIP, access_mode="", purpose="", data_erase_at=NOW),
    )
    wide = DateRange(start=THE_YEAR.start - DAY, end=THE_YEAR.end)
    rules = ["REL-02", "REL-18", "REL-03", "REL-05", "REL-08", "REL-11", "REL-13"]
    assert [rule for rule, _ in on_request(consent, asked=wide)] == rules
    broken = on_record(context=ANOTHER, linked_to=None, hi_type=HiType.INVOICE, clinical_date=NOW + 9 * DAY)
    assert [rule for rule, _ in broken] == ["REL-07", "REL-06", "REL-09", "REL-10"]


def test_a_refusal_says_in_words_what_is_wrong() -> None:
    refusals = (
        *a_consent(artefact=None).permits_request(hip_id=HIP, asked=THE_YEAR, now=NOW),
        *an_artefact(purpose="").permits_request(hip_id=OTHER_HIP, asked=THE_YEAR, now=NOW + 99 * DAY),
    )
    assert len(refusals) == 4
    assert all(isinstance(refusal, Refusal) and len(refusal.reason) > 15 for refusal in refusals)


@given(st.tuples(*[st.integers(0, 4)] * 5))
@settings(max_examples=50, deadline=None)
def test_a_moment_of_a_range_within_another_is_in_both(numbers: tuple[int, ...]) -> None:
    a, b, c, d, e = numbers
    inner = DateRange(start=NOW + min(a, b) * TICK, end=NOW + max(a, b) * TICK)
    outer = DateRange(start=NOW + min(c, d) * TICK, end=NOW + max(c, d) * TICK)
    assert inner.contains(NOW + e * TICK) is (e in range(min(a, b), max(a, b) + 1))
    assert inner.within(outer) is set(range(min(a, b), max(a, b) + 1)).issubset(range(min(c, d), max(c, d) + 1))


# ---- The plain reference: instants are integers, the artefact a bag of plain values ----


@dataclass(frozen=True)
class Case:
    """One consent, one request and one record, in plain values; instants are small integers."""

    status: str
    signature: str
    stored: bool
    hip: str | None
    begins: int
    ends: int
    erase: int
    mode: str
    purpose: str
    owner: str
    contexts: tuple[tuple[str, str], ...]
    types: frozenset[str]
    now: int
    asked_begins: int
    asked_ends: int
    record: tuple[str, str]
    linked: str | None
    record_type: str
    record_day: int


def may_leave(case: Case) -> bool:
    """What a careful clerk would say, holding the artefact in one hand and the record in the other."""
    if not case.stored or case.status != "GRANTED" or case.signature == "failed":
        return False
    if case.hip is not None and case.hip != "IN0410000123":
        return False
    if case.now in range(case.erase, 100):
        return False
    consented_days = set(range(case.begins, case.ends + 1))
    asked_days = set(range(case.asked_begins, case.asked_ends + 1))
    if not asked_days <= consented_days or case.record_day not in asked_days & consented_days:
        return False
    if case.mode not in ["VIEW", "STORE", "QUERY", "STREAM"]:
        return False
    if case.purpose not in ["CAREMGT", "BTG", "PUBHLTH", "HPAYMT", "DSRCH", "PATRQT"]:
        return False
    return case.linked == case.owner and case.record in case.contexts and case.record_type in case.types


def mostly(right: Any, *wrong: Any) -> st.SearchStrategy[Any]:
    """The right value three times of four, so that whole cases are permitted often enough."""
    return st.sampled_from([right] * 3 * len(wrong) + list(wrong))


PAIRS = [("PAT-1", "v1"), ("PAT-1", "v2"), ("PAT-2", "v1")]
cases = st.builds(
    Case,
    status=mostly("GRANTED", *(set(ConsentStatus) - {ConsentStatus.GRANTED})).map(str),
    signature=mostly("unverified", "absent", "verified", "failed"),
    stored=mostly(True, False),
    hip=mostly("IN0410000123", None, "IN0410000999"),
    begins=st.integers(0, 2),
    ends=st.integers(4, 6),
    erase=mostly(9, 7, 8),
    mode=mostly("VIEW", "STREAM", "PRINT"),
    purpose=mostly("CAREMGT", "BTG", "SELL"),
    owner=mostly("meera.k01@sbx", "ravi.r01@sbx"),
    contexts=st.lists(st.sampled_from(PAIRS), min_size=1, max_size=3).map(tuple),
    types=st.frozensets(st.sampled_from(["Prescription", "OPConsultation", "Invoice"]), min_size=1),
    now=st.integers(6, 9),
    asked_begins=st.integers(0, 3),
    asked_ends=st.integers(3, 6),
    record=st.sampled_from(PAIRS),
    linked=mostly("meera.k01@sbx", "ravi.r01@sbx", None),
    record_type=mostly("Prescription", "OPConsultation", "Invoice"),
    record_day=st.integers(0, 6),
)


def instant(number: int) -> datetime:
    return NOW + number * TICK


def pair(names: tuple[str, str]) -> ConsentedContext:
    return ConsentedContext(
        patient_reference=PatientReference(names[0]), care_context_reference=CareContextReference(names[1])
    )


def is_released(case: Case) -> bool:
    artefact = an_artefact(
        hip_id=None if case.hip is None else HipId(case.hip),
        patient=AbhaAddress(case.owner),
        care_contexts=tuple(pair(names) for names in case.contexts),
        hi_types=frozenset(HiType(name) for name in case.types),
        purpose=case.purpose,
        access_mode=case.mode,
        date_range=DateRange(start=instant(case.begins), end=instant(case.ends)),
        data_erase_at=instant(case.erase),
    )
    consent = a_consent(
        status=ConsentStatus(case.status),
        signature_state=SignatureState(case.signature),
        artefact=artefact if case.stored else None,
    )
    asked = DateRange(start=instant(case.asked_begins), end=instant(case.asked_ends))
    return not consent.permits_request(hip_id=HIP, asked=asked, now=instant(case.now)) and not artefact.permits_record(
        context=pair(case.record),
        linked_to=None if case.linked is None else AbhaAddress(case.linked),
        hi_type=HiType(case.record_type),
        clinical_date=instant(case.record_day),
        asked=asked,
    )


@pytest.mark.parametrize("examples", [300, pytest.param(20_000, marks=pytest.mark.soak)])
def test_nothing_leaves_that_a_plain_reading_of_the_artefact_would_not_allow(examples: int) -> None:
    @given(cases)
    @settings(max_examples=examples, deadline=None)
    def compare(case: Case) -> None:
        assert is_released(case) is may_leave(case)

    compare()


ALLOWED = Case(
    status="GRANTED",
    signature="unverified",
    stored=True,
    hip="IN0410000123",
    begins=1,
    ends=5,
    erase=8,
    mode="VIEW",
    purpose="CAREMGT",
    owner="meera.k01@sbx",
    contexts=(PAIRS[0],),
    types=frozenset({"Prescription"}),
    now=7,
    asked_begins=2,
    asked_ends=4,
    record=PAIRS[0],
    linked="meera.k01@sbx",
    record_type="Prescription",
    record_day=3,
)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "PAUSED"},
        {"signature": "failed"},
        {"stored": False},
        {"hip": "IN0410000999"},
        {"begins": 3},
        {"ends": 3},
        {"erase": 7},
        {"mode": "PRINT"},
        {"purpose": "SELL"},
        {"owner": "ravi.r01@sbx"},
        {"contexts": (PAIRS[1], PAIRS[2])},
        {"types": frozenset({"Invoice"})},
        {"asked_begins": 0},
        {"asked_ends": 6},
        {"record": PAIRS[2]},
        {"linked": None},
        {"record_type": "Invoice"},
        {"record_day": 5},
        {"record_day": 1},
    ],
    ids=str,
)
def test_each_single_change_stops_what_was_allowed(change: dict[str, Any]) -> None:
    assert is_released(ALLOWED)
    assert may_leave(ALLOWED)
    assert not is_released(replace(ALLOWED, **change))
    assert not may_leave(replace(ALLOWED, **change))
