"""Every rule about a single record, a truth table each (rules.md §2, REL-06, 07, 09, 10, 19, 22)."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.builders.consents import THE_YEAR, a_consent, an_artefact
from tests.builders.links import HIP, MEERA_ADDRESS, OTHER_HIP, a_care_context
from tests.builders.moments import DAY, NOW
from tests.builders.stored_visits import a_bundle_key, a_bundle_record
from tests.builders.transfers import a_health_information_request, a_transfer
from tests.builders.visits import CLINIC, a_visit

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.domain import release_records as records
from hip.domain.consents import ConsentedContext, DateRange
from hip.domain.decisions import RuleResult, Stage, Verdict
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, PatientReference, VisitCode
from hip.domain.release import decide
from hip.domain.release_facts import Authority, ReleasePolicy, RequestFacts
from hip.domain.release_records import RecordFacts, Subject

TICK = timedelta(microseconds=1)
PASS, REFUSE, SPARED = Verdict.PASS, Verdict.REFUSE, Verdict.NOT_APPLICABLE
SUBJECT = Subject(
    numbers=frozenset({"PAT-20417", "91-1234-5678-9012"}), abha_addresses=frozenset({"meera.k01@sbx"}), consistent=True
)
CONTEXT = ConsentedContext(
    patient_reference=PatientReference("PAT-20417"), care_context_reference=CareContextReference("88120")
)


def request(**terms: Any) -> RequestFacts:
    consent = a_consent(acknowledged_at=NOW, artefact=an_artefact(**terms))
    return RequestFacts(
        stage=Stage.PAGE,
        transfer=a_transfer(),
        authority=Authority.of(consent),
        policy=ReleasePolicy(consent_manager="sbx"),
        now=NOW,
    )


def a_linked_context(**changes: Any) -> Any:
    return a_care_context(**({"linked_to": MEERA_ADDRESS, "linked_at": NOW, "clinical_date": NOW - DAY} | changes))


def a_record(**changes: Any) -> RecordFacts:
    """Meera's prescription of visit 88120, opened and in order; then ``changes``."""
    record = a_bundle_record(key=a_bundle_key(hi_type=HiType.PRESCRIPTION), sha256="cd" * 32)
    values: dict[str, Any] = {
        "context": CONTEXT,
        "known": a_linked_context(),
        "hi_type": HiType.PRESCRIPTION,
        "record": record,
        "opened": True,
        "content_hash": "cd" * 32,
        "subject": SUBJECT,
    }
    return RecordFacts(**(values | changes))


def said(result: RuleResult) -> tuple[Verdict, str | None]:
    return result.verdict, result.code


def no(code: str = "ABDM-1062") -> tuple[Verdict, str]:
    return REFUSE, code


YES = (PASS, None)


def test_a_sound_record_leaves_and_every_rule_has_said_so() -> None:
    [one] = decide(request(), [a_record()]).records
    assert one.leaves
    assert [result.verdict for result in one.results] == [PASS] * 6


def test_what_was_never_examined_does_not_leave() -> None:
    [one] = decide(request(), [a_record()]).records
    assert not replace(one, results=()).leaves


@pytest.mark.parametrize("rule", records.RECORD_RULES)
def test_every_rule_fails_closed_without_a_consent_and_without_books(rule: Any) -> None:
    nobody = replace(request(), authority=None)
    nothing = RecordFacts(context=CONTEXT, known=None, hi_type=None, record=None, opened=True)
    assert rule(nobody, nothing).verdict is REFUSE
    assert rule(request(), nothing).verdict is REFUSE


@pytest.mark.parametrize(
    ("linked_to", "expected"),
    [
        (MEERA_ADDRESS, YES),
        (AbhaAddress.parse("MEERA.K01@SBX"), YES),
        (AbhaAddress("meera.k01@abdm"), no()),
        (AbhaAddress("meera.k02@sbx"), no()),
        (None, no()),
    ],
)
def test_rel_06_a_context_linked_to_anyone_else_stays(linked_to: AbhaAddress | None, expected: Any) -> None:
    assert said(records.rel_06(request(), a_record(known=a_linked_context(linked_to=linked_to)))) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, YES),
        ({"context": replace(CONTEXT, care_context_reference=CareContextReference("88121"))}, no()),
        ({"context": replace(CONTEXT, patient_reference=PatientReference("PAT-1"))}, no()),
        ({"known": None}, no()),
        ({"known": a_linked_context(hip_id=OTHER_HIP)}, no()),
        ({"known": a_linked_context(patient_reference=PatientReference("PAT-1"))}, no()),
        ({"known": a_linked_context(reference=CareContextReference("88121"))}, no()),
    ],
)
def test_rel_07_only_pairs_that_the_consent_and_our_books_both_know_leave(change: Any, expected: Any) -> None:
    assert said(records.rel_07(request(), a_record(**change))) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (NOW - 10 * DAY - TICK, no("ABDM-1063")),
        (NOW - 10 * DAY, YES),
        (NOW - 2 * DAY, YES),
        (NOW - 2 * DAY + TICK, no("ABDM-1063")),
    ],
)
def test_rel_09_a_record_outside_the_asked_dates_stays(at: Any, expected: Any) -> None:
    asked = DateRange(start=NOW - 10 * DAY, end=NOW - 2 * DAY)
    narrow = replace(request(), transfer=a_transfer(request=a_health_information_request(date_range=asked)))
    assert said(records.rel_09(narrow, a_record(known=a_linked_context(clinical_date=at)))) == expected


@pytest.mark.parametrize("at", [THE_YEAR.start - TICK, THE_YEAR.end + TICK])
def test_rel_09_a_record_outside_the_consented_dates_stays_whatever_is_asked(at: Any) -> None:
    wide = DateRange(start=NOW - 1000 * DAY, end=NOW + 1000 * DAY)
    asked = replace(request(), transfer=a_transfer(request=a_health_information_request(date_range=wide)))
    assert said(records.rel_09(asked, a_record(known=a_linked_context(clinical_date=at)))) == no("ABDM-1063")


@pytest.mark.parametrize("hi_type", [*HiType, None])
def test_rel_10_a_kind_the_consent_does_not_name_stays(hi_type: HiType | None) -> None:
    named = hi_type in (HiType.OP_CONSULTATION, HiType.PRESCRIPTION)
    assert said(records.rel_10(request(), a_record(hi_type=hi_type))) == (YES if named else no())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, YES),
        ({"content_hash": "ce" * 32}, no()),
        ({"content_hash": None}, no()),
        ({"record": None}, no()),
        ({"opened": False, "content_hash": None}, (SPARED, None)),
    ],
)
def test_rel_19_bytes_that_were_changed_in_the_store_stay(change: Any, expected: Any) -> None:
    assert said(records.rel_19(request(), a_record(**change))) == expected


def bundle(**changes: Any) -> Any:
    key = a_bundle_key(**{"hi_type": HiType.PRESCRIPTION, **changes})
    return a_bundle_record(key=key, sha256="cd" * 32)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, YES),
        ({"opened": False}, YES),
        ({"record": None}, no()),
        ({"record": replace(bundle(), valid=False)}, no()),
        ({"record": None, "to_build": True, "opened": False}, (SPARED, None)),
        ({"record": None, "to_build": True}, no()),
        ({"record": bundle(visit_code=VisitCode("88121"))}, no()),
        ({"record": bundle(hi_type=HiType.INVOICE)}, no()),
        ({"record": bundle(hip_id=OTHER_HIP)}, no()),
        ({"subject": None}, no()),
        ({"subject": replace(SUBJECT, consistent=False)}, no()),
        ({"subject": replace(SUBJECT, numbers=frozenset({"PAT-1"}))}, no()),
        ({"subject": replace(SUBJECT, abha_addresses=frozenset({"ravi.r01@sbx"}))}, no()),
        ({"subject": replace(SUBJECT, abha_addresses=frozenset({"ravi.r01@sbx", "meera.k01@sbx"}))}, no()),
        ({"subject": replace(SUBJECT, abha_addresses=frozenset())}, YES),
    ],
)
def test_rel_22_only_a_valid_bundle_of_this_very_patient_leaves(change: Any, expected: Any) -> None:
    assert said(records.rel_22(request(), a_record(**change))) == expected


def composed() -> Any:
    return json.loads(FhirComposer().compose(a_visit(), HiType.PRESCRIPTION, facility=CLINIC))


def test_rel_22_a_composed_bundle_says_whose_it_is() -> None:
    assert Subject.read(json.dumps(composed()).encode()) == SUBJECT
    assert a_visit().hip_id == HIP


def _patient(document: Any) -> Any:
    return next(entry for entry in document["entry"] if entry["resource"]["resourceType"] == "Patient")


def _swap_subject(document: Any) -> None:
    document["entry"][0]["resource"]["subject"] = {"reference": "urn:uuid:somebody-else"}


def _swap_subject_inside(document: Any) -> None:
    inner = next(e for e in document["entry"] if e["resource"]["resourceType"] == "MedicationRequest")
    inner["resource"]["subject"] = {"reference": "Patient/2"}


def _two_patients(document: Any) -> None:
    document["entry"].append(_patient(document))


def _no_patient(document: Any) -> None:
    document["entry"].remove(_patient(document))


def _no_subject(document: Any) -> None:
    del document["entry"][0]["resource"]["subject"]


def _no_identifier(document: Any) -> None:
    del _patient(document)["resource"]["identifier"]


def _no_composition(document: Any) -> None:
    document["entry"].pop(0)


@pytest.mark.parametrize(
    "change",
    [_swap_subject, _swap_subject_inside, _two_patients, _no_patient, _no_subject, _no_identifier, _no_composition],
)
def test_rel_22_a_bundle_that_does_not_agree_with_itself_is_nobodys(change: Any) -> None:
    document = composed()
    change(document)
    assert not Subject.read(json.dumps(document).encode()).consistent


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"entry": []}', b'{"entry": [1]}', b"\xff", b"[" * 10**5])
def test_rel_22_bytes_that_are_no_bundle_are_nobodys(content: bytes) -> None:
    assert not Subject.read(content).consistent
