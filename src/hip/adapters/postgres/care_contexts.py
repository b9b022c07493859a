"""Care contexts in Postgres: what of a visit can be found and linked, and to whom it is."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Executable, Integer, RowMapping, Select, Text, bindparam, select, union

from hip.adapters.postgres.statements import Statements, insert_missing, listed, rows_of, upsert, upsert_each
from hip.adapters.postgres.tables.linking import care_context, unlinked_of
from hip.application.storage import Listing
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, HipId, LinkReference, PatientReference, VisitCode
from hip.domain.links import CareContext


def _context_row(context: CareContext) -> dict[str, Any]:
    return {
        "hip_id": context.hip_id,
        "care_context_number": context.reference,
        "link_reference_number": context.link_reference,
        "visit_code": context.visit_code,
        "display": context.display,
        "patient_reference": context.patient_reference,
        "clinical_date": context.clinical_date,
        "hi_types": [hi_type.value for hi_type in context.hi_types],
        "linked_to": None if context.linked_to is None else str(context.linked_to),
        "linked_at": context.linked_at,
    }


def _context(row: RowMapping) -> CareContext:
    return CareContext(
        hip_id=HipId(row["hip_id"]),
        reference=CareContextReference(row["care_context_number"]),
        link_reference=None if row["link_reference_number"] is None else LinkReference(row["link_reference_number"]),
        visit_code=VisitCode(row["visit_code"]),
        display=row["display"],
        patient_reference=PatientReference(row["patient_reference"]),
        clinical_date=row["clinical_date"],
        hi_types=tuple(HiType(name) for name in row["hi_types"]),
        linked_to=None if row["linked_to"] is None else AbhaAddress(row["linked_to"]),
        linked_at=row["linked_at"],
    )


def _newest_unlinked() -> Executable:
    newest = union(
        *(
            select(care_context)
            .where(care_context.c.hip_id == bindparam("whose_hip", type_=Text))
            .where(care_context.c.patient_reference == bindparam("whose", type_=Text))
            .where(unlinked_of(hi_type))
            .order_by(care_context.c.clinical_date.desc(), care_context.c.sequence.desc())
            .limit(bindparam("most", type_=Integer))
            for hi_type in HiType
        )
    ).subquery("newest")
    return select(newest).order_by(newest.c.clinical_date.desc(), newest.c.sequence.desc())


# Made once: putting it together takes longer than the server needs to answer it.
_UNLINKED = _newest_unlinked()


class PostgresCareContexts:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, context: CareContext) -> None:
        await self._statements.run(upsert(care_context, _context_row(context)))

    async def lock(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None:
        return await self._one(_by_reference(hip_id, reference).with_for_update())

    async def get(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None:
        return await self._one(_by_reference(hip_id, reference))

    async def several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        named = care_context.c.care_context_number.in_(references)
        return await self._all(select(care_context).where(care_context.c.hip_id == hip_id, named))

    async def lock_several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        named = rows_of("named", reference=(Text(), list(dict.fromkeys(references))))
        return await self._all(
            select(care_context)
            .join(named, care_context.c.care_context_number == named.c.reference)
            .where(care_context.c.hip_id == hip_id)
            .order_by(care_context.c.care_context_number)
            .with_for_update(of=care_context)
        )

    async def save_all(self, contexts: Sequence[CareContext]) -> None:
        rows = [_context_row(context) for context in contexts]
        if rows:
            await self._statements.run_each(upsert_each(care_context, list(rows[0])), rows)

    async def add_missing(self, contexts: Sequence[CareContext]) -> int:
        added = [await self._statements.count(insert_missing(care_context).values(_context_row(c))) for c in contexts]
        return sum(added)

    async def unlinked(
        self, hip_id: HipId, patient_reference: PatientReference, *, per_hi_type: int
    ) -> Sequence[CareContext]:
        values = {"whose_hip": hip_id, "whose": patient_reference, "most": per_hi_type}
        return [_context(row) for row in await self._statements.all(_UNLINKED, values)]

    async def of_patient(self, hip_id: HipId, patient_reference: PatientReference) -> Sequence[CareContext]:
        return await self._all(
            select(care_context)
            .where(care_context.c.hip_id == hip_id, care_context.c.patient_reference == patient_reference)
            .order_by(care_context.c.clinical_date.desc(), care_context.c.sequence.desc())
        )

    async def linked_to(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[CareContext]:
        return await self._all(
            select(care_context)
            .where(care_context.c.hip_id == hip_id, care_context.c.linked_to == str(abha_address))
            .order_by(care_context.c.clinical_date.desc(), care_context.c.sequence.desc())
            .with_for_update()
        )

    async def list(self, listing: Listing) -> Sequence[CareContext]:
        return await self._all(listed(select(care_context), care_context, listing, at="clinical_date"))

    async def _one(self, statement: Select[Any]) -> CareContext | None:
        row = await self._statements.first(statement)
        return None if row is None else _context(row)

    async def _all(self, statement: Select[Any]) -> Sequence[CareContext]:
        return [_context(row) for row in await self._statements.all(statement)]


def _by_reference(hip_id: HipId, reference: CareContextReference) -> Select[Any]:
    return select(care_context).where(care_context.c.hip_id == hip_id, care_context.c.care_context_number == reference)
