"""Visit records for tests: a plain one to vary, and generators of every shape a source could send."""

import dataclasses
import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from hip.domain.clinical import Complaint, Diagnosis
from hip.domain.clinical_documents import Document
from hip.domain.clinical_medications import Medication
from hip.domain.clinical_vitals import BOUNDS, Vitals
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, PatientReference, VisitCode
from hip.domain.patients import Address, Gender, Patient
from hip.domain.recorded import Recorded
from hip.domain.visits import Practitioner, VisitClass, VisitRecord

IST = timezone(timedelta(hours=5, minutes=30))
PDF = b"%PDF-1.4\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF"
PNG = b"\x89PNG\r\n\x1a\n\x00"
CLINIC = Facility(hip_id=HipId("IN0410000123"), name="Demo Clinic", phone="02162 000000")
MEERA = Patient(
    reference=PatientReference("PAT-20417"),
    name="Meera Kulkarni",
    gender=Gender.FEMALE,
    birth_year=1984,
    birth_date=date(1984, 4, 9),
    phone="9876543210",
    abha_address=AbhaAddress("meera.k01@sbx"),
    abha_number=AbhaNumber("91123456789012"),
)


def a_visit(**changes: Any) -> VisitRecord:
    """Meera's visit of 12 March 2026: a complaint, a diagnosis, vital signs and one medicine; then ``changes``."""
    values: dict[str, Any] = {
        "hip_id": CLINIC.hip_id,
        "visit_code": VisitCode("88120"),
        "visit_class": VisitClass.AMBULATORY,
        "category": "General OPD",
        "start": datetime(2026, 3, 12, 10, 5, tzinfo=IST),
        "end": datetime(2026, 3, 12, 10, 25, tzinfo=IST),
        "patient": MEERA,
        "practitioner": Practitioner(id="EMP-7", name="Ravi Rao"),
        "complaints": (Complaint(text="Fever", snomed="386661006"),),
        "diagnoses": (Diagnosis(text="Viral fever"),),
        "vitals": Vitals(
            temperature_f=Decimal("101.2"), pulse=Decimal(92), systolic=Decimal(118), diastolic=Decimal(76)
        ),
        "medications": (
            Medication(
                text="Paracetamol 500 mg tablet", dose="1 tablet", frequency="TDS", route="oral", duration="3 days"
            ),
        ),
    }
    return VisitRecord(**{**values, **changes})


def a_bare_visit(**changes: Any) -> VisitRecord:
    """A visit with nothing but what ``changes`` brings."""
    return a_visit(**{"complaints": (), "diagnoses": (), "vitals": None, "medications": (), **changes})


_NAMES = (
    "Meera Kulkarni",
    "आशा वर्मा",
    "ലക്ഷ്മി നായർ",
    "ਹਰਪ੍ਰੀਤ ਸਿੰਘ",
    "محمد علی",
    "D'Souza <b>&amp;",
    "O\u00a0K",
    "Ł",
    "\u200d\u0915",
)
words = st.one_of(
    st.sampled_from(_NAMES),
    st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), min_size=1, max_size=40),
).filter(lambda text: bool(text.strip()))
numbers = st.decimals(min_value=0, max_value=100_000, places=2).map(lambda value: value + Decimal(0))
days = st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 12, 31))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)) if minutes else UTC)
moments = st.datetimes(min_value=datetime(1901, 1, 1), max_value=datetime(2199, 1, 1), timezones=offsets)  # noqa: DTZ001
partial_dates = st.one_of(
    days.map(date.isoformat), days.map(lambda day: f"{day:%Y-%m}"), days.map(lambda day: f"{day:%Y}")
)
frequencies = st.one_of(
    st.sampled_from(
        [
            "OD",
            "BD",
            "TDS",
            "QID",
            "HS",
            "SOS",
            "STAT",
            "1-0-1",
            "1-1-1-1",
            "½-0-½",
            "q8h",
            "every 6 hours",
            "0-0-0",
            "1/0-0",
        ]
    ),
    words,
)
_BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "snomed": st.integers(100000, 10**18 - 1).map(str),
    "icd10": st.from_regex(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?", fullmatch=True),
    "loinc": st.from_regex(r"[0-9]{1,5}-[0-9]", fullmatch=True),
    "ucum": st.sampled_from(["mg/dL", "10*3/uL", "{score}"]),
    "unit": st.one_of(st.sampled_from(["mg/dl", "g%", "lakhs/cumm", "cells / cumm", "%"]), words),
    "since": partial_dates,
    "performed": partial_dates,
    "occurred": partial_dates,
    "modality": st.sampled_from(["CT", "MR", "US", "DX"]),
    "study_uid": st.sampled_from(["1.2.840.113619.2.1", "2.25.1"]),
    "onset_age": st.integers(1, 130),
    "dose_number": st.integers(1, 99),
    "series_doses": st.integers(1, 99),
    "data": st.sampled_from([PDF, JPEG, PNG]),
    "content_type": st.none(),
    "frequency": frequencies,
    "dose": st.one_of(st.sampled_from(["1 tablet", "½ tab", "2.5 ml", "1/0 x", "10ml"]), words),
    "duration": st.one_of(st.sampled_from(["3 days", "x 5 d", "2 weeks", "0 days", "6 months"]), words),
    "route": st.one_of(st.sampled_from(["oral", "IM", "local application"]), words),
    "stated_net": st.none(),
    "stated_gross": st.none(),
    "discount": st.just(Decimal(0)),
}


def _figures(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("systolic") is None and values.get("diastolic") is None:
        values.pop("blood_pressure_status", None)
    return values


def _united(values: dict[str, Any]) -> dict[str, Any]:
    return values if isinstance(values["value"], Decimal) else {**values, "unit": None, "ucum": None}


def _fit(values: dict[str, Any]) -> dict[str, Any]:
    """Fields that exclude each other, put right."""
    if "value" in values:
        values = _united(values)
    if "severity" in values and not values["reactions"]:
        values["severity"] = None
    if values.get("given") is True:
        values["reason_not_given"] = None
    if "day" in values:
        values["end"] = None
        values["start"] = values["start"] if values["day"] is None else None
        if values["start"] is None and values["day"] is None:
            values["day"] = date(2026, 4, 1)
    if values.get("collected") is not None:
        values["received"] = None
    if "findings" in values and values["findings"] is None:
        values["findings"] = "Seen"
    if values.get("low") is not None:
        values["high"] = None
    if "low" in values and values["low"] is None and values["high"] is None and values["text"] is None:
        values["text"] = "negative"
    return _figures(values)


def recorded(kind: type[Recorded]) -> st.SearchStrategy[Any]:
    """Values of a clinical class, drawn from its own annotations."""
    hints = typing.get_type_hints(kind)
    fields = {each.name: _of(hints[each.name], each.name) for each in dataclasses.fields(kind)}

    def build(values: dict[str, Any]) -> Recorded | None:
        try:
            return kind(**_fit(values))
        except InvalidValue:
            return None

    return st.fixed_dictionaries(fields).map(build).filter(lambda made: made is not None)


def _of(hint: Any, name: str) -> st.SearchStrategy[Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        kinds = [each for each in arguments if each is not types.NoneType]
        strategy = st.one_of([_of(each, name) for each in kinds])
        return st.none() | strategy if types.NoneType in arguments else strategy
    if name in _BY_NAME and hint is not Decimal:
        return _BY_NAME[name]
    if origin is tuple:
        least = 1 if name in ("results", "conditions", "lines") else 0
        return st.lists(_of(arguments[0], ""), min_size=least, max_size=2).map(tuple)
    return _PLAIN[hint](name) if hint in _PLAIN else _other(hint)


def _decimal(name: str) -> st.SearchStrategy[Any]:
    if name == "discount":
        return st.just(Decimal(0))
    low, high = BOUNDS.get(name, ("0", "1000000"))
    return st.decimals(min_value=low, max_value=high, places=1)


_PLAIN: dict[Any, Callable[[str], st.SearchStrategy[Any]]] = {
    str: lambda name: words,
    Decimal: _decimal,
    bool: lambda name: st.booleans(),
    date: lambda name: days,
    datetime: lambda name: moments,
}


def _other(hint: Any) -> st.SearchStrategy[Any]:
    if issubclass(hint, Enum):
        kept = [member for member in hint if hint is not HiType or member is not HiType.INVOICE]
        return st.sampled_from(kept)
    return st.deferred(lambda: recorded(hint))


patients = st.builds(
    Patient,
    reference=st.sampled_from(["PAT-1", "A/7 (old)"]).map(PatientReference),
    name=words,
    gender=st.sampled_from(Gender),
    birth_year=st.integers(1900, 2200),
    phone=st.none() | st.just("9876543210"),
    email=st.none() | words,
    abha_address=st.none() | st.just(AbhaAddress("meera.k01@sbx")),
    abha_number=st.none() | st.just(AbhaNumber("91123456789012")),
    address=st.none() | st.builds(Address, line=st.none() | words, state=st.none() | words, pincode=st.none() | words),
)


def _one_each(documents: list[Document]) -> tuple[Document, ...]:
    """At most one document a type, which holds for those that have a single place for it."""
    return tuple({document.belongs_to: document for document in documents}.values())


@st.composite
def visits(draw: st.DrawFn) -> VisitRecord:
    """Whole records: sparse and full, odd names, Indian scripts, missing codes, extreme figures."""
    hints = typing.get_type_hints(VisitRecord)
    own = {
        "hip_id",
        "visit_code",
        "visit_class",
        "category",
        "start",
        "end",
        "patient",
        "practitioner",
        "hi_types",
        "documents",
    }
    clinical: dict[str, Any] = {}
    for each in dataclasses.fields(VisitRecord):
        if each.name not in own and draw(st.booleans()):
            clinical[each.name] = draw(_of(hints[each.name], each.name))
    start = draw(moments)
    visit = {
        "hip_id": CLINIC.hip_id,
        "visit_code": VisitCode(draw(st.sampled_from(["1", "88120", "IP/2026 (4)", "a" * 255]))),
        "visit_class": draw(st.sampled_from(VisitClass)),
        "category": draw(words),
        "start": start,
        "end": draw(st.none() | st.just(start + timedelta(minutes=20))),
        "patient": draw(patients),
        "practitioner": draw(recorded(Practitioner)),
        "documents": _one_each(draw(st.lists(recorded(Document), max_size=2))),
    }
    try:
        return VisitRecord(**visit, **clinical)
    except InvalidValue:
        return VisitRecord(**visit, **{**clinical, "notes": "Seen"})
