"""Flow: visit → FHIR bundle → validated → stored; and when all are valid, on to linking (LINK-05)."""

from dataclasses import dataclass

from hip.application.context_notifies import notify_work
from hip.application.ports import Bundles, Clock, Composer, Facilities, Validator
from hip.application.storage import Topic, UnitOfWork, Units, Visit
from hip.domain.audit import AuditEntry
from hip.domain.bundles import Bundle, BundleKey, BundleRecord, Issue, Severity, ValidationReport
from hip.domain.errors import NotFound
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, HipId, VisitCode
from hip.domain.links import CareContext

KEPT_ISSUES = 500
"""So many are stored with a bundle, errors first: they share one document of at most 16 MiB with its bytes."""


def kept(report: ValidationReport) -> tuple[Issue, ...]:
    """The issues to store, in document order unless there are too many."""
    if len(report.issues) <= KEPT_ISSUES:
        return report.issues
    return tuple(sorted(report.issues, key=lambda issue: issue.severity is not Severity.ERROR)[:KEPT_ISSUES])


@dataclass(frozen=True, slots=True)
class BuildBundle:
    units: Units
    bundles: Bundles
    composer: Composer
    validator: Validator
    facilities: Facilities
    clock: Clock

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """Build the bundle ``visit|HiType`` names from the stored visit. Repeats give the same bytes.

        Invalid bundles are kept and flagged, never linked, never sent. Raises NotFound for an unknown visit or HIP.
        """
        visit_code, _, type_name = key.partition("|")
        bundle_key = BundleKey(hip_id=hip_id, visit_code=VisitCode(visit_code), hi_type=HiType.parse(type_name))
        facility = self.facilities.find(hip_id)
        if facility is None:
            raise NotFound("facility", hip_id, code="ABDM-1035")
        async with self.units() as uow:
            visit = await uow.visits.get(hip_id, bundle_key.visit_code)
        if visit is None:
            raise NotFound("visit", visit_code)
        content = self.composer.compose(visit.record, bundle_key.hi_type, facility=facility, version=visit.version)
        report = self.validator.validate(content)
        bundle = Bundle(
            key=bundle_key,
            version=visit.version,
            content=content,
            valid=report.valid,
            composed_at=self.clock(),
            issues=kept(report),
        )
        # The document first: a record in Postgres without its bytes would be a bundle that cannot be served.
        await self.bundles.put(bundle)
        async with self.units() as uow:
            await self._record(uow, bundle, visit)
            await uow.commit()

    async def _record(self, uow: UnitOfWork, bundle: Bundle, built_from: Visit) -> None:
        key, now = bundle.key, self.clock()
        # The lock lets exactly one of several bundles that finish together see the visit complete.
        visit = await uow.visits.lock(key.hip_id, key.visit_code)
        await uow.bundles.add(
            BundleRecord(
                key=key,
                version=bundle.version,
                sha256=bundle.sha256,
                size=len(bundle.content),
                valid=bundle.valid,
                clinical_date=built_from.record.clinical_date,
                composed_at=bundle.composed_at,
            )
        )
        await uow.audit.append(
            AuditEntry(
                hip_id=key.hip_id,
                at=now,
                actor="worker",
                action="bundle-built",
                subject=str(key),
                detail=(("version", str(bundle.version)), ("valid", str(bundle.valid).lower())),
            )
        )
        if visit is None or visit.version != built_from.version:
            return
        built = {r.key.hi_type: r for r in await uow.bundles.of_visit(key.hip_id, key.visit_code)}
        required = visit.record.required_hi_types
        if not all(t in built and built[t].valid and built[t].version == visit.version for t in required):
            return
        await self._complete(uow, visit)

    async def _complete(self, uow: UnitOfWork, visit: Visit) -> None:
        record, now = visit.record, self.clock()
        trigger = await uow.triggers.get(record.hip_id, record.visit_code)
        if trigger is None or trigger.processed:
            return
        await uow.triggers.save(trigger.process(now=now))
        reference = CareContextReference(record.visit_code)
        known = await uow.care_contexts.lock(record.hip_id, reference)
        await uow.care_contexts.save(
            CareContext(
                hip_id=record.hip_id,
                reference=reference,
                patient_reference=record.patient.reference,
                visit_code=record.visit_code,
                display=record.care_context_display,
                clinical_date=record.clinical_date,
                hi_types=tuple(await uow.bundles.servable_types(record.hip_id, record.visit_code)),
                link_reference=known.link_reference if known else None,
                linked_to=known.linked_to if known else None,
                linked_at=known.linked_at if known else None,
            )
        )
        if known is not None and known.linked:
            await uow.outbox.add(record.hip_id, Topic.NOTIFY, notify_work(record.visit_code, visit.version), run_at=now)
            return
        patient = await uow.patients.get(record.hip_id, record.patient.reference)
        topic = Topic.LINK if patient is not None and patient.linkable else Topic.SMS
        await uow.outbox.add(record.hip_id, topic, record.visit_code, run_at=now)
