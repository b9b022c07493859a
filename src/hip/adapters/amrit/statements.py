"""The statements on the trigger table; SQLAlchemy writes each in the dialect of the server."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    Update,
    bindparam,
    column,
    false,
    literal,
    select,
    text,
    true,
    update,
)
from sqlalchemy import table as sa_table

from hip.adapters.amrit.names import AmritNames, Form
from hip.adapters.amrit.result_sets import KEY, LAB_RESULTS
from hip.adapters.amrit.tables import NOW


class TriggerStatements:
    def __init__(self, table: Table, names: AmritNames, *, dialect: str) -> None:
        self.table = table
        self._names = names
        self._flag: ColumnElement[Any] = table.c[names.trigger_flag]
        self._mysql = dialect == "mysql"
        self._now = NOW[dialect]

    @property
    def columns(self) -> tuple[str, ...]:
        """What the statements below use of the table."""
        unread = {"benflowid", "beneficiary_id", "visit_reason", "visitid", "created_date"}
        return tuple(each.name for each in self.table.columns if each.name not in unread)

    @property
    def _open(self) -> ColumnElement[bool]:
        """Written as the index is, or it would not be used."""
        return self.table.c.hip_open == 1 if self._mysql else self._flag.is_not(true())

    @property
    def _closed(self) -> ColumnElement[bool]:
        return self.table.c.hip_open.is_(None) if self._mysql else self._flag.is_(true())

    def due(self, *, after: datetime | None, until: datetime, limit: int) -> Select[Any]:
        """Open rows due after one time (None: from the first) and up to another, oldest first; locked ones skipped."""
        columns = self.table.c
        statement = select(
            columns.id,
            columns.visitcode,
            columns.hip_attempts,
            columns.beneficiaryregid,
            columns.visit_category,
            columns.visitdate,
        ).where(self._open, columns.hip_due_at <= until)
        if after is not None:
            statement = statement.where(columns.hip_due_at > after)
        return statement.order_by(columns.hip_due_at, columns.id).limit(limit).with_for_update(skip_locked=True)

    def again(self, ids: Sequence[int]) -> Select[Any]:
        columns = self.table.c
        return select(
            columns.id, columns.visitcode, columns.beneficiaryregid, columns.visit_category, columns.visitdate
        ).where(columns.id.in_(ids))

    def lease(self, ids: Sequence[int], *, until: datetime, read_at: datetime) -> Update:
        """``until`` in UTC, ``read_at`` by the hospital's clock."""
        columns = self.table.c
        return (
            update(self.table)
            .where(columns.id.in_(ids))
            .values(
                {
                    columns.hip_due_at: until,
                    columns.hip_attempts: columns.hip_attempts + 1,
                    columns.hip_read_at: read_at,
                }
            )
        )

    def close(self, ids: Sequence[int], attempt: int) -> Update:
        """With ``now`` (the hospital's clock); rows that were claimed for the ``attempt``-th time."""
        columns = self.table.c
        return self._held(ids, attempt).values(
            {
                self._flag: literal(1) if self._mysql else true(),
                columns.hip_done_at: bindparam("now"),
                columns.hip_reason: None,
            }
        )

    def put_off(self, ids: Sequence[int], attempt: int) -> Update:
        """With ``until`` (UTC) and ``reason``."""
        columns = self.table.c
        return self._held(ids, attempt).values(
            {columns.hip_due_at: bindparam("until"), columns.hip_reason: bindparam("reason")}
        )

    def put_back(self, ids: Sequence[int], attempt: int) -> Update:
        """With ``now`` (UTC)."""
        return self._held(ids, attempt).values({self.table.c.hip_due_at: bindparam("now")})

    def _held(self, ids: Sequence[int], attempt: int) -> Update:
        """Open rows whose claim still is the newest.

        One attempt for all: in pairs MySQL would read the whole table for them, and of a CASE SQLAlchemy would keep
        another compiled statement for every number of rows.
        """
        columns = self.table.c
        return update(self.table).where(columns.id.in_(ids), columns.hip_attempts == attempt, self._open)

    @property
    def lab_results(self) -> tuple[str, str]:
        """Where laboratory results are looked for, and its column of the visit code."""
        if self._names.form is Form.ROUTINES:
            return self._names.lab_table, "visitcode"
        return self._names.views + LAB_RESULTS.name, KEY

    def late(self, *, since: datetime, limit: int) -> Select[Any]:
        """Closed rows of visits with a result made since then (the hospital's clock) and after they were read.

        Not after they were closed: a result that comes while the documents are made would never be seen.
        """
        columns = self.table.c
        name, key = self.lab_results
        results = sa_table(name, column(key), column("createddate"), schema=self._names.schema)
        return (
            select(columns.id)
            .join(results, results.c[key] == columns.visitcode)
            .where(self._closed, results.c.createddate > since, results.c.createddate > columns.hip_read_at)
            .distinct()
            .limit(limit)
        )

    def reopen(self, ids: Sequence[int]) -> Update:
        """Due at once. What another has opened meanwhile is left to whoever claimed it."""
        columns = self.table.c
        return (
            update(self.table)
            .where(columns.id.in_(ids), self._closed)
            .values({self._flag: literal(0) if self._mysql else false(), columns.hip_due_at: text(self._now)})
        )
