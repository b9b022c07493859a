"""One claimed row and its result sets → a visit record; odd data gives a valid record or a reason, never a guess."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from hip.adapters.amrit import findings
from hip.adapters.amrit import result_sets as sets
from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.result_sets import NUMBERS, Row
from hip.adapters.amrit.values import moment, words
from hip.domain import identifiers
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, PatientReference, VisitCode
from hip.domain.patients import Address, Gender, Patient
from hip.domain.recorded import checked_text
from hip.domain.visits import Practitioner, VisitClass, VisitRecord

Found = Mapping[str, Sequence[Row]]
"""Rows of one visit, by the name of the result set."""


def visit_record(code: VisitCode, category: object, visited: object, found: Found, names: AmritNames) -> VisitRecord:
    """Raises InvalidValue, its field as in the visit record, for what is missing or cannot be."""
    start = moment(visited)
    if start is None:
        raise InvalidValue("start", "a visit date")
    label = words(category) or "General OPD"
    return VisitRecord(
        hip_id=_facility(found, names),
        visit_code=VisitCode(identifiers.reference(code, field="visitCode")),
        visit_class=_visit_class(label),
        category=label,
        start=start,
        patient=_patient(found[sets.DEMOGRAPHICS.name]),
        practitioner=_practitioner(found[sets.PRACTITIONERS.name]),
        complaints=findings.complaints(_as_made(found[sets.COMPLAINTS.name])),
        diagnoses=findings.diagnoses(_as_made(found[sets.DIAGNOSES.name])),
        vitals=findings.vitals(found[sets.VITALS.name]),
        allergies=findings.allergies(_as_made(found[sets.ALLERGIES.name])),
        family_history=findings.family(_as_made(found[sets.FAMILY.name])),
        current_medications=findings.history(_as_made(found[sets.HISTORY.name])),
        medications=findings.medications(_as_made(found[sets.MEDICATIONS.name])),
        follow_ups=findings.follow_ups(_as_made(found[sets.APPOINTMENTS.name]), start=start),
        lab_reports=findings.lab_reports(_as_made(found[sets.LAB_RESULTS.name])),
        immunizations=findings.immunizations(_as_made(found[sets.IMMUNIZATIONS.name])),
    )


def _as_made(rows: Sequence[Row]) -> Sequence[Row]:
    """Oldest first: a database answers in what order it likes, and the same visit must be the same record each time.

    What was made at one moment comes by its number, where AMRIT has one, and else by its words.
    """

    def made(row: Row) -> tuple[float, int, list[str]]:
        at = moment(row["createddate"])
        number = next((row[name] for name in NUMBERS if name in row), None)
        words_of_it = [str(value) for value in row.values()]
        return at.timestamp() if at is not None else 0.0, number if isinstance(number, int) else 0, words_of_it

    return sorted(rows, key=made)


def _visit_class(category: str) -> VisitClass:
    """AMRIT's categories vary in case; only these two are no out-patient visit."""
    folded = category.casefold()
    if "teleconsult" in folded or "telemedicine" in folded:
        return VisitClass.VIRTUAL
    if "in-patient" in folded or "inpatient" in folded:
        return VisitClass.INPATIENT
    return VisitClass.AMBULATORY


def _facility(found: Found, names: AmritNames) -> HipId:
    for row in found[sets.ORGANIZATIONS.name]:
        stated = words(row["abdmfacilityid"])
        if stated is not None:
            return identifiers.hip_id(stated)
    if names.facility is None:
        raise InvalidValue("hipId", "an ABDM facility of the visit", code="ABDM-1035")
    return names.facility


def _patient(rows: Sequence[Row]) -> Patient:
    """One row for each ABHA mapping: the last one with a usable ABHA wins, as AMRIT keeps the last.

    An ABHA or telephone that is none is left out: the visit still becomes documents, linked to no wrong account.
    """
    if not rows:
        raise InvalidValue("patient", "a row of demographics")
    usable = [row for row in rows if _address(row) is not None]
    row = (usable or rows)[-1]
    born = moment(row["dob"])
    if born is None:
        raise InvalidValue("patient.birthDate", "a date of birth")
    name, reference = words(row["name"]), words(row["beneficiaryid"])
    if name is None:
        raise InvalidValue("patient.name", "a name")
    if reference is None:
        raise InvalidValue("patient.reference", "a beneficiary number")
    abha_number = phone = None
    with suppress(InvalidValue):
        abha_number = AbhaNumber.parse(words(row["healthidnumber"]) or "")
    with suppress(InvalidValue):
        phone = identifiers.phone_number(words(row["preferredphonenum"]) or "")
    return Patient(
        reference=PatientReference(identifiers.reference(reference, field="patient.reference")),
        name=checked_text(name, field="patient.name"),
        gender=_gender(row),
        birth_year=born.year,
        birth_date=datetime.date(born),
        phone=phone,
        abha_address=_address(row),
        abha_number=abha_number,
        address=Address(district=_place(row, "permdistrict"), state=_place(row, "permstate")),
    )


def _place(row: Row, column: str) -> str | None:
    text = words(row[column])
    return None if text is None else checked_text(text, field=f"patient.address.{column.removeprefix('perm')}")


def _address(row: Row) -> AbhaAddress | None:
    try:
        return AbhaAddress.parse(words(row["healthid"]) or "")
    except InvalidValue:
        return None


def _gender(row: Row) -> Gender:
    stated = words(row["gender"])
    if stated is None:
        return Gender.UNKNOWN
    try:
        return Gender.parse(stated)
    except InvalidValue:
        return Gender.OTHER  # AMRIT's third word is "Transgender"


def _practitioner(rows: Sequence[Row]) -> Practitioner:
    for row in rows:
        name, number = words(row["fullname"]), words(row["employeeid"]) or words(row["userid"])
        if name is not None and number is not None:
            phone = None
            with suppress(InvalidValue):
                phone = identifiers.phone_number(words(row["contactno"]) or "")
            return Practitioner(
                id=number,
                name=name,
                qualification=words(row["qualificationname"]),
                designation=words(row["designationname"]),
                phone=phone,
            )
    raise InvalidValue("practitioner", "a member of staff with name and number")
