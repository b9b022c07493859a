"""Flows: an operator has the bundles of stored visits built anew, after a setting, a guide or this service changed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hip.application.arrivals import ask_for_bundles, bundle_work
from hip.application.bundle_storage import Place, ReceivedSpan
from hip.application.ports import Clock
from hip.application.storage import Topic, UnitOfWork, Units, Visit, Work
from hip.domain.audit import AuditEntry
from hip.domain.bundles import BundleKey
from hip.domain.errors import DomainError, NotFound
from hip.domain.identifiers import HipId, VisitCode


@dataclass(frozen=True, slots=True)
class RebuildVisit:
    units: Units
    clock: Clock

    async def __call__(self, hip_id: HipId, visit_code: VisitCode, *, actor: str) -> Visit:
        """Ask for every bundle of the visit under a new version, and return the visit as it now stands.

        Versions that exist stay as they are, so the last valid one is served until a newer one is valid. A visit that
        waits for its first valid bundles goes on to linking once all are; one that is linked is not linked again.
        Raises NotFound.
        """
        now = self.clock()
        async with self.units() as uow:
            stored = await uow.visits.lock(hip_id, visit_code)
            if stored is None:
                raise NotFound("visit", visit_code)
            visit = replace(stored, version=stored.version + 1)
            await uow.visits.save(visit)
            await ask_for_bundles(uow, visit.record, version=visit.version, now=now)
            await uow.audit.append(_entry(hip_id, visit_code, visit.version, actor=actor, now=now))
            await uow.commit()
        return visit


AT_ONCE = 100
"""Visits asked for in one transaction."""

MOST_BYTES = 16 * 1024 * 1024
"""Of records in memory at once: a record may be of 32 MiB, and then is read alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """``last`` is behind which visit to go on; None when there was none left.

    ``unread`` are left as they are: their stored records cannot be read.
    """

    visits: int
    documents: int
    last: Place | None
    unread: tuple[VisitCode, ...] = ()


@dataclass(frozen=True, slots=True)
class RebuildVisits:
    """Any number of visits, some at a time, as back-fill: whatever comes in meanwhile is built before them."""

    units: Units
    clock: Clock
    most_bytes: int = MOST_BYTES

    async def count(self, hip_id: HipId, span: ReceivedSpan) -> int:
        """How many visits it would be."""
        async with self.units() as uow:
            return await uow.visits.count_received(hip_id, span)

    async def __call__(self, hip_id: HipId, span: ReceivedSpan, *, actor: str) -> Rebuilt:
        """Ask for every bundle of the first of these visits under a new version, in one transaction."""
        now = self.clock()
        async with self.units() as uow:
            places = await uow.visits.received(hip_id, span, limit=AT_ONCE)
            if not places:
                return Rebuilt(visits=0, documents=0, last=None)
            taken = places[: await self._fitting(uow, hip_id, places)]
            codes = [code for _, code in taken]
            await uow.visits.lock_versions(hip_id, codes)
            read = {visit.record.visit_code: visit.record for visit in await _readable(uow, hip_id, codes)}
            versions = await uow.visits.raise_versions(hip_id, sorted(read))
            keys = [
                BundleKey(hip_id=hip_id, visit_code=code, hi_type=hi_type)
                for code, record in read.items()
                for hi_type in record.required_hi_types
            ]
            await uow.bundle_jobs.ask_all({key: versions[key.visit_code] for key in keys}, now=now)
            await uow.outbox.add_all([_work(key, now=now) for key in keys])
            for code, version in versions.items():
                await uow.audit.append(_entry(hip_id, code, version, actor=actor, now=now))
            await uow.commit()
        unread = tuple(code for code in codes if code not in read)
        return Rebuilt(visits=len(versions), documents=len(keys), last=taken[-1], unread=unread)

    async def _fitting(self, uow: UnitOfWork, hip_id: HipId, places: Sequence[Place]) -> int:
        """How many of these are read at once, at least one."""
        sizes = await uow.visits.sizes(hip_id, [code for _, code in places])
        fitting = held = 0
        for _, code in places:
            held += sizes.get(code, 0)
            if fitting and held > self.most_bytes:
                break
            fitting += 1
        return fitting


async def _readable(uow: UnitOfWork, hip_id: HipId, codes: Sequence[VisitCode]) -> Sequence[Visit]:
    """Those whose records can be read; the others are found by halving."""
    try:
        return await uow.visits.several(hip_id, codes)
    except DomainError:
        if len(codes) == 1:
            return []
    middle = len(codes) // 2
    return [visit for half in (codes[:middle], codes[middle:]) for visit in await _readable(uow, hip_id, half)]


def _work(key: BundleKey, *, now: datetime) -> Work:
    name = bundle_work(key.visit_code, key.hi_type)
    return Work(hip_id=key.hip_id, topic=Topic.BUNDLE, key=name, run_at=now, backfill=True)


def _entry(hip_id: HipId, visit_code: VisitCode, version: int, *, actor: str, now: datetime) -> AuditEntry:
    return AuditEntry(
        hip_id=hip_id,
        at=now,
        actor=actor,
        action="visit-rebuilt",
        subject=visit_code,
        detail=(("from", str(version - 1)), ("to", str(version))),
    )
