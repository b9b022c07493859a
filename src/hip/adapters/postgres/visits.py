"""Visits and their triggers, in Postgres."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    Table,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert

from hip.adapters.postgres.statements import (
    Statements,
    in_columns,
    insert_all_missing,
    listed,
    rows_of,
    unnested,
    upsert_all,
)
from hip.adapters.postgres.tables.clinical import visits
from hip.application.bundle_storage import KnownVisit, Place, ReceivedSpan
from hip.application.ports import KeyVault, VisitRecords
from hip.application.storage import Listing, Visit
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.triggers import Trigger

_COLUMNS = ("hip_id", "visit_code", "patient_reference", "sealed_source", "digest", "version", "received_at")
_SAVED = upsert_all(visits, _COLUMNS)
_ADDED = insert_all_missing(visits, _COLUMNS).returning(visits.c.visit_code)
_NAMED = unnested(visits, "visit_code")
_KNOWN = (
    select(visits.c.visit_code, visits.c.version, visits.c.digest)
    .join(_NAMED, visits.c.visit_code == _NAMED.c.visit_code)
    .where(visits.c.hip_id == bindparam("of"))
)
_LOCKED = _KNOWN.order_by(visits.c.visit_code).with_for_update(of=visits)
_TRIGGER_COLUMNS = ("hip_id", "visit_code", "processed", "created_at", "processed_at")


class PostgresVisits:
    """The record is kept as its sealed source and read back from it."""

    def __init__(self, statements: Statements, vault: KeyVault, records: VisitRecords) -> None:
        self._statements = statements
        self._vault = vault
        self._records = records

    async def save(self, visit: Visit) -> None:
        await self.save_all([visit])

    async def save_all(self, visits: Sequence[Visit]) -> None:
        if visits:
            await self._statements.run(_SAVED, in_columns(self._rows(visits), *_COLUMNS))

    async def add_missing(self, visits: Sequence[Visit]) -> frozenset[VisitCode]:
        if not visits:
            return frozenset()
        added = await self._statements.all(_ADDED, in_columns(self._rows(visits), *_COLUMNS))
        return frozenset(VisitCode(row["visit_code"]) for row in added)

    async def known(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, KnownVisit]:
        return await self._known(_KNOWN, hip_id, visit_codes)

    async def lock_known(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, KnownVisit]:
        return await self._known(_LOCKED, hip_id, visit_codes)

    async def lock(self, hip_id: HipId, visit_code: VisitCode) -> Visit | None:
        return await self._one(_by_code(visits, hip_id, visit_code).with_for_update())

    async def get(self, hip_id: HipId, visit_code: VisitCode) -> Visit | None:
        return await self._one(_by_code(visits, hip_id, visit_code))

    async def several(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[Visit]:
        codes = _codes(visit_codes)
        named = select(visits).join(codes, visits.c.visit_code == codes.c.code).where(visits.c.hip_id == hip_id)
        return [self._visit(row) for row in await self._statements.all(named)]

    async def lock_versions(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        codes = _codes(visit_codes)
        rows = await self._statements.all(
            select(visits.c.visit_code, visits.c.version)
            .join(codes, visits.c.visit_code == codes.c.code)
            .where(visits.c.hip_id == hip_id)
            .order_by(visits.c.visit_code)
            .with_for_update(of=visits)
        )
        return {VisitCode(row["visit_code"]): row["version"] for row in rows}

    async def sizes(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        codes = _codes(visit_codes)
        rows = await self._statements.all(
            select(visits.c.visit_code, func.octet_length(visits.c.sealed_source).label("size"))
            .join(codes, visits.c.visit_code == codes.c.code)
            .where(visits.c.hip_id == hip_id)
        )
        return {VisitCode(row["visit_code"]): row["size"] for row in rows}

    async def received(self, hip_id: HipId, span: ReceivedSpan, *, limit: int) -> Sequence[Place]:
        at, code = visits.c.received_at, visits.c.visit_code
        statement = select(at, code).where(_within(hip_id, span)).order_by(at, code).limit(limit)
        rows = await self._statements.all(statement)
        return [(row["received_at"], VisitCode(row["visit_code"])) for row in rows]

    async def count_received(self, hip_id: HipId, span: ReceivedSpan) -> int:
        counted = select(func.count()).select_from(visits).where(_within(hip_id, span))
        return int((await self._statements.run(counted)).scalar_one())

    async def raise_versions(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        locked = await self.lock_versions(hip_id, visit_codes)
        codes = _codes(list(locked))
        rows = await self._statements.all(
            update(visits)
            .where(visits.c.hip_id == hip_id, visits.c.visit_code == codes.c.code)
            .values(version=visits.c.version + 1)
            .returning(visits.c.visit_code, visits.c.version)
        )
        return {VisitCode(row["visit_code"]): row["version"] for row in rows}

    async def list(self, listing: Listing) -> Sequence[Visit]:
        rows = await self._statements.all(listed(select(visits), visits, listing, at="received_at"))
        return [self._visit(row) for row in rows]

    async def _known(
        self, statement: Select[Any], hip_id: HipId, visit_codes: Sequence[VisitCode]
    ) -> Mapping[VisitCode, KnownVisit]:
        codes = list(dict.fromkeys(visit_codes))
        rows = await self._statements.all(statement, {"of": hip_id, "visit_code": codes})
        return {VisitCode(row["visit_code"]): KnownVisit(version=row["version"], digest=row["digest"]) for row in rows}

    def _rows(self, several: Sequence[Visit]) -> Sequence[Mapping[str, Any]]:
        """By key, so that units that insert the same wait for each other in one order."""
        rows = [
            {
                "hip_id": visit.record.hip_id,
                "visit_code": visit.record.visit_code,
                "patient_reference": visit.record.patient.reference,
                "sealed_source": self._vault.seal(
                    visit.source, context=_visit_context(visit.record.hip_id, visit.record.visit_code)
                ),
                "digest": visit.digest,
                "version": visit.version,
                "received_at": visit.received_at,
            }
            for visit in several
        ]
        return sorted(rows, key=lambda row: (row["hip_id"], row["visit_code"]))

    async def _one(self, statement: Select[Any]) -> Visit | None:
        row = await self._statements.first(statement)
        return None if row is None else self._visit(row)

    def _visit(self, row: RowMapping) -> Visit:
        source = self._vault.unseal(row["sealed_source"], context=_visit_context(row["hip_id"], row["visit_code"]))
        return Visit(
            record=self._records.read(source),
            source=source,
            digest=row["digest"],
            version=row["version"],
            received_at=row["received_at"],
        )


def _visit_context(hip_id: str, visit_code: str) -> str:
    return f"visits/{hip_id}/{visit_code}"


def _within(hip_id: HipId, span: ReceivedSpan) -> ColumnElement[bool]:
    at = visits.c.received_at
    within = and_(visits.c.hip_id == hip_id, at >= span.since, at < span.until)
    return within if span.behind is None else and_(within, tuple_(at, visits.c.visit_code) > span.behind)


def _by_code(table: Table, hip_id: HipId, visit_code: VisitCode) -> Select[Any]:
    return select(table).where(table.c.hip_id == hip_id, table.c.visit_code == visit_code)


def _codes(visit_codes: Sequence[VisitCode]) -> TableValuedAlias:
    return rows_of("codes", code=(Text(), list(dict.fromkeys(visit_codes))))


@cache
def _trigger_upsert(table: Table) -> Insert:
    return upsert_all(table, _TRIGGER_COLUMNS)


class PostgresTriggers:
    def __init__(self, statements: Statements, table: Table) -> None:
        self._statements = statements
        self._table = table

    async def save(self, trigger: Trigger) -> None:
        await self.save_all([trigger])

    async def save_all(self, triggers: Sequence[Trigger]) -> None:
        rows = [{name: getattr(trigger, name) for name in _TRIGGER_COLUMNS} for trigger in triggers]
        if rows:
            rows.sort(key=lambda row: (row["hip_id"], row["visit_code"]))
            await self._statements.run(_trigger_upsert(self._table), in_columns(rows, *_TRIGGER_COLUMNS))

    async def get(self, hip_id: HipId, visit_code: VisitCode) -> Trigger | None:
        columns = self._table.c
        row = await self._statements.first(
            select(columns.processed.label("processed"), columns.created_at, columns.processed_at).where(
                columns.hip_id == hip_id, columns.visit_code == visit_code
            )
        )
        if row is None:
            return None
        return Trigger(
            hip_id=hip_id,
            visit_code=visit_code,
            created_at=row["created_at"],
            processed=row["processed"],
            processed_at=row["processed_at"],
        )

    async def process(self, hip_id: HipId, visit_codes: Sequence[VisitCode], *, now: datetime) -> Sequence[VisitCode]:
        columns, codes = self._table.c, _codes(visit_codes)
        rows = await self._statements.all(
            update(self._table)
            .where(columns.hip_id == hip_id, columns.visit_code == codes.c.code, columns.processed.is_(False))
            .values({columns.processed: True, columns.processed_at: now})
            .returning(columns.visit_code)
        )
        return [VisitCode(row["visit_code"]) for row in rows]

    async def processed(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> frozenset[VisitCode]:
        columns, codes = self._table.c, _codes(visit_codes)
        rows = await self._statements.all(
            select(columns.visit_code)
            .join(codes, columns.visit_code == codes.c.code)
            .where(columns.hip_id == hip_id, columns.processed)
        )
        return frozenset(VisitCode(row["visit_code"]) for row in rows)
