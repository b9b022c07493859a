"""``hip.entrypoints.fhir``: its own examples, and what they leave out."""

import doctest
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.visits import CLINIC, a_visit, visits

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.entrypoints import fhir
from hip.entrypoints.fhir import compose_bundle, compose_bundles, show_bundle, validate_bundle

RECORD = JsonVisitRecords().write(a_visit())
TREE: dict[str, Any] = json.loads(RECORD)
NAMED = Facility(hip_id=CLINIC.hip_id, name="Demo Clinic")


def test_the_examples_of_the_docstrings_are_true() -> None:
    result = doctest.testmod(fhir)
    assert result.failed == 0
    assert result.attempted > 15


def test_bytes_text_and_tree_give_the_bytes_of_the_service() -> None:
    expected = FhirComposer().compose(a_visit(), HiType.PRESCRIPTION, facility=NAMED, version=3)
    for visit in (RECORD, RECORD.decode(), TREE):
        assert compose_bundle(visit, "prescription", facility_name="Demo Clinic", version=3) == expected
    assert compose_bundles(TREE, facility_name="Demo Clinic", version=3)[HiType.PRESCRIPTION] == expected


@given(visit=visits())
@settings(max_examples=10, deadline=None)
def test_every_visit_survives_the_way_through_a_tree(visit: Any) -> None:
    content = JsonVisitRecords().write(visit)
    from_tree = compose_bundles(json.loads(content))
    assert from_tree == compose_bundles(content)
    assert all(validate_bundle(bundle).valid for bundle in from_tree.values())


def test_the_facility_is_called_by_its_id_when_nobody_names_it() -> None:
    named = [entry["resource"] for entry in json.loads(compose_bundle(TREE, HiType.PRESCRIPTION))["entry"]]
    assert [one["name"] for one in named if one["resourceType"] == "Organization"] == [TREE["hipId"]]


@pytest.mark.parametrize(
    ("visit", "hi_type", "field"),
    [
        pytest.param({**TREE, "start": 5}, "Prescription", "start", id="wrong type"),
        pytest.param(TREE, "Horoscope", "hiType", id="unknown type"),
        pytest.param(TREE, "Invoice", "hiType", id="no data"),
        pytest.param(b"\xff", "Prescription", "visit record", id="no UTF-8"),
        pytest.param("\ud800", "Prescription", "visit record", id="half a surrogate"),
        pytest.param({"hipId": object()}, "Prescription", "visit", id="no JSON"),
    ],
)
def test_a_bad_visit_names_its_field(visit: Any, hi_type: str, field: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        compose_bundle(visit, hi_type)
    assert refusal.value.field == field


@given(content=st.binary(max_size=40) | st.text(max_size=40))
@settings(max_examples=50, deadline=None)
def test_bad_content_is_an_issue_and_no_page(content: bytes | str) -> None:
    assert not validate_bundle(content).valid
    with pytest.raises(InvalidValue, match="a FHIR Bundle"):
        show_bundle(content)


def test_a_guide_that_is_none_is_refused(tmp_path: Path) -> None:
    for ask in (validate_bundle, show_bundle):
        with pytest.raises(InvalidValue):
            ask({"resourceType": "Bundle"}, guide=tmp_path / "none.gz")
