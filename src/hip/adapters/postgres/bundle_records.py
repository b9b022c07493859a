"""What is known of the bundles of visits, in Postgres."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, Text, select
from sqlalchemy.dialects.postgresql import distinct_on

from hip.adapters.postgres.statements import Statements, listed, rows_of, upsert, upsert_each
from hip.adapters.postgres.tables.clinical import bundles
from hip.application.storage import Listing
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode


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
        codes = rows_of("codes", code=(Text(), list(dict.fromkeys(visit_codes))))
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
            _of_visit(hip_id, visit_code)
            .ext(distinct_on(bundles.c.hi_type))
            .order_by(bundles.c.hi_type, bundles.c.version.desc())
        )
        newest = {record.key.hi_type: record for record in map(_bundle, rows)}
        return [newest[hi_type] for hi_type in HiType if hi_type in newest]

    async def servable(self, key: BundleKey) -> BundleRecord | None:
        row = await self._statements.first(
            _of_visit(key.hip_id, key.visit_code)
            .where(bundles.c.hi_type == key.hi_type.value, bundles.c.valid)
            .order_by(bundles.c.version.desc())
            .limit(1)
        )
        return None if row is None else _bundle(row)

    async def servable_types(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[HiType]:
        statement = _of_visit(hip_id, visit_code).where(bundles.c.valid)
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


def _of_visit(hip_id: HipId, visit_code: VisitCode) -> Select[Any]:
    return select(bundles).where(bundles.c.hip_id == hip_id, bundles.c.visit_code == visit_code)
