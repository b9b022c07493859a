"""What became of the making of each document, in Postgres."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, RowMapping, Select, Table, Text, and_, case, func, select, update

from hip.adapters.postgres.statements import Statements, in_columns, listed, rows_of, upsert_all
from hip.adapters.postgres.tables import clinical
from hip.application.storage import Listing
from hip.domain.bundle_jobs import WORKER_LOST, BundleJob, BundleJobState
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode

_JOBS: Table = clinical.bundle_jobs
_BUILT = ("valid", "invalid")
_KEY = ("hip_id", "visit_code", "hi_type")
_COLUMNS = (*_KEY, "version", "state", "attempts", "next_run_at", "error", "updated_at")
_ASKED = upsert_all(_JOBS, _COLUMNS)


def _job(row: RowMapping) -> BundleJob:
    return BundleJob(
        key=_key(row),
        version=row["version"],
        state=BundleJobState(row["state"]),
        attempts=row["attempts"],
        next_run_at=row["next_run_at"],
        updated_at=row["updated_at"],
        error=row["error"],
    )


def _key(row: RowMapping) -> BundleKey:
    return BundleKey(
        hip_id=HipId(row["hip_id"]), visit_code=VisitCode(row["visit_code"]), hi_type=HiType(row["hi_type"])
    )


class PostgresBundleJobs:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def ask(
        self, hip_id: HipId, visit_code: VisitCode, hi_types: Sequence[HiType], *, version: int, now: datetime
    ) -> None:
        keys = [BundleKey(hip_id=hip_id, visit_code=visit_code, hi_type=hi_type) for hi_type in hi_types]
        await self.ask_all(dict.fromkeys(keys, version), now=now)

    async def ask_all(self, versions: Mapping[BundleKey, int], *, now: datetime) -> None:
        if not versions:
            return
        rows = [
            {
                "hip_id": key.hip_id,
                "visit_code": key.visit_code,
                "hi_type": key.hi_type.value,
                "version": versions[key],
                "state": "pending",
                "attempts": 0,
                "next_run_at": now,
                "error": None,
                "updated_at": now,
            }
            for key in sorted(versions)
        ]
        await self._statements.run(_ASKED, in_columns(rows, *_COLUMNS))

    async def begin(self, keys: Sequence[BundleKey], *, now: datetime) -> Sequence[BundleJob]:
        if not keys:
            return []
        named = rows_of("named", **_named(keys))
        # In the order in which ``ask_all`` writes them: so a batch that begins and one that comes in never wait for
        # each other both ways.
        held = (
            select(*(_JOBS.c[name] for name in _KEY))
            .join(named, and_(*(_JOBS.c[name] == named.c[name] for name in _KEY)))
            .where(_JOBS.c.state.not_in(_BUILT))
            .order_by(*(_JOBS.c[name].collate("C") for name in _KEY))
            .with_for_update(of=_JOBS)
            .cte("held")
        )
        begun = await self._statements.all(
            update(_JOBS)
            .where(*(_JOBS.c[name] == held.c[name] for name in _KEY), _JOBS.c.state.not_in(_BUILT))
            .values(
                state="building",
                attempts=_JOBS.c.attempts + 1,
                next_run_at=None,
                updated_at=now,
                error=case((_JOBS.c.state == "building", WORKER_LOST), else_=_JOBS.c.error),
            )
            .returning(_JOBS)
        )
        jobs = [_job(row) for row in begun]
        others = set(keys) - {job.key for job in jobs}
        if others:
            named = rows_of("named", **_named(sorted(others)))
            both = and_(*(_JOBS.c[name] == named.c[name] for name in _KEY))
            jobs += [_job(row) for row in await self._statements.all(select(_JOBS).join(named, both))]
        return jobs

    async def finish(self, records: Sequence[BundleRecord], *, now: datetime) -> None:
        if not records:
            return
        states = [BundleJobState.VALID if record.valid else BundleJobState.INVALID for record in records]
        built = rows_of(
            "built",
            **_named([record.key for record in records]),
            version=(Integer(), [record.version for record in records]),
            state=(Text(), [state.value for state in states]),
        )
        same = (_JOBS.c[name] == built.c[name] for name in _KEY)
        values = {"version": built.c.version, "state": built.c.state, "next_run_at": None, "error": None}
        await self._statements.run(
            update(_JOBS).where(*same, _JOBS.c.version <= built.c.version).values(**values, updated_at=now)
        )

    async def fail(self, key: BundleKey, *, error: str | None, next_run_at: datetime | None, now: datetime) -> None:
        await self._statements.run(
            update(_JOBS)
            .where(_is(key), _JOBS.c.state.not_in(_BUILT))
            .values(
                state="dead" if next_run_at is None else "failed",
                next_run_at=next_run_at,
                updated_at=now,
                error=func.coalesce(error, _JOBS.c.error),
            )
        )

    async def get(self, key: BundleKey) -> BundleJob | None:
        row = await self._statements.first(select(_JOBS).where(_is(key)))
        return None if row is None else _job(row)

    async def of_visit(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[BundleJob]:
        of_visit = select(_JOBS).where(_JOBS.c.hip_id == hip_id, _JOBS.c.visit_code == visit_code)
        jobs = {job.key.hi_type: job for job in map(_job, await self._statements.all(of_visit))}
        return [jobs[hi_type] for hi_type in HiType if hi_type in jobs]

    async def list(self, listing: Listing) -> Sequence[BundleJob]:
        statement: Select[Any] = listed(select(_JOBS), _JOBS, listing, at="updated_at")
        return [_job(row) for row in await self._statements.all(statement)]


def _named(keys: Sequence[BundleKey]) -> dict[str, Any]:
    unique = list(dict.fromkeys(keys))
    return {
        "hip_id": (Text(), [key.hip_id for key in unique]),
        "visit_code": (Text(), [key.visit_code for key in unique]),
        "hi_type": (Text(), [key.hi_type.value for key in unique]),
    }


def _is(key: BundleKey) -> ColumnElement[bool]:
    return and_(
        _JOBS.c.hip_id == key.hip_id, _JOBS.c.visit_code == key.visit_code, _JOBS.c.hi_type == key.hi_type.value
    )
