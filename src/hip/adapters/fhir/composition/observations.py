"""Vital signs, findings, laboratory results and wellness figures as observations with codes, quantities and units."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

from hip.adapters.fhir.composition import wording
from hip.adapters.fhir.composition.codes import ABSENT_REASON, INTERPRETATIONS, LOINC, SNOMED, UCUM, Code
from hip.adapters.fhir.composition.draft import Draft, Part, Reference, Resource, codeable
from hip.adapters.fhir.composition.measures import (
    BLOOD_PRESSURE,
    EXAM,
    LABORATORY,
    PRESSURES,
    UCUM_OF,
    VITALS,
    WELLNESS,
    Group,
    Measure,
)
from hip.domain.clinical import Measurement
from hip.domain.clinical_reports import LabResult
from hip.domain.clinical_vitals import Vitals
from hip.domain.recorded import Concept, plain

_UNKNOWN = Code(ABSENT_REASON, "unknown", "Unknown")


def vital_signs(draft: Draft, *groups: Group) -> list[Part]:
    """The visit's vital signs; only those of the given wellness ``groups``, each under its profile, when any."""
    vitals = draft.record.vitals
    if vitals is None:
        return []
    parts = []
    if not groups or BLOOD_PRESSURE.group in groups:
        parts += _blood_pressure(draft, vitals, named=bool(groups))
    for row in VITALS:
        value = getattr(vitals, row.field)
        if value is not None and (not groups or row.group in groups):
            parts.append(_figure(draft, row, value, named=bool(groups)))
    return parts


def wellness(draft: Draft, group: Group) -> list[Part]:
    """The wellness figures of one group."""
    held = draft.record.wellness
    rows = () if held is None else (row for row in WELLNESS if row.group is group)
    return [
        _figure(draft, row, getattr(held, row.field), named=True)
        for row in rows
        if getattr(held, row.field) is not None
    ]


def measurements(draft: Draft, found: tuple[Measurement, ...], kind: str) -> list[Part]:
    """Findings in the hospital's own words, under N:Observation."""
    return [
        Part(
            draft.add(_measured(draft, each, EXAM), kind, index, profile="Observation"),
            wording.measurement(each),
        )
        for index, each in enumerate(found)
    ]


def lab_result(
    draft: Draft, each: LabResult, kind: str, index: int, taken: str, specimen: Reference | None
) -> Reference:
    """One result with quantity, reference range and interpretation; the laboratory performs, not the patient."""
    made = _measured(draft, each, LABORATORY)
    made["effectiveDateTime"] = taken
    made["performer"] = [draft.organization]
    read_as = each.read_as
    if read_as is not None:
        made["interpretation"] = [INTERPRETATIONS[read_as].concept()]
    limits = each.reference_range
    if limits is not None:
        made["referenceRange"] = [_range(each)]
    if specimen is not None:
        made["specimen"] = specimen
    return draft.add(made, kind, index, profile="Observation")


def quantity(value: Decimal, unit: str | None, ucum: str | None) -> dict[str, Any]:
    """A Quantity; coded in UCUM when the unit's code is given or the unit is a known one."""
    made: dict[str, Any] = {"value": plain(value)}
    code = ucum
    if unit is not None and unit.strip():
        made["unit"] = unit.strip()
        code = ucum or UCUM_OF.get(re.sub(r"\s", "", unit).casefold())
    elif ucum is not None:
        made["unit"] = ucum
    if code is not None:
        made.update(system=UCUM, code=code)
    return made


def _blood_pressure(draft: Draft, vitals: Vitals, *, named: bool) -> list[Part]:
    readings = {field: getattr(vitals, field) for field, _code in PRESSURES}
    if all(reading is None for reading in readings.values()):
        return []
    made = _observation(draft, BLOOD_PRESSURE)
    components = []
    for field, code in PRESSURES:
        one: Resource = {"code": code.concept(code.display)}
        reading = readings[field]
        if reading is None:
            one["dataAbsentReason"] = _UNKNOWN.concept()
        else:
            one["valueQuantity"] = quantity(reading, BLOOD_PRESSURE.unit, BLOOD_PRESSURE.ucum)
        components.append(one)
    made["component"] = components
    status = vitals.blood_pressure_status
    if status is not None:
        made["interpretation"] = [{"text": status.strip()}]
    shown = "/".join("?" if value is None else wording.number(value) for value in readings.values())
    reference = draft.add(made, "blood-pressure", profile=_profile(BLOOD_PRESSURE, named=named))
    return [Part(reference, wording.with_notes(f"Blood pressure: {shown} mmHg", status))]


def _figure(draft: Draft, row: Measure, value: object, *, named: bool) -> Part:
    made = _observation(draft, row)
    label = row.code.display.split(" [")[0]
    if isinstance(value, Decimal):
        made["valueQuantity"] = quantity(value, row.unit, row.ucum)
        words = f"{label}: {wording.number(value)} {row.unit}"
    elif isinstance(value, Concept):
        made["valueCodeableConcept"] = codeable(value, SNOMED)
        words = f"{label}: {value.text.strip()}"
    elif isinstance(value, date):
        made["valueString"] = value.isoformat()
        words = f"{label}: {wording.day(value)}"
    else:
        made["valueString"] = str(value).strip()
        words = f"{label}: {made['valueString']}"
    return Part(draft.add(made, row.field, profile=_profile(row, named=named)), words)


def _observation(draft: Draft, row: Measure) -> Resource:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [row.category.concept()],
        "code": row.code.concept(row.code.display),
        "subject": draft.patient,
        "encounter": draft.encounter,
        "effectiveDateTime": draft.record.start.isoformat(),
        "performer": [draft.practitioner],
    }


def _measured(draft: Draft, each: Measurement, category: Code) -> Resource:
    made: Resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [category.concept()],
        "code": codeable(each, LOINC, SNOMED),
        "subject": draft.patient,
        "encounter": draft.encounter,
        "effectiveDateTime": draft.record.start.isoformat(),
        "performer": [draft.practitioner],
    }
    if isinstance(each.value, Decimal):
        made["valueQuantity"] = quantity(each.value, each.unit, each.ucum)
    elif each.value is not None:
        made["valueString"] = each.value.strip()
    if each.note is not None:
        made["note"] = [{"text": each.note.strip()}]
    return made


def _range(each: LabResult) -> Resource:
    limits = each.reference_range
    assert limits is not None
    made: Resource = {}
    for name, limit in (("low", limits.low), ("high", limits.high)):
        if limit is not None:
            made[name] = quantity(limit, each.unit, each.ucum)
    if limits.text is not None:
        made["text"] = limits.text.strip()
    return made


def _profile(row: Measure, *, named: bool) -> str:
    return row.group.profile if named else "Observation"
