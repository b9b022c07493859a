"""The Validator port: a report for any content, never an exception."""

import json

import pytest
from tests.unit.fhir.validation.documents import document

from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.application.ports import Validator
from hip.domain.bundles import Severity


@pytest.fixture
def validator() -> Validator:
    return NrcesValidator()


def test_a_sound_document_is_valid(validator: Validator) -> None:
    report = validator.validate(json.dumps(document()).encode())
    assert report.valid
    assert report.errors == ()


def test_a_broken_document_says_where_and_how_to_mend_it(validator: Validator) -> None:
    report = validator.validate(json.dumps({**document(), "type": "collection"}).encode())
    assert not report.valid
    issue = report.errors[0]
    assert (issue.severity, issue.path, issue.rule) == (Severity.ERROR, "Bundle.type", "fixed-value")
    assert issue.fix == 'write "document"'


def test_what_was_found_is_not_in_the_repr_of_an_issue(validator: Validator) -> None:
    """Issues are logged; the values they quote may be a patient's."""
    bundle = document({"resourceType": "Patient", "name": [{"text": "Asha"}], "birthDate": "canary-7151"})
    issue = validator.validate(json.dumps(bundle).encode()).errors[0]
    assert "canary-7151" in issue.found
    assert "canary-7151" not in repr(issue)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"resourceType": "Bundle"}', b"[" * 20_000])
def test_any_content_gets_a_report(validator: Validator, content: bytes) -> None:
    assert not validator.validate(content).valid


def test_the_same_content_gets_the_same_report(validator: Validator) -> None:
    content = json.dumps({**document(), "total": 3}).encode()
    assert validator.validate(content) == validator.validate(content) == NrcesValidator().validate(content)
