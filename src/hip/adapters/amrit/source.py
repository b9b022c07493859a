"""AMRIT's database as a source of visits, on PostgreSQL, MySQL or MariaDB: the URL decides."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, bindparam, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hip.adapters.amrit.layouts import fitting
from hip.adapters.amrit.names import INDIA, AmritNames
from hip.adapters.amrit.records import visit_record
from hip.adapters.amrit.result_sets import DEMOGRAPHICS, KEY, LAB_RESULTS, OF_VISIT, ResultSet, Row
from hip.adapters.amrit.statements import TriggerStatements
from hip.adapters.amrit.tables import qualified, trigger_table
from hip.application.visit_sources import SourceRow, SourceVisit
from hip.domain.errors import DomainError, StorageFailed
from hip.domain.identifiers import VisitCode

OLDEST_SHARE = 4
"""One in so many rows of a claim is older than the window, if there are any."""

AT_ONCE = 500
"""Rows closed by one statement: what finishes together may be more than a statement takes parameters."""

SURE = timedelta(seconds=10)
"""A result this much older than a claim is surely seen by its reading: clocks differ, and transactions take time."""


class AmritVisitSource:
    """Connects late. READ COMMITTED, so that MySQL locks the rows it takes and not the gaps between them."""

    def __init__(self, url: str, names: AmritNames | None = None) -> None:
        self._names = names or AmritNames()
        self._engine = create_async_engine(
            url, hide_parameters=True, pool_size=2, pool_pre_ping=True, isolation_level="READ COMMITTED"
        )
        self.dialect = "mysql" if self._engine.dialect.name in ("mysql", "mariadb") else "postgresql"
        self._say = TriggerStatements(trigger_table(self._names, self.dialect), self._names, dialect=self.dialect)

    async def close(self) -> None:
        await self._engine.dispose()

    async def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[SourceRow]:
        async with self._transaction() as connection:
            rows = await self._due(connection, now=_utc(now), limit=limit)
            if rows:
                ids, read_at = [row["id"] for row in rows], _local(now - SURE)
                await connection.execute(self._say.lease(ids, until=_utc(until), read_at=read_at))
        return [_source_row(row, row["hip_attempts"] + 1) for row in rows]

    async def _due(self, connection: AsyncConnection, *, now: datetime, limit: int) -> list[RowMapping]:
        window = self._names.window
        if window is None:
            return await _rows(connection, self._say.due(after=None, until=now, limit=limit))
        edge = now - window
        old = await _rows(connection, self._say.due(after=None, until=edge, limit=limit))
        recent = await _rows(connection, self._say.due(after=edge, until=now, limit=limit))
        kept = recent[: limit - min(len(old), max(1, limit // OLDEST_SHARE))]
        return kept + old[: limit - len(kept)]

    async def read(self, rows: Sequence[SourceRow]) -> Sequence[SourceVisit]:
        if not rows:
            return []
        async with self._transaction() as connection:
            stored = await _rows(connection, self._say.again([row.row_id for row in rows]))
            triggers = {row["id"]: row for row in stored}
            codes = sorted({row["visitcode"] for row in stored if row["visitcode"] is not None})
            people = sorted({row["beneficiaryregid"] for row in stored if row["beneficiaryregid"] is not None})
            demographics = await self._result_set(connection, DEMOGRAPHICS, people)
            of_visit = {each.name: await self._result_set(connection, each, codes) for each in OF_VISIT}
        visits = []
        for row in rows:
            trigger = triggers.get(row.row_id)
            if trigger is None:
                visits.append(SourceVisit(row=row, record=None, fault="the row is gone"))
                continue
            found = {name: sets.get(trigger["visitcode"], []) for name, sets in of_visit.items()}
            found[DEMOGRAPHICS.name] = demographics.get(trigger["beneficiaryregid"], [])
            visits.append(self._visit(row, trigger, found))
        return visits

    def _visit(self, row: SourceRow, trigger: RowMapping, found: dict[str, list[Row]]) -> SourceVisit:
        try:
            made = visit_record(row.visit_code, trigger["visit_category"], trigger["visitdate"], found, self._names)
        except DomainError as fault:
            return SourceVisit(row=row, record=None, fault=str(fault))
        return SourceVisit(row=row, record=made)

    async def _result_set(
        self, connection: AsyncConnection, result_set: ResultSet, keys: Sequence[int]
    ) -> dict[Any, list[Row]]:
        view = qualified(self._names, self._names.views + result_set.name)
        asked = text(f"SELECT * FROM {view} WHERE {KEY} IN :keys").bindparams(bindparam("keys", expanding=True))  # noqa: S608
        with fitting(f"view {view}", (*result_set.names, KEY), "as `hip source schema` prints it"):
            answer = await connection.execute(asked, {"keys": list(keys)})
            found = result_set.read(list(answer.keys()), answer.all())
        grouped: dict[Any, list[Row]] = defaultdict(list)
        for key, row in found:
            grouped[key].append(row)
        return grouped

    async def done(self, rows: Sequence[SourceRow], *, now: datetime) -> int:
        closed = 0
        for start in range(0, len(rows), AT_ONCE):
            statement = self._say.close(_attempts(rows[start : start + AT_ONCE]))
            async with self._transaction() as connection:
                closed += (await connection.execute(statement, {"now": _local(now)})).rowcount
        return closed

    async def put_off(self, row: SourceRow, *, until: datetime, reason: str) -> None:
        values = {"until": _utc(until), "reason": reason[:300]}
        async with self._transaction() as connection:
            await connection.execute(self._say.put_off(_attempts([row])), values)

    async def put_back(self, rows: Sequence[SourceRow], *, now: datetime) -> None:
        if not rows:
            return
        async with self._transaction() as connection:
            await connection.execute(self._say.put_back(_attempts(rows)), {"now": _utc(now)})

    async def check(self) -> None:
        """Raises InvalidValue for the trigger table or the first view that is missing or laid out otherwise."""
        async with self._transaction() as connection:
            await connection.execute(select(*(self._say.table.c[name] for name in self._say.columns)).limit(0))
            for each in (DEMOGRAPHICS, *OF_VISIT):
                await self._result_set(connection, each, [-1])

    async def reopen_late(self, *, since: datetime, limit: int) -> int:
        async with self._transaction() as connection:
            # Both are asked together, so a misfit here could be either's; ``check`` says whose.
            view = qualified(self._names, self._names.views + LAB_RESULTS.name)
            with fitting(f"view {view} or the trigger table", (KEY, "createddate"), "as `hip source schema` prints it"):
                late = await _rows(connection, self._say.late(since=_local(since), limit=limit))
            ids = [row["id"] for row in late]
            if ids:
                await connection.execute(self._say.reopen(ids))
        return len(ids)

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        """Raises StorageFailed without a word of the statement: it may name people."""
        table = f"table {qualified(self._names, self._names.trigger_table)}"
        try:
            with fitting(table, self._say.columns, "as `hip source prepare` makes it"):
                async with self._engine.begin() as connection:
                    yield connection
        except (SQLAlchemyError, OSError) as error:
            raise StorageFailed(f"the hospital's database does not answer ({type(error).__name__})") from None


def _attempts(rows: Sequence[SourceRow]) -> dict[int, int]:
    return {row.row_id: row.attempt for row in rows}


async def _rows(connection: AsyncConnection, statement: Select[Any]) -> list[RowMapping]:
    return list((await connection.execute(statement)).mappings())


def _source_row(row: RowMapping, attempt: int) -> SourceRow:
    return SourceRow(row_id=row["id"], visit_code=VisitCode(str(row["visitcode"])), attempt=attempt)


def _local(moment: datetime) -> datetime:
    return moment.astimezone(INDIA).replace(tzinfo=None)


def _utc(moment: datetime) -> datetime:
    """Without its offset: MySQL's DATETIME has none."""
    return moment.astimezone(UTC).replace(tzinfo=None)
