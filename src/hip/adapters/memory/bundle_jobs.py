"""What became of the making of each document, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing
from hip.domain.bundle_jobs import WORKER_LOST, BundleJob, BundleJobState
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode

BundleJobTable = MemoryTable[BundleKey, BundleJob]


class MemoryBundleJobs:
    def __init__(self, session: Session, rows: BundleJobTable) -> None:
        self._session = session
        self._rows = rows

    async def ask(
        self, hip_id: HipId, visit_code: VisitCode, hi_types: Sequence[HiType], *, version: int, now: datetime
    ) -> None:
        keys = [BundleKey(hip_id=hip_id, visit_code=visit_code, hi_type=hi_type) for hi_type in hi_types]
        await self.ask_all(dict.fromkeys(keys, version), now=now)

    async def ask_all(self, versions: Mapping[BundleKey, int], *, now: datetime) -> None:
        await self._session.step()
        for key, version in versions.items():
            asked = BundleJob(
                key=key, version=version, state=BundleJobState.PENDING, attempts=0, next_run_at=now, updated_at=now
            )
            self._rows.put(key, asked)

    async def begin(self, keys: Sequence[BundleKey], *, now: datetime) -> Sequence[BundleJob]:
        await self._session.step()
        found: list[BundleJob] = []
        for key in dict.fromkeys(keys):
            job = self._rows.get(key)
            if job is not None and not job.state.built:
                job = replace(
                    job,
                    state=BundleJobState.BUILDING,
                    attempts=job.attempts + 1,
                    next_run_at=None,
                    updated_at=now,
                    error=WORKER_LOST if job.state is BundleJobState.BUILDING else job.error,
                )
                self._rows.put(key, job)
            if job is not None:
                found.append(job)
        return found

    async def finish(self, records: Sequence[BundleRecord], *, now: datetime) -> None:
        await self._session.step()
        for record in records:
            job = self._rows.get(record.key)
            if job is not None and job.version <= record.version:
                state = BundleJobState.VALID if record.valid else BundleJobState.INVALID
                built = replace(job, version=record.version, state=state, next_run_at=None, updated_at=now, error=None)
                self._rows.put(record.key, built)

    async def fail(self, key: BundleKey, *, error: str | None, next_run_at: datetime | None, now: datetime) -> None:
        await self._session.step()
        job = self._rows.get(key)
        if job is not None and not job.state.built:
            state = BundleJobState.DEAD if next_run_at is None else BundleJobState.FAILED
            failed = replace(job, state=state, next_run_at=next_run_at, updated_at=now, error=error or job.error)
            self._rows.put(key, failed)

    async def get(self, key: BundleKey) -> BundleJob | None:
        await self._session.step()
        return self._rows.get(key)

    async def of_visit(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[BundleJob]:
        await self._session.step()
        keys = [BundleKey(hip_id=hip_id, visit_code=visit_code, hi_type=hi_type) for hi_type in HiType]
        return [job for key in keys if (job := self._rows.get(key)) is not None]

    async def list(self, listing: Listing) -> Sequence[BundleJob]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda job: job.key.hip_id, at=lambda job: job.updated_at)
