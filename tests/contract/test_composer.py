"""What port ``Composer`` promises, for each adapter of it."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from tests.builders.visits import CLINIC, a_bare_visit, a_visit, visits

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.application.ports import Composer
from hip.domain.clinical import Complaint
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode

COMPOSERS: list[Composer] = [FhirComposer()]


@pytest.fixture(params=COMPOSERS, ids=lambda composer: type(composer).__name__)
def composer(request: pytest.FixtureRequest) -> Composer:
    return request.param


@pytest.mark.parametrize("composer", COMPOSERS)
@given(visit=visits())
@settings(max_examples=15, deadline=None)
def test_the_same_record_gives_the_same_bytes(composer, visit):
    for hi_type in visit.required_hi_types:
        first = composer.compose(visit, hi_type, facility=CLINIC)
        assert composer.compose(visit, hi_type, facility=CLINIC) == first
        assert json.loads(first.decode("utf-8"))["resourceType"] == "Bundle"


def test_the_version_stands_in_the_bundle_and_changes_nothing_else(composer):
    first = json.loads(composer.compose(a_visit(), HiType.PRESCRIPTION, facility=CLINIC))
    third = json.loads(composer.compose(a_visit(), HiType.PRESCRIPTION, facility=CLINIC, version=3))
    assert (first["meta"].pop("versionId"), third["meta"].pop("versionId")) == ("1", "3")
    assert first == third


def test_other_content_gives_other_bytes(composer):
    other = a_visit(complaints=(Complaint(text="Cough"),))
    kept = composer.compose(a_visit(), HiType.OP_CONSULTATION, facility=CLINIC)
    assert composer.compose(other, HiType.OP_CONSULTATION, facility=CLINIC) != kept


def test_types_and_visits_have_documents_of_their_own(composer):
    def identity(visit_code: str, hi_type: HiType) -> str:
        visit = a_visit(visit_code=VisitCode(visit_code))
        return json.loads(composer.compose(visit, hi_type, facility=CLINIC))["identifier"]["value"]

    identities = {identity(code, each) for code in ("1", "2") for each in (HiType.OP_CONSULTATION, HiType.PRESCRIPTION)}
    assert len(identities) == 4


def test_a_type_without_data_is_refused(composer):
    with pytest.raises(InvalidValue, match="Invoice") as refused:
        composer.compose(a_visit(), HiType.INVOICE, facility=CLINIC)
    assert refused.value.field == "hiType"


def test_a_visit_of_another_facility_is_refused(composer):
    """Two HIPs of one deployment never mix."""
    other = Facility(hip_id=HipId("IN0000000001"), name="Elsewhere")
    with pytest.raises(InvalidValue) as refused:
        composer.compose(a_visit(), HiType.PRESCRIPTION, facility=other)
    assert refused.value.field == "hipId"


def test_the_subject_is_the_visits_patient(composer):
    """REL-22 compares it with the consent's."""
    bundle = json.loads(composer.compose(a_visit(), HiType.PRESCRIPTION, facility=CLINIC))
    by_url = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    subject = by_url[bundle["entry"][0]["resource"]["subject"]["reference"]]
    assert subject["name"] == [{"text": "Meera Kulkarni"}]


def test_the_custodian_is_the_facility(composer):
    facility = dataclasses.replace(CLINIC, name="City Hospital")
    bundle = json.loads(composer.compose(a_bare_visit(notes="Seen"), HiType.OP_CONSULTATION, facility=facility))
    assert bundle["entry"][0]["resource"]["custodian"]["display"] == "City Hospital"
