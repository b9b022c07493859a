"""AMRIT's database as a source of visits, on PostgreSQL, MySQL or MariaDB: the URL decides."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, Select, Update, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from hip.adapters.amrit.layouts import answering, fitting
from hip.adapters.amrit.names import INDIA, AmritNames, Form
from hip.adapters.amrit.reading import ResultSets, Trigger, Unread
from hip.adapters.amrit.records import Found, visit_record
from hip.adapters.amrit.routines import AT_ONCE as READ_AT_ONCE
from hip.adapters.amrit.routines import Routines
from hip.adapters.amrit.statements import TriggerStatements
from hip.adapters.amrit.tables import trigger_table
from hip.adapters.amrit.views import Views
from hip.application.visit_sources import SourceRow, SourceVisit
from hip.domain.errors import DomainError
from hip.domain.identifiers import VisitCode

OLDEST_SHARE = 4
"""One in so many rows of a claim is older than the window, if there are any."""

AT_ONCE = 500
"""Rows told of by one statement: what finishes together may be more than a statement takes parameters."""

Told = Callable[[Sequence[int], int], Update]
"""What to say of the rows with these ids, if their claim for the so manieth time is the newest."""

SURE = timedelta(seconds=10)
"""A result this much older than a claim is surely seen by its reading: clocks differ, and transactions take time."""


_NOT_YET = datetime.fromisoformat("2200-01-01T00:00:00+00:00")


class AmritVisitSource:
    """Connects late. READ COMMITTED, so that MySQL locks the rows it takes and not the gaps between them."""

    def __init__(self, url: str, names: AmritNames | None = None) -> None:
        self._names = names or AmritNames()
        routines = self._names.form is Form.ROUTINES
        self._engine = create_async_engine(
            url,
            hide_parameters=True,
            pool_size=READ_AT_ONCE if routines else 2,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
        )
        self.dialect = "mysql" if self._engine.dialect.name in ("mysql", "mariadb") else "postgresql"
        mysql = self.dialect == "mysql"
        self._sets: ResultSets = (
            Routines(self._engine, self._names, mysql=mysql) if routines else Views(self._engine, self._names)
        )
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
        found = await self._sets.of(
            [Trigger(row_id=row["id"], visit_code=row["visitcode"], patient=row["beneficiaryregid"]) for row in stored]
        )
        return [self._visit(row, triggers.get(row.row_id), found.get(row.row_id)) for row in rows]

    def _visit(self, row: SourceRow, trigger: RowMapping | None, found: Found | Unread | None) -> SourceVisit:
        if trigger is None or found is None:
            return SourceVisit(row=row, record=None, fault="the row is gone")
        if isinstance(found, Unread):
            return SourceVisit(row=row, record=None, fault=found.fault)
        try:
            made = visit_record(row.visit_code, trigger["visit_category"], trigger["visitdate"], found, self._names)
        except DomainError as fault:
            return SourceVisit(row=row, record=None, fault=str(fault))
        return SourceVisit(row=row, record=made)

    async def done(self, rows: Sequence[SourceRow], *, now: datetime) -> int:
        return await self._told(rows, self._say.close, {"now": _local(now)})

    async def put_off(self, rows: Sequence[SourceRow], *, until: datetime, reason: str) -> None:
        await self._told(rows, self._say.put_off, {"until": _utc(until), "reason": reason[:300]})

    async def put_back(self, rows: Sequence[SourceRow], *, now: datetime) -> None:
        await self._told(rows, self._say.put_back, {"now": _utc(now)})

    async def _told(self, rows: Sequence[SourceRow], say: Told, values: Mapping[str, Any]) -> int:
        """Some hundreds of rows in one statement; how many of them were still held."""
        held = 0
        for attempt, ids in _by_attempt(rows).items():
            for start in range(0, len(ids), AT_ONCE):
                async with self._transaction() as connection:
                    statement = say(ids[start : start + AT_ONCE], attempt)
                    held += (await connection.execute(statement, values)).rowcount
        return held

    async def check(self) -> None:
        """Raises InvalidValue for the first table, view or routine that is missing or laid out otherwise."""
        async with self._transaction() as connection:
            await connection.execute(select(*(self._say.table.c[name] for name in self._say.columns)).limit(0))
        await self._sets.check()
        await self.reopen_late(since=_NOT_YET, limit=0)

    async def reopen_late(self, *, since: datetime, limit: int) -> int:
        name, key = self._say.lab_results
        kind = "view" if self._names.form is Form.VIEWS else "table"
        what = f"{kind} {self._names.qualified(name)} or the trigger table"
        async with self._transaction() as connection:
            # Both are asked together, so a misfit here could be either's; ``check`` says whose.
            with fitting(what, (key, "createddate"), "as `hip source schema` prints it"):
                late = await _rows(connection, self._say.late(since=_local(since), limit=limit))
            ids = [row["id"] for row in late]
            if ids:
                await connection.execute(self._say.reopen(ids))
        return len(ids)

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection]:
        table = f"table {self._names.qualified(self._names.trigger_table)}"
        with answering(), fitting(table, self._say.columns, "as `hip source prepare` makes it"):
            async with self._engine.begin() as connection:
                yield connection


def _by_attempt(rows: Sequence[SourceRow]) -> Mapping[int, Sequence[int]]:
    ids: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        ids[row.attempt].append(row.row_id)
    return ids


async def _rows(connection: AsyncConnection, statement: Select[Any]) -> list[RowMapping]:
    return list((await connection.execute(statement)).mappings())


def _source_row(row: RowMapping, attempt: int) -> SourceRow:
    return SourceRow(row_id=row["id"], visit_code=VisitCode(str(row["visitcode"])), attempt=attempt)


def _local(moment: datetime) -> datetime:
    return moment.astimezone(INDIA).replace(tzinfo=None)


def _utc(moment: datetime) -> datetime:
    """Without its offset: MySQL's DATETIME has none."""
    return moment.astimezone(UTC).replace(tzinfo=None)
