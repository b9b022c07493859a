"""What is written down of documents that were built: their records, and what follows when a visit has all of them.

For any number of documents of one HIP by one and the same few statements, in the transaction of whoever built them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hip.application.context_notifies import notify_work
from hip.application.linkables import ask_again
from hip.application.mirrors import mirror_work
from hip.application.storage import Topic, UnitOfWork, Visit, Work
from hip.domain.audit import AuditEntry
from hip.domain.bundles import Bundle, BundleRecord
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, HipId, VisitCode
from hip.domain.links import CareContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A document and the visit as it was read for it."""

    bundle: Bundle
    visit: Visit

    @property
    def record(self) -> BundleRecord:
        """What Postgres keeps of it."""
        return BundleRecord(
            key=self.bundle.key,
            version=self.bundle.version,
            sha256=self.bundle.sha256,
            size=len(self.bundle.content),
            valid=self.bundle.valid,
            clinical_date=self.visit.record.clinical_date,
            composed_at=self.bundle.composed_at,
        )


async def record_bundles(
    uow: UnitOfWork, hip_id: HipId, built: Sequence[Built], *, now: datetime, mirrored: bool = False
) -> None:
    """Add the records of documents that are stored, and complete the visits that now have all of theirs (LINK-05).

    ``mirrored``: those are written in AMRIT's own form as well.
    """
    visits = {one.visit.record.visit_code: one.visit for one in built}
    # The locks let exactly one of several workers that finish together see a visit complete.
    versions = await uow.visits.lock_versions(hip_id, sorted(visits))
    records = [one.record for one in built]
    await uow.bundles.add_all(records)
    await uow.bundle_jobs.finish(records, now=now)
    for record in records:
        await uow.audit.append(
            AuditEntry(
                hip_id=hip_id,
                at=now,
                actor="worker",
                action="bundle-built",
                subject=str(record.key),
                detail=(("version", str(record.version)), ("valid", str(record.valid).lower())),
            )
        )
    # One that changed meanwhile has new work of its own.
    current = {code: visit for code, visit in visits.items() if versions.get(code) == visit.version}
    newest: dict[VisitCode, dict[HiType, BundleRecord]] = defaultdict(dict)
    if current:
        for record in await uow.bundles.of_visits(hip_id, sorted(current)):
            newest[record.key.visit_code][record.key.hi_type] = record
    whole = [code for code, visit in current.items() if _whole(visit, newest[code])]
    if whole:
        flagged = await uow.triggers.process(hip_id, sorted(whole), now=now)
        await _complete(uow, hip_id, [current[code] for code in sorted(flagged)], now=now)
        if mirrored:
            await uow.outbox.add_all(
                [
                    Work(hip_id=hip_id, topic=Topic.PROJECTION, key=mirror_work(code), run_at=now)
                    for code in sorted(flagged)
                ]
            )


def _whole(visit: Visit, records: dict[HiType, BundleRecord]) -> bool:
    needed = [records.get(hi_type) for hi_type in visit.record.required_hi_types]
    return all(one is not None and one.valid and one.version == visit.version for one in needed)


async def _complete(uow: UnitOfWork, hip_id: HipId, visits: Sequence[Visit], *, now: datetime) -> None:
    """The care contexts of visits whose documents are all valid, and whoever is to be told of them."""
    if not visits:
        return
    codes = [visit.record.visit_code for visit in visits]
    locked = await uow.care_contexts.lock_several(hip_id, [CareContextReference(code) for code in codes])
    known = {context.reference: context for context in locked}
    types: dict[VisitCode, set[HiType]] = defaultdict(set)
    for record in await uow.bundles.servable_of(hip_id, codes):
        types[record.key.visit_code].add(record.key.hi_type)
    contexts = [_context(visit, types[visit.record.visit_code], known) for visit in visits]
    await uow.care_contexts.save_all(contexts)
    patients = {
        patient.reference: patient
        for patient in await uow.patients.several(hip_id, [context.patient_reference for context in contexts])
    }
    work: list[tuple[Topic, str]] = []
    for visit, context in zip(visits, contexts, strict=True):
        patient = patients.get(context.patient_reference)
        if context.linked:
            work.append((Topic.NOTIFY, notify_work(visit.record.visit_code, visit.version)))
        elif patient is not None and patient.linkable:
            if visit.version > 1:
                await ask_again(uow, await uow.link_requests.lock_by_visit(hip_id, visit.record.visit_code), now=now)
            work.append((Topic.LINK, visit.record.visit_code))
        elif patient is not None and patient.phone is not None:
            work.append((Topic.SMS, visit.record.visit_code))
    await uow.outbox.add_all([Work(hip_id=hip_id, topic=topic, key=key, run_at=now) for topic, key in work])


def _context(visit: Visit, types: set[HiType], known: dict[CareContextReference, CareContext]) -> CareContext:
    record, reference = visit.record, CareContextReference(visit.record.visit_code)
    before = known.get(reference)
    return CareContext(
        hip_id=record.hip_id,
        reference=reference,
        patient_reference=record.patient.reference,
        visit_code=record.visit_code,
        display=record.care_context_display,
        clinical_date=record.clinical_date,
        hi_types=tuple(hi_type for hi_type in HiType if hi_type in types),
        link_reference=before.link_reference if before else None,
        linked_to=before.linked_to if before else None,
        linked_at=before.linked_at if before else None,
    )
