"""The JSON form: what is read, what is refused and how it is named, and that writing and reading agree."""

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from tests.builders.visits import a_visit, visits

from hip.adapters.visit_records.pairs import DOMAIN_OF
from hip.adapters.visit_records.reading import VisitRecordReader
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.adapters.visit_records.schema import schema
from hip.adapters.visit_records.structs import VisitRecord as VisitStruct
from hip.adapters.visit_records.writing import VisitRecordWriter
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.visits import VisitRecord

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "visits").glob("*.json"))
MEERA = EXAMPLES[0].read_text(encoding="utf-8")
READER = VisitRecordReader()


def changed(path: str, value: object) -> bytes:
    """Meera's file with one value put in, or taken out when it is ``...``."""
    made = json.loads(MEERA)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place = made
    for step in steps:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(made).encode()


def refused(content: bytes) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        READER.read(content)
    return caught.value


@pytest.mark.parametrize(
    ("path", "value", "field", "words"),
    [
        ("vitals/systolic", "118", "vitals.systolic", "a number"),
        ("vitals/pulse", True, "vitals.pulse", "a number"),
        ("vitals/pulse", 900, "vitals.pulse", "from 0 to 500"),
        ("vitals", {}, "vitals", "at least one measurement"),
        ("vitals", 5, "vitals", "an object"),
        ("medications/0/text", 7, "medications[0].text", "text"),
        ("medications/0/text", ..., "medications[0].text", "required"),
        ("medications/0/text", " ", "medications[0].text", "not empty"),
        ("medications/0/doze", "1", "medications[0].doze", "hip visits schema"),
        ("medications", {}, "medications", "a list"),
        ("complaints/0/snomed", "fever", "complaints[0].snomed", "SNOMED"),
        ("diagnoses/0/certainty", "sure", "diagnoses[0].certainty", "provisional, differential, confirmed"),
        ("class", "OPD", "class", "one of AMB, IMP"),
        ("start", "2026-03-12T10:05:00", "start", "UTC offset"),
        ("start", "yesterday", "start", "UTC offset"),
        ("end", "2026-03-12T09:00:00+05:30", "end", "not before start"),
        ("hiTypes/0", "Xray", "hiTypes[0]", "OPConsultation"),
        ("hiTypes/1", "Invoice", "hiTypes[1]", "an invoice"),
        ("hipId", "IN 04", "hipId", "facility"),
        ("visitCode", "a|b", "visitCode", "letters, digits"),
        ("visitCode", "", "visitCode", "1-255"),
        ("visitCode", " ", "visitCode", "not empty"),
        ("patient/birthDate", "1984-04-31", "patient.birthDate", "exists"),
        ("patient/birthDate", "09-04-1984", "patient.birthDate", "YYYY-MM-DD"),
        ("patient/birthDate", "1984-04", "patient.birthDate", "year alone"),
        ("patient/abhaNumber", "9112345678", "patient.abhaNumber", "14 digits"),
        ("patient/abhaAddress", "meera", "patient.abhaAddress", "ABHA address"),
        ("patient/gender", "X", "patient.gender", "one of M, F"),
        ("patient/phone", "12", "patient.phone", "ten digits"),
        ("patient/name", ..., "patient.name", "required"),
        ("patient/name", "A\x00", "patient.name", "control"),
        ("patient/address", {"pincode": 411001}, "patient.address.pincode", "text"),
        ("practitioner/id", None, "practitioner.id", "text"),
        ("documents", [{"title": "x", "data": "!!"}], "documents[0].data", "base64"),
        ("documents", [{"title": "x", "data": "AAAA"}], "documents[0].data", "PDF, JPEG or PNG"),
        ("followUps", [{"day": "2026-02-30"}], "followUps[0].day", "a date"),
        ("labReports", [{"text": "CBC", "results": []}], "labReports[0].results", "at least one"),
        ("observations", [{"text": "Hb", "value": []}], "observations[0].value", "a number or text"),
        ("immunizations", [{"text": "BCG", "doseNumber": 1.5}], "immunizations[0].doseNumber", "whole number"),
        ("familyHistory", [{"relationship": "uncle", "conditions": []}], "familyHistory[0].conditions", "at least one"),
        ("surprise", 1, "surprise", "hip visits schema"),
    ],
)  # fmt: skip
def test_a_fault_names_its_field(path, value, field, words):
    fault = refused(changed(path, value))
    assert fault.field == field
    assert words in fault.expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"hipId": NaN}',
        b'{"hipId": "\xff"}',
        b"[" * 10_000,
        b'{"hipId": "\\ud800"}',
        b"[]",
        b"null",
    ],
)
def test_what_is_no_json_object_is_refused(content):
    assert refused(content).field == "visit record"


def test_deep_nesting_is_refused_without_a_traceback():
    assert isinstance(refused(b'{"patient":' * 10_000), InvalidValue)


def test_a_key_that_stands_twice_is_refused():
    twice = MEERA.replace('"pulse": 92', '"pulse": 92, "pulse": 29').encode()
    assert refused(twice).field == "pulse"


def test_a_file_beyond_every_limit_is_refused_unread():
    assert "at most" in refused(b" " * (19 * 1024 * 1024)).expected


def test_a_byte_order_mark_is_passed_over():
    assert READER.read(b"\xef\xbb\xbf" + MEERA.encode()) == READER.read(MEERA.encode())


def test_no_fault_repeats_the_value():
    for path in ("patient/birthDate", "patient/abhaNumber", "patient/gender", "class", "vitals/systolic", "start"):
        fault = refused(changed(path, "canary-value"))
        assert "canary" not in str(fault)


def test_a_year_alone_is_a_birth_date():
    patient = READER.read(changed("patient/birthDate", "1984")).patient
    assert (patient.birth_year, patient.birth_date) == (1984, None)


def test_dashes_and_country_codes_are_read_away():
    content = changed("patient/abhaNumber", "91-1234-5678-9012")
    assert READER.read(content).patient.abha_number.digits == "91123456789012"
    assert READER.read(changed("patient/phone", "+91 98765-43210")).patient.phone == "9876543210"


def test_the_design_example_is_read_as_it_says():
    visit = READER.read(MEERA.encode())
    assert visit.hi_types == (HiType.OP_CONSULTATION, HiType.PRESCRIPTION)
    assert (visit.visit_code, visit.patient.reference) == ("88120", "PAT-20417")
    assert visit.complaints[0].snomed == "386661006"
    assert str(visit.vitals.temperature_f) == "101.2"


@given(visits())
@settings(max_examples=20, deadline=None)
def test_what_is_written_is_read_back_equal(visit):
    check_round_trip(visit)


@pytest.mark.soak
@given(visits())
@settings(max_examples=2_000, deadline=None)
def test_what_is_written_is_read_back_equal_two_thousand_times(visit):
    check_round_trip(visit)


def check_round_trip(visit):
    records = JsonVisitRecords()
    content = records.write(visit)
    again = records.read(content)
    assert again == visit
    assert records.write(again) == content


@given(visits())
@settings(max_examples=8, deadline=None)
def test_what_is_written_fits_the_schema(visit):
    jsonschema.Draft202012Validator(schema()).validate(json.loads(VisitRecordWriter().write(visit)))


def test_defaults_are_left_out():
    written = json.loads(VisitRecordWriter().write(a_visit()))
    assert set(written["medications"][0]) == {"text", "dose", "frequency", "route", "duration"}
    assert written["vitals"]["pulse"] == 92


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_good(example):
    content = example.read_bytes()
    jsonschema.Draft202012Validator(schema()).validate(json.loads(content))
    visit = READER.read(content)
    assert READER.read(VisitRecordWriter().write(visit)) == visit


def test_the_schema_is_a_schema_and_describes_itself():
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    visit = made["$defs"]["VisitRecord"]["properties"]
    assert {"hipId", "visitCode", "class", "hiTypes", "vitals"} <= set(visit)
    assert visit["visitCode"]["description"]
    assert "temperatureF" in made["$defs"]["Vitals"]["properties"]


def test_both_forms_have_the_same_fields():
    """A field that stands in one form only would be lost on the way."""
    for struct, domain in DOMAIN_OF.items():
        assert set(struct.__struct_fields__) == {each.name for each in dataclasses.fields(domain)}, domain
    assert set(VisitStruct.__struct_fields__) == {each.name for each in dataclasses.fields(VisitRecord)}


def test_the_format_is_described_key_by_key():
    """Every key of the schema stands in examples/README.md."""
    told = (EXAMPLES[0].parents[1] / "README.md").read_text(encoding="utf-8")
    keys = {key for made in schema()["$defs"].values() for key in made.get("properties", {})}
    assert [key for key in sorted(keys) if f"`{key}`" not in told] == []
