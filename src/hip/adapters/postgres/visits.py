"""Visits, their triggers and what is known of their bundles, in Postgres."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, Table, TableValuedAlias, Text, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from hip.adapters.postgres.statements import Statements, listed, rows_of, upsert, upsert_each
from hip.adapters.postgres.tables.clinical import bundles, visits
from hip.application.ports import KeyVault, VisitRecords
from hip.application.storage import Listing, Visit
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.triggers import Trigger


class PostgresVisits:
    """The record is kept as its sealed source and read back from it."""

    def __init__(self, statements: Statements, vault: KeyVault, records: VisitRecords) -> None:
        self._statements = statements
        self._vault = vault
        self._records = records

    async def save(self, visit: Visit) -> None:
        record = visit.record
        row = {
            "hip_id": record.hip_id,
            "visit_code": record.visit_code,
            "patient_reference": record.patient.reference,
            "sealed_source": self._vault.seal(visit.source, context=_visit_context(record.hip_id, record.visit_code)),
            "digest": visit.digest,
            "version": visit.version,
            "received_at": visit.received_at,
        }
        await self._statements.run(upsert(visits, row))

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

    async def list(self, listing: Listing) -> Sequence[Visit]:
        rows = await self._statements.all(listed(select(visits), visits, listing, at="received_at"))
        return [self._visit(row) for row in rows]

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


def _by_code(table: Table, hip_id: HipId, visit_code: VisitCode) -> Select[Any]:
    return select(table).where(table.c.hip_id == hip_id, table.c.visit_code == visit_code)


def _codes(visit_codes: Sequence[VisitCode]) -> TableValuedAlias:
    return rows_of("codes", code=(Text(), list(dict.fromkeys(visit_codes))))


class PostgresTriggers:
    def __init__(self, statements: Statements, table: Table) -> None:
        self._statements = statements
        self._table = table

    async def save(self, trigger: Trigger) -> None:
        row = {
            "hip_id": trigger.hip_id,
            "visit_code": trigger.visit_code,
            "processed": trigger.processed,
            "created_at": trigger.created_at,
            "processed_at": trigger.processed_at,
        }
        await self._statements.run(upsert(self._table, row))

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


def _bundle_row(record: BundleRecord) -> dict[str, Any]:
    return {
        "hip_id": record.key.hip_id,
        "visit_code": record.key.visit_code,
        "hi_type": record.key.hi_type.value,
        "version": record.version,
        "sha256": record.sha256,
        "size": record.size,
        "valid": record.valid,
        "clinical_date": record.clinical_date,
        "composed_at": record.composed_at,
    }


def _bundle(row: RowMapping) -> BundleRecord:
    return BundleRecord(
        key=BundleKey(
            hip_id=HipId(row["hip_id"]), visit_code=VisitCode(row["visit_code"]), hi_type=HiType(row["hi_type"])
        ),
        version=row["version"],
        sha256=row["sha256"],
        size=row["size"],
        valid=row["valid"],
        clinical_date=row["clinical_date"],
        composed_at=row["composed_at"],
    )


class PostgresBundleRecords:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def add(self, record: BundleRecord) -> None:
        await self._statements.run(upsert(bundles, _bundle_row(record)))

    async def add_all(self, records: Sequence[BundleRecord]) -> None:
        rows = [_bundle_row(record) for record in records]
        if rows:
            await self._statements.run_each(upsert_each(bundles, list(rows[0])), rows)

    async def of_visits(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[BundleRecord]:
        codes = _codes(visit_codes)
        rows = await self._statements.all(
            select(bundles)
            .join(codes, bundles.c.visit_code == codes.c.code)
            .where(bundles.c.hip_id == hip_id)
            .ext(distinct_on(bundles.c.visit_code, bundles.c.hi_type))
            .order_by(bundles.c.visit_code, bundles.c.hi_type, bundles.c.version.desc())
        )
        return [_bundle(row) for row in rows]

    async def of_visit(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[BundleRecord]:
        rows = await self._statements.all(
            _by_code(bundles, hip_id, visit_code)
            .ext(distinct_on(bundles.c.hi_type))
            .order_by(bundles.c.hi_type, bundles.c.version.desc())
        )
        newest = {record.key.hi_type: record for record in map(_bundle, rows)}
        return [newest[hi_type] for hi_type in HiType if hi_type in newest]

    async def servable(self, key: BundleKey) -> BundleRecord | None:
        row = await self._statements.first(
            _by_code(bundles, key.hip_id, key.visit_code)
            .where(bundles.c.hi_type == key.hi_type.value, bundles.c.valid)
            .order_by(bundles.c.version.desc())
            .limit(1)
        )
        return None if row is None else _bundle(row)

    async def servable_types(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[HiType]:
        statement = _by_code(bundles, hip_id, visit_code).where(bundles.c.valid)
        rows = await self._statements.all(statement.with_only_columns(bundles.c.hi_type).distinct())
        valid = {row["hi_type"] for row in rows}
        return [hi_type for hi_type in HiType if hi_type.value in valid]

    async def servable_of(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[BundleRecord]:
        rows = await self._statements.all(
            select(bundles)
            .where(bundles.c.hip_id == hip_id, bundles.c.visit_code.in_(visit_codes), bundles.c.valid)
            .ext(distinct_on(bundles.c.visit_code, bundles.c.hi_type))
            .order_by(bundles.c.visit_code, bundles.c.hi_type, bundles.c.version.desc())
        )
        return [_bundle(row) for row in rows]

    async def list(self, listing: Listing) -> Sequence[BundleRecord]:
        rows = await self._statements.all(listed(select(bundles), bundles, listing, at="composed_at"))
        return [_bundle(row) for row in rows]
