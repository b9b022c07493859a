"""From a visit record to its canonical JSON bytes: equal records give equal bytes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hip.adapters.visit_records import structs
from hip.adapters.visit_records.pairs import STRUCT_OF
from hip.domain.patients import Patient
from hip.domain.recorded import Recorded, plain
from hip.domain.visits import VisitRecord

_BESIDE_PATIENT = tuple(name for name in structs.VisitRecord.__struct_fields__ if name != "patient")
_KEPT = (type(None), str, bool)


class VisitRecordWriter:
    """Writes the format of ``hip visits schema``, keys in its order, defaults left out."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def write(self, record: VisitRecord) -> bytes:
        """UTF-8 JSON without spaces; ``VisitRecordReader.read`` gives an equal record back."""
        values = _values(record, _BESIDE_PATIENT)
        return self._encoder.encode(structs.VisitRecord(patient=_patient(record.patient), **values))


def _patient(patient: Patient) -> structs.Patient:
    known = patient.address
    return structs.Patient(
        reference=patient.reference,
        name=patient.name,
        gender=patient.gender,
        birth_date=f"{patient.birth_year:04d}" if patient.birth_date is None else patient.birth_date.isoformat(),
        phone=patient.phone,
        email=patient.email,
        abha_address=None if patient.abha_address is None else patient.abha_address.text,
        abha_number=None if patient.abha_number is None else patient.abha_number.digits,
        address=None
        if known is None
        else structs.Address(line=known.line, district=known.district, state=known.state, pincode=known.pincode),
    )


def _values(held: Any, names: Sequence[str]) -> dict[str, Any]:
    """Fields in the JSON form; most are kept as they are."""
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(held, name)
        values[name] = value if type(value) in _KEPT else _wire(value)
    return values


def _wire(held: Any) -> Any:
    """The JSON form of one value of the domain."""
    if isinstance(held, Recorded):
        struct = STRUCT_OF[type(held)]
        return struct(**_values(held, struct.__struct_fields__))
    if isinstance(held, tuple):
        return tuple(_wire(each) for each in held)
    if isinstance(held, Decimal):
        number = plain(held)
        return int(number) if number == number.to_integral_value() else number
    return held
