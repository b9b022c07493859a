"""Result sets as routines: ``CALL fhir_r_x(patient, visit, @…)`` on MySQL, ``SELECT * FROM fhir_r_x(…)`` on PostgreSQL.

A visit costs a call for each result set; a few visits are read at the same time, each over a connection of its own.
Every call stands alone, so that one that fails leaves nothing behind: what else a procedure returns is drained by the
driver before the connection is used again.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hip.adapters.amrit.calls import Call, calls
from hip.adapters.amrit.layouts import TooFewColumns, answering, error_code, is_away, misshapen
from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.reading import Trigger, Unread
from hip.adapters.amrit.records import Found
from hip.adapters.amrit.result_sets import Argument, Row
from hip.domain.errors import InvalidValue, StorageFailed

AT_ONCE = 4
"""Visits read at the same time by one process, and so the connections that reading takes."""

PATIENCE = timedelta(seconds=30)
"""A call that takes longer is given up, with its visit: it is asked for again later."""


class Routines:
    def __init__(self, engine: AsyncEngine, names: AmritNames, *, mysql: bool, patience: timedelta = PATIENCE) -> None:
        # No transaction around the calls: PostgreSQL would refuse all that follow one that failed.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._names = names
        self._mysql = mysql
        self._patience = patience.total_seconds()
        self._calls: list[Call] | None = None

    async def of(self, visits: Sequence[Trigger]) -> Mapping[int, Found | Unread]:
        asked = await self._asked()
        found: dict[int, Found | Unread] = {}
        waiting = iter(visits)
        readers = [asyncio.create_task(self._read(waiting, asked, found)) for _ in range(min(AT_ONCE, len(visits)))]
        try:
            ends = await asyncio.gather(*readers, return_exceptions=True)
        except asyncio.CancelledError:
            await asyncio.wait(readers)  # they were told to stop as well, and give their connections back
            raise
        for end in ends:
            if end is not None:
                raise end
        return found

    async def _read(self, waiting: Iterator[Trigger], asked: Sequence[Call], found: dict[int, Found | Unread]) -> None:
        try:
            while await self._read_over_one(waiting, asked, found):
                pass  # a call was given up, and with it the connection
        except BaseException:
            deque(waiting, maxlen=0)  # nobody begins another visit; the others end theirs
            raise

    async def _read_over_one(
        self, waiting: Iterator[Trigger], asked: Sequence[Call], found: dict[int, Found | Unread]
    ) -> bool:
        """Read until nothing waits or the connection is no more; whether anything may be left."""
        with answering():
            async with self._engine.connect() as connection:
                for visit in waiting:
                    found[visit.row_id] = await self._visit(connection, visit, asked)
                    if connection.invalidated:
                        return True
        return False

    async def _visit(self, connection: AsyncConnection, visit: Trigger, asked: Sequence[Call]) -> Found | Unread:
        given = {Argument.PATIENT: visit.patient, Argument.VISIT: visit.visit_code}
        found: dict[str, list[Row]] = {}
        for call in asked:
            rows = await self._rows(connection, call, given)
            if isinstance(rows, Unread):
                return rows
            found[call.result_set.name] = rows
        return found

    async def _rows(
        self, connection: AsyncConnection, call: Call, given: Mapping[Argument, int | None]
    ) -> list[Row] | Unread:
        """Raises InvalidValue when the routine is not as it must be, StorageFailed when the server is away."""
        if any(given[argument] is None for argument in call.arguments):
            return []
        try:
            async with asyncio.timeout(self._patience):
                answer = await connection.execute(call.statement, call.values(given))
                if not answer.returns_rows:
                    raise call.misfit(0)
                return call.result_set.unkeyed(list(answer.keys()), answer.all())
        except TooFewColumns as short:
            raise call.misfit(short.found) from None
        except TimeoutError:
            return Unread(f"routine {call.routine}", f"to answer within {self._patience:g} s", passing=True)
        except (DBAPIError, self._driver_error) as error:
            if misshapen(error):
                raise call.misfit() from None
            if is_away(error):
                raise StorageFailed(f"the hospital's database does not answer ({type(error).__name__})") from None
            return Unread(f"routine {call.routine}", f"to succeed; it gave error {error_code(error)}")

    @property
    def _driver_error(self) -> type[Exception]:
        """What comes when a procedure fails after its first result set: while the rest is drained, nobody wraps it."""
        return self._engine.dialect.loaded_dbapi.Error

    async def check(self) -> None:
        """Calls each once, for a visit that cannot be."""
        self._calls = None
        nobody = {Argument.PATIENT: -1, Argument.VISIT: -1}
        for call in await self._asked():
            with answering():
                async with self._engine.connect() as connection:
                    unread = await self._rows(connection, call, nobody)
            if isinstance(unread, Unread) and unread.passing:
                raise StorageFailed(unread.fault)
            if isinstance(unread, Unread):
                raise InvalidValue(unread.what, unread.expected)

    async def _asked(self) -> list[Call]:
        if self._calls is None:
            with answering():
                async with self._engine.connect() as connection:
                    self._calls = await calls(connection, self._names, mysql=self._mysql)
        return self._calls
