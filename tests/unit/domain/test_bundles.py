"""Bundles: their keys, digests and verdicts."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.moments import NOW
from tests.builders.stored_visits import a_bundle_key

from hip.domain.bundles import Bundle, Issue, Severity, ValidationReport
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode


def an_issue(severity: Severity) -> Issue:
    return Issue(
        severity=severity, rule="min", profile="", path="Bundle.entry", found="", expected="1..*", message="", fix=""
    )


@pytest.mark.parametrize(
    ("severities", "valid"),
    [
        ([], True),
        ([Severity.WARNING, Severity.INFORMATION], True),
        ([Severity.ERROR], False),
        ([Severity.WARNING, Severity.ERROR, Severity.INFORMATION, Severity.ERROR], False),
    ],
)
def test_only_an_error_makes_a_bundle_invalid(severities: list[Severity], valid: bool) -> None:
    issues = tuple(an_issue(severity) for severity in severities)
    report = ValidationReport(issues=issues)
    assert report.valid is valid
    assert report.errors == tuple(issue for issue in issues if issue.severity is Severity.ERROR)


@given(st.binary(max_size=100))
@settings(max_examples=20, deadline=None)
def test_the_digest_is_that_of_the_exact_bytes(content: bytes) -> None:
    bundle = Bundle(key=a_bundle_key(), version=1, content=content, valid=True, composed_at=NOW)
    assert bundle.sha256 == hashlib.sha256(content).hexdigest()


def test_a_key_is_one_per_hip_visit_and_type() -> None:
    """Contract §5.2."""
    key = a_bundle_key()
    assert str(key) == "IN0410000123/88120/Prescription"
    others = [
        a_bundle_key(hip_id=HipId("IN0410000999")),
        a_bundle_key(visit_code=VisitCode("88121")),
        a_bundle_key(hi_type=HiType.INVOICE),
    ]
    assert len({key, a_bundle_key(), *others}) == 4
    assert len({str(each) for each in (key, *others)}) == 4


def test_keys_sort_by_hip_then_visit_then_type() -> None:
    keys = [
        a_bundle_key(hi_type=hi_type, visit_code=VisitCode(visit), hip_id=HipId(hip))
        for hip in ("IN1", "IN2")
        for visit in ("1", "2")
        for hi_type in (HiType.INVOICE, HiType.PRESCRIPTION)
    ]
    assert sorted([*keys[5:], *keys[:5]]) == keys
