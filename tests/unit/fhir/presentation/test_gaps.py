"""The gaps of a page are the validator's: what it warns of is "NA here" on the page, and nothing else is."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.visits import CLINIC, visits
from tests.unit.fhir.presentation.examples import document, documents, muted, resource

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.presentation.rendering import GAP_RULE, present
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.domain.hi_types import HiType

SHARED = Path(__file__).parents[5] / "shared" / "nrces"
ASKED = {
    "text, or coding.display",
    "text",
    "data, or url",
    "value[x], component, hasMember or dataAbsentReason",
}


@pytest.fixture(scope="module")
def validator() -> NrcesValidator:
    return NrcesValidator()


def warned(bundle: dict[str, Any], validator: NrcesValidator) -> Counter[tuple[str, str]]:
    issues = validator.validate(bundle).issues
    return Counter((issue.path, issue.expected) for issue in issues if issue.rule == GAP_RULE)


def check(bundle: dict[str, Any], validator: NrcesValidator) -> int:
    warnings = warned(bundle, validator)
    page = present(bundle, validator.validate(bundle).issues)
    marked = Counter((row.path, row.expected) for row in page.gaps())
    assert warnings <= marked, "a warning is not on the page, or not once"
    alone = Counter((row.path, row.expected) for row in present(bundle).gaps() if row.expected in ASKED)
    assert alone <= warnings, "the page invents a gap"
    return sum(warnings.values())


@pytest.mark.parametrize("name", documents())
def test_whatever_loses_its_words_is_na_for_both(validator, name):
    gaps = [check(bundle, validator) for bundle in muted(documents()[name])]
    assert sum(found > 0 for found in gaps) > 5


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled corpus is not beside the repository")
def test_pages_and_warnings_agree_on_the_labelled_corpus(validator):
    found = 0
    for file in sorted(SHARED.glob("*/*.json")):
        try:
            bundle = json.loads(file.read_bytes())
        except ValueError:
            continue
        if isinstance(bundle, dict) and bundle.get("resourceType") == "Bundle":
            found += check(bundle, validator)
    assert found > 5


@given(visit=visits(), hi_type=st.sampled_from(HiType))
@settings(max_examples=20, deadline=None)
def test_pages_and_warnings_agree_on_whatever_is_composed(validator, visit, hi_type):
    if visit.has_data_for(hi_type):
        check(json.loads(FhirComposer().compose(visit, hi_type, facility=CLINIC)), validator)


@pytest.mark.parametrize("name", documents())
def test_the_documents_of_the_examples_have_no_gaps(validator, name):
    bundle = documents()[name]
    assert present(bundle, validator.validate(bundle).issues).gaps() == ()


def test_a_gap_says_where_it_is_and_what_would_fill_it(validator):
    bundle = document("02", HiType.PRESCRIPTION)
    resource(bundle, "MedicationRequest", 1)["medicationCodeableConcept"] = {
        "coding": [{"system": "http://snomed.info/sct", "code": "324252006"}]
    }
    [gap] = present(bundle, validator.validate(bundle).issues).gaps()
    assert (gap.label, gap.path, gap.expected) == (
        "Medicine",
        "Bundle.entry[6].resource.medicationCodeableConcept",
        "text, or coding.display",
    )


def test_what_no_app_shows_by_itself_is_marked_all_the_same(validator):
    bundle = document("02", HiType.PRESCRIPTION)
    resource(bundle, "Practitioner")["identifier"][0]["type"] = {"coding": [{"code": "MD"}]}
    [gap] = present(bundle, validator.validate(bundle).issues).gaps()
    assert (gap.label, gap.path) == ("Type", "Bundle.entry[2].resource.identifier[0].type")
    assert present(bundle).gaps() == ()
