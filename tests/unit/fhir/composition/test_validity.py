"""Every bundle the composer makes is valid by the NRCeS validator, whatever the visit holds."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.builders.visits import CLINIC, visits

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.hi_types import HiType
from hip.domain.visits import VisitRecord

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "visits").glob("*.json"))


@pytest.fixture(scope="module")
def validator() -> NrcesValidator:
    return NrcesValidator()


def check_validity(visit: VisitRecord, validator: NrcesValidator) -> None:
    for hi_type in HiType:
        if visit.has_data_for(hi_type):
            report = validator.validate(FhirComposer().compose(visit, hi_type, facility=CLINIC))
            assert [(issue.rule, issue.path, issue.message) for issue in report.errors] == []


@given(visit=visits())
@settings(max_examples=12, deadline=None)
def test_every_bundle_of_any_visit_is_valid(validator, visit):
    check_validity(visit, validator)


@pytest.mark.soak
@pytest.mark.timeout(1_200)
@given(visit=visits())
@settings(max_examples=2_000, deadline=None)
def test_two_thousand_visits_make_valid_bundles(validator, visit):
    check_validity(visit, validator)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_bundle_of_the_examples_is_valid(validator, example):
    visit = VisitRecordReader().read(example.read_bytes())
    for hi_type in visit.required_hi_types:
        report = validator.validate(FhirComposer().compose(visit, hi_type, facility=CLINIC))
        assert [(issue.rule, issue.path) for issue in report.errors] == []
        # Body temperature is not surface temperature, the only one the guide's wellness set knows.
        outside = [issue for issue in report.issues if issue.rule == "binding-extensible"]
        assert all(hi_type is HiType.WELLNESS_RECORD and "8310-5" in issue.found for issue in outside)


def test_the_validator_would_tell(validator):
    """The property above can fail: a bundle with its type taken away does."""
    visit = VisitRecordReader().read(EXAMPLES[0].read_bytes())
    content = FhirComposer().compose(visit, HiType.PRESCRIPTION, facility=CLINIC)
    assert not validator.validate(content.replace(b'"type":"document"', b'"type":"collection"')).valid
