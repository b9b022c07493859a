"""Patients in Postgres."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Integer, RowMapping, Select, Text, bindparam, cast, literal, select, union_all

from hip.adapters.postgres.statements import Statements, in_columns, insert_all_missing, rows_of, unnested, upsert_all
from hip.adapters.postgres.tables.clinical import patients
from hip.domain.discovery import Demographics, PatientIdentifiers
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, PatientReference
from hip.domain.patients import Address, Gender, Patient

_COLUMNS = (
    "hip_id",
    "reference",
    "closed_account",
    "name",
    "gender",
    "birth_year",
    "birth_date",
    "phone",
    "email",
    "abha_address",
    "abha_number",
    "address",
)
_SAVED = upsert_all(patients, _COLUMNS)
_ADDED = insert_all_missing(patients, _COLUMNS)
_NAMED = unnested(patients, "reference")
_LOCKED = (
    select(patients)
    .join(_NAMED, patients.c.reference == _NAMED.c.reference)
    .where(patients.c.hip_id == bindparam("of"))
    .order_by(patients.c.reference.collate("C"))
    .with_for_update(of=patients)
)


def _row(patient: Patient, hip_id: HipId) -> dict[str, Any]:
    address = patient.address
    return {
        "hip_id": hip_id,
        "reference": patient.reference,
        "closed_account": patient.closed_account,
        "name": patient.name,
        "gender": patient.gender.value,
        "birth_year": patient.birth_year,
        "birth_date": patient.birth_date,
        "phone": patient.phone,
        "email": patient.email,
        "abha_address": None if patient.abha_address is None else str(patient.abha_address),
        "abha_number": None if patient.abha_number is None else str(patient.abha_number),
        "address": None
        if address is None
        else {
            "line": address.line,
            "district": address.district,
            "state": address.state,
            "pincode": address.pincode,
        },
    }


def _reference(patient: Patient) -> str:
    return patient.reference


def _patient(row: RowMapping) -> Patient:
    return Patient(
        reference=PatientReference(row["reference"]),
        name=row["name"],
        gender=Gender(row["gender"]),
        birth_year=row["birth_year"],
        birth_date=row["birth_date"],
        phone=row["phone"],
        email=row["email"],
        abha_address=None if row["abha_address"] is None else AbhaAddress(row["abha_address"]),
        abha_number=None if row["abha_number"] is None else AbhaNumber(row["abha_number"]),
        address=None if row["address"] is None else Address(**row["address"]),
        closed_account=row["closed_account"],
    )


class PostgresPatients:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, patient: Patient, *, hip_id: HipId) -> None:
        await self.save_all([patient], hip_id=hip_id)

    async def save_all(self, patients: Sequence[Patient], *, hip_id: HipId) -> None:
        if patients:
            rows = [_row(patient, hip_id) for patient in sorted(patients, key=_reference)]
            await self._statements.run(_SAVED, in_columns(rows, *_COLUMNS))

    async def add_missing(self, new: Sequence[Patient], *, hip_id: HipId) -> int:
        firsts = {patient.reference: patient for patient in reversed(new)}
        if not firsts:
            return 0
        rows = [_row(patient, hip_id) for patient in sorted(firsts.values(), key=_reference)]
        return await self._statements.count(_ADDED, in_columns(rows, *_COLUMNS))

    async def lock_several(self, hip_id: HipId, references: Sequence[PatientReference]) -> Sequence[Patient]:
        named = {"of": hip_id, "reference": list(dict.fromkeys(references))}
        rows = await self._statements.all(_LOCKED, named)
        return [_patient(row) for row in rows]

    async def get(self, hip_id: HipId, reference: PatientReference) -> Patient | None:
        row = await self._statements.first(
            select(patients).where(patients.c.hip_id == hip_id, patients.c.reference == reference)
        )
        return None if row is None else _patient(row)

    async def several(self, hip_id: HipId, references: Sequence[PatientReference]) -> Sequence[Patient]:
        named = rows_of("named", reference=(Text(), list(dict.fromkeys(references))))
        rows = await self._statements.all(
            select(patients).join(named, patients.c.reference == named.c.reference).where(patients.c.hip_id == hip_id)
        )
        return [_patient(row) for row in rows]

    async def candidates(
        self, hip_id: HipId, identifiers: PatientIdentifiers, *, limit: int, behind_mobile: Demographics | None = None
    ) -> Sequence[Patient]:
        # Many people may share a mobile: those an ABHA identifies come first, so that the limit cannot hide them.
        ranked = [
            ("abha_address", [str(address) for address in identifiers.abha_addresses]),
            ("abha_number", [str(number) for number in identifiers.abha_numbers]),
            ("phone", list(identifiers.mobiles)),
        ]
        looks = [_look(hip_id, rank, column, values, limit) for rank, (column, values) in enumerate(ranked) if values]
        if not looks:
            return []
        if identifiers.mobiles and behind_mobile is not None:
            looks[-1] = looks[-1].where(
                patients.c.gender == behind_mobile.gender.value,
                patients.c.birth_year.between(behind_mobile.born_from, behind_mobile.born_to),
            )
        rows = await self._statements.all(union_all(*looks))
        best: dict[str, RowMapping] = {}
        for row in sorted(rows, key=lambda row: (row["rank"], row["reference"])):
            best.setdefault(row["reference"], row)
        return [_patient(row) for row in best.values()][:limit]

    async def of_closed_account(self, hip_id: HipId, account: str) -> Sequence[Patient]:
        rows = await self._statements.all(
            select(patients)
            .where(patients.c.hip_id == hip_id, patients.c.closed_account == account)
            .order_by(patients.c.reference.collate("C"))
        )
        return [_patient(row) for row in rows]


def _look(hip_id: HipId, rank: int, column: str, values: Sequence[str], limit: int) -> Select[Any]:
    """One index scan: who has one of these values."""
    # The limit counts people, and one person may be found once a rank: so each rank may fill it alone.
    return (
        select(patients, cast(literal(rank), Integer).label("rank"))
        .where(patients.c.hip_id == hip_id, patients.c[column].in_(values))
        .order_by(patients.c.reference.collate("C"))
        .limit(limit)
    )
