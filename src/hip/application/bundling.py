"""Flow: visit → FHIR bundle → validated → stored; and when all are valid, on to linking (LINK-05)."""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from hip.application.built_bundles import Built, record_bundles
from hip.application.ports import Bundles, Clock, Composer, Facilities, Validator
from hip.application.storage import OutboxRow, UnitOfWork, Units, Visit
from hip.domain.bundle_jobs import BEGINNINGS, BundleJob
from hip.domain.bundles import Bundle, BundleKey, Issue, Severity, ValidationReport
from hip.domain.errors import DomainError, NotFound, Transient, WorkerLost
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode

KEPT_ISSUES = 500
"""So many are stored with a bundle, errors first: they share one document of at most 16 MiB with its bytes."""

CHUNK = 100
"""Documents that are stored by one write to MongoDB and one transaction."""

CHUNK_BYTES = 2 * 1024 * 1024
"""So much source at once, unless one visit has more: that bounds the memory of a worker."""

Outcome = tuple[OutboxRow, Exception | None]


def kept(report: ValidationReport) -> tuple[Issue, ...]:
    """The issues to store, in document order unless there are too many."""
    if len(report.issues) <= KEPT_ISSUES:
        return report.issues
    return tuple(sorted(report.issues, key=lambda issue: issue.severity is not Severity.ERROR)[:KEPT_ISSUES])


@dataclass(frozen=True, slots=True)
class _Work:
    """A leased row and the document it asks for."""

    row: OutboxRow
    key: BundleKey


@dataclass(frozen=True, slots=True)
class BuildBundle:
    units: Units
    bundles: Bundles
    composer: Composer
    validator: Validator
    facilities: Facilities
    clock: Clock
    mirrored: bool = False

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """Build the bundle ``visit|HiType`` names from the stored visit. Repeats give the same bytes.

        Invalid bundles are kept and flagged, never linked, never sent. Raises NotFound for an unknown visit or HIP.
        """
        bundle_key = bundle_named(hip_id, key)
        facility = self._facility(hip_id)
        async with self.units() as uow:
            visit = await uow.visits.get(hip_id, bundle_key.visit_code)
        built = self._build(bundle_key, visit, facility)
        # The document first: a record in Postgres without its bytes would be a bundle that cannot be served.
        await self.bundles.put(built.bundle)
        async with self.units() as uow:
            await record_bundles(uow, hip_id, [built], now=self.clock(), mirrored=self.mirrored)
            await uow.commit()

    async def batch(self, rows: Sequence[OutboxRow]) -> AsyncGenerator[Outcome]:
        """Build what many rows ask for, and mark those rows done in the transaction that records the documents.

        Gives each row with None, or with what went wrong about it alone. A row whose document is built already, in
        the version asked for, is done without building it again. Stopping between two outcomes loses nothing.
        """
        good: list[_Work] = []
        for row in rows:
            try:
                good.append(_Work(row, bundle_named(row.hip_id, row.key)))
            except Exception as failure:  # noqa: BLE001 - the others of the batch go on
                yield row, failure
        good.sort(key=lambda work: work.key)
        for hip_id, group in groupby(good, key=lambda work: work.key.hip_id):
            works = list(group)
            try:
                facility = self._facility(hip_id)
                async with self.units() as uow:
                    sizes = await uow.visits.sizes(hip_id, [work.key.visit_code for work in works])
            except (NotFound, Transient) as failure:
                for work in works:
                    yield work.row, failure
                continue
            async with aclosing(self._chunks(list(_chunked(works, sizes)), facility)) as outcomes:
                async for outcome in outcomes:
                    yield outcome

    async def _chunks(self, chunks: Sequence[Sequence[_Work]], facility: Facility) -> AsyncGenerator[Outcome]:
        """One chunk is built while the one before it is being stored."""
        storing: asyncio.Task[Sequence[Outcome]] | None = None
        suspects: list[BundleJob] = []
        alone: dict[BundleKey, list[_Work]] = {}
        waiting = deque(chunks)
        try:
            while waiting or suspects:
                if waiting:
                    chunk, suspected = waiting.popleft(), False
                    alone |= {work.key: [*alone.get(work.key, ()), work] for work in chunk}
                else:
                    chunk, suspected = alone[suspects.pop().key], True
                    if storing is not None:
                        await asyncio.wait([storing])
                built, outcomes, found = await self._built(chunk, facility, suspected=suspected)
                suspects = sorted([*suspects, *found], key=_turn)
                if storing is not None:
                    outcomes += await storing
                storing = asyncio.create_task(self._stored(facility.hip_id, built))
                for outcome in outcomes:
                    yield outcome
            if storing is not None:
                for outcome in await storing:
                    yield outcome
        finally:
            if storing is not None and not storing.done():
                await asyncio.wait([storing])

    async def _built(
        self, chunk: Sequence[_Work], facility: Facility, *, suspected: bool
    ) -> tuple[list[tuple[_Work, Built | None]], list[Outcome], list[BundleJob]]:
        """Each work with its document, or None when that is stored already; what could not be built; and suspects.

        Those are left for the end, when each is built alone and all else is stored.
        """
        hip_id = facility.hip_id
        try:
            async with self.units() as uow:
                jobs = {job.key: job for job in await uow.bundle_jobs.begin([w.key for w in chunk], now=self.clock())}
                found = await uow.visits.several(hip_id, [w.key.visit_code for w in chunk])
                await uow.commit()
        except Transient as failure:
            return [], [(work.row, failure) for work in chunk], []
        except DomainError as failure:
            return await self._built_apart(chunk, facility, failure, suspected=suspected)
        visits = {visit.record.visit_code: visit for visit in found}
        built: list[tuple[_Work, Built | None]] = []
        failed: list[Outcome] = []
        made: set[BundleKey] = set()
        suspects: dict[BundleKey, BundleJob] = {}
        for work in chunk:
            visit, job = visits.get(work.key.visit_code), jobs.get(work.key)
            stored = visit is not None and job is not None and job.state.built and job.version == visit.version
            if stored or work.key in made:
                built.append((work, None))
                continue
            if job is not None and job.hopeless:
                failed.append((work.row, WorkerLost(f"its worker ended {BEGINNINGS} times")))
                continue
            if job is not None and job.suspect and not suspected:
                suspects[work.key] = job
                continue
            try:
                built.append((work, self._build(work.key, visit, facility)))
                made.add(work.key)
            except Exception as failure:  # noqa: BLE001 - a poisoned visit must not lose the others
                failed.append((work.row, failure))
            await asyncio.sleep(0)  # whatever is being stored goes on
        return built, failed, list(suspects.values())

    async def _built_apart(
        self, chunk: Sequence[_Work], facility: Facility, failure: DomainError, *, suspected: bool
    ) -> tuple[list[tuple[_Work, Built | None]], list[Outcome], list[BundleJob]]:
        """The stored record of one visit cannot be read: it is found by halving, and the others are built.

        It is tried again for as long as an outage would be: a worker may lack a key that others have.
        """
        codes = list(dict.fromkeys(work.key.visit_code for work in chunk))
        if len(codes) == 1:
            unread = Transient("the stored record cannot be read", code=type(failure).__name__)
            return [], [(work.row, unread) for work in chunk], []
        first = frozenset(codes[: len(codes) // 2])
        halves = [[work for work in chunk if (work.key.visit_code in first) is of_first] for of_first in (True, False)]
        parts = [await self._built(half, facility, suspected=suspected) for half in halves]
        built, outcomes, suspects = ([one for each in kind for one in each] for kind in zip(*parts, strict=True))
        return built, outcomes, suspects

    async def _stored(self, hip_id: HipId, works: Sequence[tuple[_Work, Built | None]]) -> Sequence[Outcome]:
        """Store a chunk as a whole; when something other than an outage keeps it from that, one by one."""
        try:
            await self._store(hip_id, works)
        except Transient as failure:
            return [(work.row, failure) for work, _ in works]
        except Exception as failure:  # noqa: BLE001 - found out below whose fault it is
            if len(works) == 1:
                return [(works[0][0].row, failure)]
            return [outcome for one in works for outcome in await self._stored(hip_id, [one])]
        return [(work.row, None) for work, _ in works]

    async def _store(self, hip_id: HipId, works: Sequence[tuple[_Work, Built | None]]) -> None:
        built = [one for _, one in works if one is not None]
        if built:
            await self.bundles.put_all([one.bundle for one in built])
        async with self.units() as uow:
            if built:
                await record_bundles(uow, hip_id, built, now=self.clock(), mirrored=self.mirrored)
            await uow.outbox.done_all([(work.row.id, work.row.attempt) for work, _ in works])
            await uow.commit()

    def _facility(self, hip_id: HipId) -> Facility:
        facility = self.facilities.find(hip_id)
        if facility is None:
            raise NotFound("facility", hip_id, code="ABDM-1035")
        return facility

    def _build(self, key: BundleKey, visit: Visit | None, facility: Facility) -> Built:
        if visit is None:
            raise NotFound("visit", key.visit_code)
        content = self.composer.compose(visit.record, key.hi_type, facility=facility, version=visit.version)
        report = self.validator.validate(content)
        bundle = Bundle(
            key=key,
            version=visit.version,
            content=content,
            valid=report.valid,
            composed_at=self.clock(),
            issues=kept(report),
        )
        return Built(bundle=bundle, visit=visit)


def bundle_named(hip_id: HipId, key: str) -> BundleKey:
    """The document an outbox key names. Raises InvalidValue."""
    visit_code, _, type_name = key.partition("|")
    return BundleKey(hip_id=hip_id, visit_code=VisitCode(visit_code), hi_type=HiType.parse(type_name))


def _turn(job: BundleJob) -> bytes:
    """Another order after each attempt, so that what once stood behind the culprit gets its turn before it."""
    return hashlib.sha256(f"{job.key} {job.attempts}".encode()).digest()


async def note_failed_bundle(
    uow: UnitOfWork, row: OutboxRow, *, error: str | None, next_run_at: datetime | None, now: datetime
) -> None:
    """Show on the document's job what became of this row: it will be tried again then, or never by itself."""
    with suppress(DomainError):  # a key that names no document has no job either
        await uow.bundle_jobs.fail(bundle_named(row.hip_id, row.key), error=error, next_run_at=next_run_at, now=now)


def _chunked(works: Sequence[_Work], sizes: Mapping[VisitCode, int]) -> Iterator[Sequence[_Work]]:
    """Documents of one visit stand together, so that its source is read once and it is completed at once."""
    chunk: list[_Work] = []
    held = 0
    for code, group in groupby(works, key=lambda work: work.key.visit_code):
        of_visit, size = list(group), sizes.get(code, 0)
        if chunk and (len(chunk) + len(of_visit) > CHUNK or held + size > CHUNK_BYTES):
            yield chunk
            chunk, held = [], 0
        chunk, held = chunk + of_visit, held + size
    if chunk:
        yield chunk
