"""AMRIT's rows become records whose documents are valid, or a reason that names a field and no value."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.builders.amrit import HIP, NAMES, TRIGGER, found_in, record_of

from hip.adapters.amrit import findings
from hip.adapters.amrit import result_sets as sets
from hip.adapters.amrit.layouts import TooFewColumns
from hip.adapters.amrit.records import visit_record
from hip.adapters.amrit.result_sets import KEY, ResultSet
from hip.adapters.amrit.sample_visits import Rows, visits
from hip.adapters.amrit.values import coded_terms, moment, number, several, words
from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.patients import Gender
from hip.domain.visits import VisitRecord

REFUSED = {
    "no name": "patient.name",
    "no birth date": "patient.birthDate",
    "no staff": "practitioner",
    "celsius": "vitals.temperatureF",
    "no drug name": "medications[0].text",
}
FACILITY = Facility(hip_id=HIP, name="Primary Health Centre")


def _record_or_field(rows: Rows) -> VisitRecord | str:
    try:
        return record_of(rows)
    except InvalidValue as fault:
        return fault.field


def _checked(count: int, seed: int) -> set[HiType]:
    composer, validator, records = FhirComposer(), NrcesValidator(), JsonVisitRecords()
    made: set[HiType] = set()
    for oddity, rows in visits(count, seed=seed, facility=HIP, trigger=TRIGGER, odd=3):
        record = _record_or_field(rows)
        if isinstance(record, str):
            assert record == REFUSED[oddity]
            continue
        assert oddity not in REFUSED or oddity == "no drug name"  # a visit may have no medicines at all
        assert records.read(records.write(record)) == record, "the intake takes it unread"
        for hi_type in record.required_hi_types:
            report = validator.validate(composer.compose(record, hi_type, facility=FACILITY))
            assert report.valid, (oddity, hi_type, report.issues)
            made.add(hi_type)
    return made


FIVE = {
    HiType.OP_CONSULTATION,
    HiType.PRESCRIPTION,
    HiType.DIAGNOSTIC_REPORT,
    HiType.IMMUNIZATION_RECORD,
    HiType.WELLNESS_RECORD,
}


@pytest.mark.parametrize("seed", [1, 2])
def test_every_generated_visit_is_valid_or_refused_by_name(seed: int) -> None:
    assert _checked(60, seed) == FIVE


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 14))
def test_every_generated_visit_is_valid_or_refused_by_name_at_full_count(seed: int) -> None:
    assert _checked(2_000, seed) == FIVE


def test_the_same_seed_gives_the_same_visits() -> None:
    one, two = (list(visits(20, seed=9, facility=HIP, trigger=TRIGGER)) for _ in range(2))
    assert one == two
    assert one != list(visits(20, seed=8, facility=HIP, trigger=TRIGGER))


def _a_visit(**changed: list[dict[str, Any]]) -> Rows:
    (_, rows), *_ = visits(1, seed=1, facility=HIP, trigger=TRIGGER, odd=0)
    return {**rows, **changed}


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("name", "patient.name"),
        ("permdistrict", "patient.address.district"),
        ("permstate", "patient.address.state"),
        ("beneficiaryid", "patient.reference"),
    ],
)
def test_what_no_record_could_be_read_with_is_refused_by_its_name(column: str, field: str) -> None:
    rows = _a_visit()
    people = [{**row, column: "x" * 20_001} for row in rows[sets.DEMOGRAPHICS.table]]
    with pytest.raises(InvalidValue, match=field):
        record_of({**rows, sets.DEMOGRAPHICS.table: people})


@pytest.mark.parametrize("result_set", [sets.LAB_RESULTS, sets.COMPLAINTS, sets.MEDICATIONS], ids=lambda one: one.name)
def test_rows_in_another_order_are_the_same_record(result_set: ResultSet) -> None:
    """What comes later is further behind, wherever the database keeps it."""
    for _, rows in visits(60, seed=2, facility=HIP, trigger=TRIGGER, odd=0):
        if len(held := rows.get(result_set.table, [])) > 1:
            break
    reversed_rows = {**rows, result_set.table: held[::-1]}
    assert record_of(reversed_rows) == record_of(rows)
    by_date = []
    for step in (1, -1):
        for minute, row in enumerate(held):
            row["createddate"] = datetime.fromisoformat("2026-03-02T12:00:00") + step * timedelta(minutes=minute)
        by_date.append(record_of(rows))
        assert record_of(reversed_rows) == by_date[-1]
    assert by_date[0] != by_date[1]


def test_the_last_mapping_with_an_abha_wins() -> None:
    rows = _a_visit()
    (person,) = rows[sets.DEMOGRAPHICS.table]
    rows[sets.DEMOGRAPHICS.table] = [
        {**person, "healthid": "first@sbx"},
        {**person, "healthid": "second@sbx"},
        {**person, "healthid": None, "healthidnumber": "12"},
    ]
    patient = record_of(rows).patient
    assert (patient.abha_address and patient.abha_address.text, patient.gender) == ("second@sbx", patient.gender)


@pytest.mark.parametrize(
    ("stated", "read"), [("Transgender", Gender.OTHER), (None, Gender.UNKNOWN), ("Male", Gender.MALE)]
)
def test_gender_is_read_as_amrit_writes_it(stated: str | None, read: Gender) -> None:
    rows = _a_visit()
    rows[sets.DEMOGRAPHICS.table] = [{**row, "gender": stated} for row in rows[sets.DEMOGRAPHICS.table]]
    assert record_of(rows).patient.gender is read


def test_several_diagnoses_in_one_text_are_several() -> None:
    assert coded_terms("Anaemia,Scabies", "271737000,128869009") == [
        ("Anaemia", "271737000"),
        ("Scabies", "128869009"),
    ]
    assert coded_terms("Fracture, open", "397181002") == [("Fracture, open", "397181002")]
    assert coded_terms("One, two, three", "271737000,128869009") == [("One, two, three", None)]
    assert coded_terms(None, "271737000") == []


def test_a_visit_without_a_facility_takes_the_stated_one_or_is_refused() -> None:
    rows = _a_visit(**{sets.ORGANIZATIONS.table: []})
    with pytest.raises(InvalidValue, match="hipId"):
        record_of(rows)
    assert record_of(rows, names=type(NAMES)(facility=HipId("IN0410000999"))).hip_id == "IN0410000999"


def test_a_visit_that_is_only_ordered_is_refused_until_there_is_something_to_say() -> None:
    rows = _a_visit()
    empty = {**found_in(rows), **{each.name: [] for each in sets.OF_VISIT}}
    kept = (sets.ORGANIZATIONS, sets.PRACTITIONERS)
    found = {**empty, **{each.name: rows[each.table] for each in kept}}
    with pytest.raises(InvalidValue, match="hiTypes"):
        visit_record(VisitCode("1"), "General OPD", datetime.fromisoformat("2026-03-02T09:00:00"), found, NAMES)


def test_relatives_in_one_text_are_one_each() -> None:
    row = dict.fromkeys(sets.FAMILY.names) | {"familymember": "Father, Mother", "sctterm": "Diabetes mellitus"}
    assert [each.relationship for each in findings.family([row])] == ["Father", "Mother"]


def test_columns_are_read_by_name_whatever_their_order_and_case() -> None:
    names = [KEY.upper(), *(name.title() for name in reversed(sets.COMPLAINTS.names))]
    ((key, row),) = sets.COMPLAINTS.keyed(names, [(7, "nurse", None, "note", "Days", 3, "386661006", "Fever")])
    assert (key, row["chiefcomplaint"], row["unitofduration"], row["duration"]) == (7, "Fever", "Days", 3)


def test_columns_without_their_names_are_read_by_position() -> None:
    names = [f"column{number}" for number in range(8)]
    ((key, row),) = sets.COMPLAINTS.keyed(names, [("Fever", "386661006", 3, "Days", "note", None, "nurse", 7)])
    assert (key, row["chiefcomplaint"], row["unitofduration"], row["duration"]) == (7, "Fever", "Days", 3)


def test_too_few_columns_are_refused() -> None:
    with pytest.raises(TooFewColumns):
        sets.COMPLAINTS.keyed(["a", "b"], [])


def test_values_are_read_whatever_type_the_driver_gives_them() -> None:
    assert (words(b"Fe\x0bver"), number(b" 98.6 "), several(b"a,b")) == ("Fe ver", Decimal("98.6"), ["a", "b"])
    assert moment(date(1990, 5, 6)) == datetime.fromisoformat("1990-05-06T00:00:00+05:30")
    assert moment("0000-00-00 00:00:00") is None
