"""From JSON bytes to a visit record. Every fault is an InvalidValue that names the field."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from hip.adapters.visit_records import structs
from hip.adapters.visit_records.faults import fault_of
from hip.adapters.visit_records.pairs import DOMAIN_OF
from hip.domain import identifiers
from hip.domain.clinical_documents import MAX_VISIT_BYTES
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, AbhaNumber, PatientReference, VisitCode
from hip.domain.patients import Address, Gender, Patient
from hip.domain.recorded import Recorded, camel_case, checked_text, partial_date
from hip.domain.visits import VisitRecord

# The files of a visit in base64, and as much again as any text it could hold.
_MAX_BYTES = MAX_VISIT_BYTES * 4 // 3 + 4 * 1024 * 1024
_YEAR = re.compile(r"\d{4}\Z")
_T = TypeVar("_T")
_BY_HAND = frozenset({"hip_id", "visit_code", "patient", "hi_types"})
_CLINICAL = tuple(name for name in structs.VisitRecord.__struct_fields__ if name not in _BY_HAND)
_KEPT = (type(None), str, bool)


class VisitRecordReader:
    """Reads the format of ``hip visits schema``."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(structs.VisitRecord)

    def read(self, content: bytes) -> VisitRecord:
        """The record in ``content`` (UTF-8 JSON, with or without a byte order mark).

        Raises InvalidValue: ``field`` is the dotted path with indices (``medications[0].text``), ``expected`` says
        what belongs there; the message never repeats the value found.
        """
        if len(content) > _MAX_BYTES:
            raise InvalidValue("visit record", f"a file of at most {_MAX_BYTES // 1024 // 1024} MiB")
        content = content.removeprefix(b"\xef\xbb\xbf")
        try:
            wire = self._decoder.decode(content)
        except msgspec.ValidationError as error:
            raise fault_of(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidValue("visit record", "a JSON object in UTF-8") from None
        json.loads(content, object_pairs_hook=_without_duplicates)
        return _visit(wire)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> None:
    """msgspec keeps the last of two equal keys; a record that says two things says neither."""
    seen: set[str] = set()
    for key, _value in pairs:
        if key in seen:
            raise InvalidValue(key, "each key once in an object")
        seen.add(key)


def _visit(wire: structs.VisitRecord) -> VisitRecord:
    clinical = _values(wire, _CLINICAL, "")
    return VisitRecord(
        hip_id=identifiers.hip_id(wire.hip_id),
        visit_code=VisitCode(identifiers.reference(wire.visit_code, field="visitCode")),
        patient=_patient(wire.patient),
        hi_types=tuple(HiType.parse(name, field=f"hiTypes[{at}]") for at, name in enumerate(wire.hi_types)),
        **clinical,
    )


def _patient(wire: structs.Patient) -> Patient:
    year, day = _birth(wire.birth_date)
    return Patient(
        reference=PatientReference(identifiers.reference(wire.reference, field="patient.reference")),
        name=checked_text(wire.name, field="patient.name"),
        gender=Gender.parse(wire.gender, field="patient.gender"),
        birth_year=year,
        birth_date=day,
        phone=_optional(wire.phone, identifiers.phone_number, "patient.phone"),
        email=_optional(wire.email, checked_text, "patient.email"),
        abha_address=_optional(wire.abha_address, AbhaAddress.parse, "patient.abhaAddress"),
        abha_number=_optional(wire.abha_number, AbhaNumber.parse, "patient.abhaNumber"),
        address=None if wire.address is None else _address(wire.address),
    )


def _address(wire: structs.Address) -> Address:
    parts = {name: getattr(wire, name) for name in wire.__struct_fields__}
    return Address(**{name: _optional(part, checked_text, f"patient.address.{name}") for name, part in parts.items()})


def _birth(text: str) -> tuple[int, date | None]:
    """Year and, when it is known, day."""
    checked = partial_date(text, field="patient.birthDate")
    if _YEAR.match(checked):
        return int(checked), None
    try:
        day = date.fromisoformat(checked)
    except ValueError:
        raise InvalidValue("patient.birthDate", "a date as YYYY-MM-DD, or the year alone") from None
    return day.year, day


def _optional(text: str | None, parse: Callable[..., _T], field: str) -> _T | None:
    return None if text is None else parse(text, field=field)


def _value(held: Any, path: str) -> Any:
    """The domain's form of one value of the JSON form."""
    if isinstance(held, msgspec.Struct):
        return _recorded(held, path)
    if isinstance(held, tuple):
        return tuple(_value(each, f"{path}[{index}]") for index, each in enumerate(held))
    if isinstance(held, float):
        return Decimal(int(held)) if held.is_integer() else Decimal(repr(held))
    return held


def _values(wire: msgspec.Struct, names: Sequence[str], prefix: str) -> dict[str, Any]:
    """Fields of ``wire`` in the domain's form. Most are kept as they are, and need no path to be named by."""
    values: dict[str, Any] = {}
    for name in names:
        held = getattr(wire, name)
        values[name] = held if type(held) in _KEPT or held == () else _value(held, prefix + camel_case(name))
    return values


def _recorded(wire: msgspec.Struct, path: str) -> Recorded:
    values = _values(wire, wire.__struct_fields__, f"{path}.")
    if isinstance(wire, structs.Document):
        values["belongs_to"] = HiType.parse(wire.belongs_to, field=f"{path}.belongsTo")
    try:
        return DOMAIN_OF[type(wire)](**values)
    except InvalidValue as fault:
        raise InvalidValue(f"{path}.{fault.field}" if fault.field else path, fault.expected) from None
