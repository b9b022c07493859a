"""What the collections of one unit run their statements through."""

import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Executable, RowMapping, Select, Table, TableValuedAlias, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from hip.adapters.postgres.failures import translated
from hip.application.storage import Listing
from hip.domain.errors import DomainError, StorageFailed


class Statements:
    """One transaction. After a failure nothing more is sent: the server has undone it, or will."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._open = True
        self.broken = False

    async def run(
        self, statement: Executable, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Raises StorageFailed on an outage and ever after, RuntimeError once the unit has ended."""
        self.require_usable()
        try:
            with translated():
                return await self._connection.execute(statement, rows)
        except BaseException:
            self.broken = True
            raise

    async def run_each(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Once for each of ``rows``, in one round trip."""
        self.require_usable()
        if rows:
            await self.run(statement, rows)

    async def first(self, statement: Executable) -> RowMapping | None:
        return (await self.run(statement)).mappings().first()

    async def all(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        """``values`` are those of the parameters that a statement made beforehand leaves open."""
        return (await self.run(statement, values)).mappings().all()

    async def count(self, statement: Executable, values: Mapping[str, Any] | None = None) -> int:
        """The rows a statement changed."""
        return (await self.run(statement, values)).rowcount

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """A DomainError inside undoes what was done inside, and the unit lives on."""
        self.require_usable()
        with translated():
            nested = await self._connection.begin_nested()
        try:
            yield
        except DomainError:
            with translated():
                await nested.rollback()
            self.broken = False
            raise
        with translated():
            await nested.commit()

    async def commit(self) -> None:
        """Raises StorageFailed when the server does not confirm it."""
        self.require_usable()
        self.end()
        try:
            with translated():
                await self._connection.commit()
        except BaseException:
            self.broken = True
            raise

    def require_usable(self) -> None:
        if not self._open:
            raise RuntimeError("this unit of work has ended")
        if self.broken:
            raise StorageFailed("the transaction is broken")

    def end(self) -> None:
        self._open = False


def upsert(table: Table, row: dict[str, Any], *, keeping: Sequence[str] = ()) -> Insert:
    """Insert, or replace by primary key everything but the key and the columns to be kept as they were first."""
    statement = insert(table).values(row)
    fixed = {*table.primary_key.columns.keys(), *keeping}
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in row if name not in fixed},
    )


def insert_missing(table: Table) -> Insert:
    """Insert, or leave the row as it is that has this primary key."""
    return insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key.columns))


def unnested(table: Table, *names: str) -> TableValuedAlias:
    """Rows given as an array for each of these columns, under its name: one prepared statement for any number of rows.

    They come in the order of the arrays.
    """
    arrays = (bindparam(name, type_=ARRAY(table.c[name].type, dimensions=1)) for name in names)
    columns = (column(name, table.c[name].type) for name in names)
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="given")


def in_columns(rows: Sequence[Mapping[str, Any]], *names: str) -> dict[str, list[Any]]:
    """What ``unnested`` takes."""
    return {name: [row[name] for row in rows] for name in names}


def upsert_each(table: Table, columns: Sequence[str], *, keeping: Sequence[str] = ()) -> Insert:
    """``upsert`` for ``run_each``: every row names these columns."""
    statement = insert(table)
    fixed = {*table.primary_key.columns.keys(), *keeping}
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in columns if name not in fixed},
    )


def upsert_all(table: Table, columns: Sequence[str]) -> Insert:
    """``upsert`` of any number of rows in one statement that takes ``in_columns``; no row twice."""
    statement = insert(table).from_select(list(columns), select(unnested(table, *columns)))
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in columns if name not in table.primary_key.columns},
    )


def insert_all_missing(table: Table, columns: Sequence[str]) -> Insert:
    """``insert_missing`` of any number of rows in one statement that takes ``in_columns``."""
    statement = insert(table).from_select(list(columns), select(unnested(table, *columns)))
    return statement.on_conflict_do_nothing(index_elements=list(table.primary_key.columns))


def rows_of(name: str, **columns: tuple[TypeEngine[Any], Sequence[Any]]) -> TableValuedAlias:
    """Values as a table, one array for each column: the same statement however many they are."""
    arrays = [bindparam(None, list(values), type_=ARRAY(of)) for of, values in columns.values()]
    named = [column(column_name, of) for column_name, (of, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*named).render_derived(name)


def lock_number(*parts: str) -> int:
    """What ``pg_advisory_xact_lock`` takes for a thing: the same in every process and release, a signed 64-bit hash.

    A collision only makes two callers wait.
    """
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def listed(
    statement: Select[Any], table: Table, listing: Listing, *, at: str, sequence: str = "sequence"
) -> Select[Any]:
    """Newest first by the column ``at``, the later inserted of two equals first. ``since`` belongs to the span."""
    if listing.hip_id is not None:
        statement = statement.where(table.c.hip_id == listing.hip_id)
    if listing.since is not None:
        statement = statement.where(table.c[at] >= listing.since)
    return statement.order_by(table.c[at].desc(), table.c[sequence].desc()).limit(listing.limit)
