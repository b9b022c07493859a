"""A hospital with AMRIT: its database beside ours, what it holds, and what is to come of each of its visits."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.builders.amrit import NAMES, TRIGGER, record_of
from tests.e2e.fleet import Fleet
from tests.e2e.outcome import HIP, Outcome, Wanted

from hip.adapters.amrit.names import INDIA
from hip.adapters.amrit.result_sets import DEMOGRAPHICS, KEY, LAB_RESULTS
from hip.adapters.amrit.sample_database import make
from hip.adapters.amrit.sample_layout import small_database
from hip.adapters.amrit.sample_visits import Rows, visits
from hip.domain.errors import InvalidValue

DATABASE = "amrit"
WITH_PHONE = 3
"""Every third patient can be told by SMS; nobody has an ABHA address, so that a message is all that follows."""


def _unlinked(rows: Rows, number: int) -> Rows:
    for person in rows[DEMOGRAPHICS.table]:
        person |= {"healthid": None, "healthidnumber": None}
        if number % WITH_PHONE:
            person["preferredphonenum"] = None
    return rows


@dataclass
class AmritHospital:
    """``held`` are the rows of each visit that is in its database, ``late`` the visits whose result came afterwards."""

    engine: AsyncEngine
    outcome: Outcome
    seed: int
    held: dict[int, Rows] = field(default_factory=dict)
    late: set[int] = field(default_factory=set)

    async def enter(self, count: int, *, odd: int = 10) -> None:
        """So many more visits end; one in ``odd`` is as odd as real ones."""
        first = len(self.held) + 1
        made = visits(count, seed=self.seed, facility=HIP, trigger=TRIGGER, first=first, odd=odd)
        entered = {number: _unlinked(rows, number) for number, (_, rows) in enumerate(made, first)}
        waiting: dict[str, list[dict[str, Any]]] = {}
        for rows in entered.values():
            for table, lines in rows.items():
                waiting.setdefault(table, []).extend(lines)
        await self._write(waiting, f"SELECT 1 FROM {TRIGGER} WHERE visitcode = {30_000_000_000 + first}")
        self.held |= entered

    async def report_late(self, number: int) -> None:
        """A laboratory result of one visit, just after its reading: dated by a clock of the hospital that is slow."""
        at = datetime.now(INDIA).replace(tzinfo=None, microsecond=0) - timedelta(seconds=8)
        columns: dict[str, Any] = dict.fromkeys(LAB_RESULTS.names)
        result = {
            **columns,
            KEY: self._code(number),
            "procedureid": 9,
            "procedurename": "Late test",
            "testcomponentid": 91,
            "testcomponentname": "Late component",
            "testresultvalue": "7",
            "createddate": at,
        }
        known = f"SELECT 1 FROM {LAB_RESULTS.table} WHERE {KEY} = {self._code(number)} AND procedureid = 9"
        await self._write({LAB_RESULTS.table: [result]}, known)
        rows = deepcopy(self.held[number])
        rows.setdefault(LAB_RESULTS.table, []).append(result)
        self.held[number] = rows
        self.late.add(number)

    def wanted(self) -> Sequence[Wanted]:
        """What must come of the visits that can become documents."""
        return [
            Wanted(record_of(rows), version=2 if number in self.late else 1)
            for number, rows in self.held.items()
            if not self._fault(rows)
        ]

    def refused(self) -> Mapping[int, str]:
        """The others, by visit code: what is wrong with them."""
        return {rows[TRIGGER][0]["visitcode"]: fault for rows in self.held.values() if (fault := self._fault(rows))}

    async def closed(self) -> set[int]:
        """The visit codes whose flag is set."""
        return {code for code, flag, *_ in await self.rows() if flag}

    async def at_rest(self) -> bool:
        """Every flag is set that can be, and no row will be opened again for a result that it was read without.

        One that was read within seconds of its result is read once more: clocks differ.
        """
        unsure = (
            f"SELECT count(*) FROM {TRIGGER} t JOIN {LAB_RESULTS.table} r ON r.{KEY} = t.visitcode "
            "WHERE r.createddate > t.hip_read_at"
        )
        async with self.engine.connect() as connection:
            if (await connection.execute(text(unsure))).scalar_one():
                return False
        return len(await self.closed()) == len(self.held) - len(self.refused())

    async def rows(self) -> Sequence[tuple[Any, ...]]:
        """Of each row of the trigger table: visit code, flag, reason, attempts."""
        asked = f"SELECT visitcode, {NAMES.trigger_flag}, hip_reason, hip_attempts FROM {TRIGGER} ORDER BY id"
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(asked))]

    async def flagged_too_early(self) -> list[int]:
        """Visits whose flag is set while one of their bundles, as they are known now, is missing or not valid.

        The flag is looked at before and after: a row may be opened again, for good reason, in between.
        """
        before = {code: attempts for code, flag, _, attempts in await self.rows() if flag}
        unready = {
            int(str(code))
            for (code,) in await self.outcome.rows(
                "SELECT v.visit_code FROM visits v JOIN bundle_jobs j USING (hip_id, visit_code) "
                "LEFT JOIN bundles b ON (b.hip_id, b.visit_code, b.hi_type, b.version, b.valid) "
                "= (j.hip_id, j.visit_code, j.hi_type, v.version, true) WHERE b.version IS NULL"
            )
        }
        known = {int(str(code)) for (code,) in await self.outcome.rows("SELECT DISTINCT visit_code FROM bundles")}
        after = {code: attempts for code, flag, _, attempts in await self.rows() if flag}
        return [
            code
            for code, attempts in before.items()
            if after.get(code) == attempts and (code in unready or code not in known)
        ]

    async def ten_minutes_pass(self) -> None:
        """For rows that somebody has claimed, or was refused: they are anybody's again, as when a claim has run out."""
        async with self.engine.begin() as connection:
            await connection.execute(
                text(
                    f"UPDATE {TRIGGER} SET hip_due_at = now() AT TIME ZONE 'utc' "
                    f"WHERE {NAMES.trigger_flag} IS NOT TRUE AND hip_attempts > 0"
                )
            )

    def some_closed(self, closed: set[int], chance: random.Random, count: int) -> list[int]:
        """The numbers of visits that are done and had no late result yet; fewer where there are fewer."""
        numbers = [n for n in sorted(self.held) if self._code(n) in closed and n not in self.late]
        return chance.sample(numbers, min(count, len(numbers)))

    def _code(self, number: int) -> int:
        return int(self.held[number][TRIGGER][0]["visitcode"])

    def _fault(self, rows: Rows) -> str:
        try:
            record_of(rows)
        except InvalidValue as fault:
            return str(fault)
        return ""

    async def _write(self, waiting: Mapping[str, Sequence[Mapping[str, Any]]], known: str) -> None:
        """In one transaction, unless ``known`` finds it; again until the server is back, as AMRIT would."""
        tables = small_database(NAMES, "postgresql").tables
        while True:
            try:
                async with self.engine.begin() as connection:
                    if not (await connection.execute(text(known))).first():
                        for table, lines in waiting.items():
                            await connection.execute(insert(tables[table]), lines)
            except (DBAPIError, OSError):
                await asyncio.sleep(0.2)
            else:
                return


@asynccontextmanager
async def amrit_hospital(fleet: Fleet, outcome: Outcome, *, seed: int) -> AsyncIterator[AmritHospital]:
    """An empty database of AMRIT's shape on the fleet's own PostgreSQL; sources that are started read it."""
    fleet.servers.create_database(DATABASE)
    url = fleet.servers.database_url(DATABASE)
    await make(url, NAMES)
    fleet.environment |= {"HIP_VISIT_SOURCE": "amrit", "HIP_AMRIT_URL": url}
    engine = create_async_engine(url, pool_pre_ping=True)
    try:
        yield AmritHospital(engine, outcome, seed)
    finally:
        await engine.dispose()
