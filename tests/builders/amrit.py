"""AMRIT-shaped databases, and bare access to them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from hip.adapters.amrit import result_sets as sets
from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.records import visit_record
from hip.adapters.amrit.result_sets import Row
from hip.adapters.amrit.sample_visits import Rows
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.visits import VisitRecord

HIP = HipId("IN0410000123")
NAMES = AmritNames()
TRIGGER = NAMES.trigger_table


async def asked(url: str, *statements: str, alone: bool = False, **values: Any) -> list[Mapping[str, Any]]:
    """Run statements in one transaction, or each ``alone``; the rows of the last one, if it gives any."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT") if alone else create_async_engine(url)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []
    finally:
        await engine.dispose()


def found_in(rows: Rows) -> dict[str, Sequence[Row]]:
    """Generated rows as the result sets of their visit."""
    return {each.name: rows.get(each.table, []) for each in (sets.DEMOGRAPHICS, *sets.OF_VISIT)}


def record_of(rows: Rows, *, names: AmritNames = NAMES) -> VisitRecord:
    trigger = rows[TRIGGER][0]
    code = VisitCode(str(trigger["visitcode"]))
    return visit_record(code, trigger["visit_category"], trigger["visitdate"], found_in(rows), names)
