"""Result sets as views: one query for each, for all visits of a claim together.

When a view fails at what it makes of one visit, that visit is found by halving, and the others are read.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hip.adapters.amrit.layouts import answering, error_code, fitting, is_away, misshapen
from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.reading import Trigger, Unread
from hip.adapters.amrit.records import Found
from hip.adapters.amrit.result_sets import ALL, DEMOGRAPHICS, KEY, OF_VISIT, ResultSet, Row
from hip.domain.errors import StorageFailed


class _Failed(Exception):
    """A view that is laid out as it must be gave an error, for one of the visits that were asked for."""

    def __init__(self, view: str, error: DBAPIError) -> None:
        super().__init__(view)
        self.unread = Unread(f"view {view}", f"to succeed; it gave error {error_code(error)}")


class Views:
    def __init__(self, engine: AsyncEngine, names: AmritNames) -> None:
        self._engine = engine
        self._names = names

    async def of(self, visits: Sequence[Trigger]) -> Mapping[int, Found | Unread]:
        with answering():
            return await self._of(visits)

    async def _of(self, visits: Sequence[Trigger]) -> dict[int, Found | Unread]:
        try:
            return dict(await self._together(visits))
        except _Failed as failed:
            if len(visits) == 1:
                return {visits[0].row_id: failed.unread}
        middle = len(visits) // 2
        return {**await self._of(visits[:middle]), **await self._of(visits[middle:])}

    async def _together(self, visits: Sequence[Trigger]) -> Mapping[int, Found]:
        codes = sorted({visit.visit_code for visit in visits if visit.visit_code is not None})
        people = sorted({visit.patient for visit in visits if visit.patient is not None})
        async with self._engine.begin() as connection:
            demographics = await self._rows(connection, DEMOGRAPHICS, people)
            of_visit = {each.name: await self._rows(connection, each, codes) for each in OF_VISIT}
        found: dict[int, Found] = {}
        for visit in visits:
            sets = {name: rows.get(visit.visit_code, []) for name, rows in of_visit.items()}
            found[visit.row_id] = {**sets, DEMOGRAPHICS.name: demographics.get(visit.patient, [])}
        return found

    async def check(self) -> None:
        with answering():
            try:
                async with self._engine.begin() as connection:
                    for each in ALL:
                        await self._rows(connection, each, [-1])
            except _Failed as failed:
                raise StorageFailed(failed.unread.fault) from None

    async def _rows(
        self, connection: AsyncConnection, result_set: ResultSet, keys: Sequence[int]
    ) -> dict[Any, list[Row]]:
        view = self._names.qualified(self._names.views + result_set.name)
        asked = text(f"SELECT * FROM {view} WHERE {KEY} IN :keys").bindparams(bindparam("keys", expanding=True))  # noqa: S608
        with fitting(f"view {view}", (*result_set.names, KEY), "as `hip source schema` prints it"):
            try:
                answer = await connection.execute(asked, {"keys": list(keys)})
            except DBAPIError as error:
                if is_away(error) or misshapen(error):
                    raise
                raise _Failed(view, error) from None
            found = result_set.keyed(list(answer.keys()), answer.all())
        grouped: dict[Any, list[Row]] = defaultdict(list)
        for key, row in found:
            grouped[key].append(row)
        return grouped
