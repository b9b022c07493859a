"""Result sets as views: one query for each, for all visits of a claim together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hip.adapters.amrit.layouts import answering, fitting
from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.reading import Trigger
from hip.adapters.amrit.records import Found
from hip.adapters.amrit.result_sets import ALL, DEMOGRAPHICS, KEY, OF_VISIT, ResultSet, Row


class Views:
    def __init__(self, engine: AsyncEngine, names: AmritNames) -> None:
        self._engine = engine
        self._names = names

    async def of(self, visits: Sequence[Trigger]) -> Mapping[int, Found]:
        codes = sorted({visit.visit_code for visit in visits if visit.visit_code is not None})
        people = sorted({visit.patient for visit in visits if visit.patient is not None})
        with answering():
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
            async with self._engine.begin() as connection:
                for each in ALL:
                    await self._rows(connection, each, [-1])

    async def _rows(
        self, connection: AsyncConnection, result_set: ResultSet, keys: Sequence[int]
    ) -> dict[Any, list[Row]]:
        view = self._names.qualified(self._names.views + result_set.name)
        asked = text(f"SELECT * FROM {view} WHERE {KEY} IN :keys").bindparams(bindparam("keys", expanding=True))  # noqa: S608
        with fitting(f"view {view}", (*result_set.names, KEY), "as `hip source schema` prints it"):
            answer = await connection.execute(asked, {"keys": list(keys)})
            found = result_set.keyed(list(answer.keys()), answer.all())
        grouped: dict[Any, list[Row]] = defaultdict(list)
        for key, row in found:
            grouped[key].append(row)
        return grouped
