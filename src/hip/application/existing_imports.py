"""Flow: the documents of an AMRIT that ran before → our patients, care contexts and bundles.

What we know already is never changed by them: a patient, a care context and every visit of ours stay as they are. So
an import can be broken off, repeated, and run beside the service. Consents are not among them: AMRIT keeps those
elsewhere.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from hip.application.bundling import kept
from hip.application.existing_documents import ExistingBundle, ExistingPatient, Fate, Found, Imported
from hip.application.existing_owners import ANOTHERS, Astray, FindOwners, Owner
from hip.application.ports import Bundles, Clock, Facilities, Validator
from hip.application.storage import UnitOfWork, Units
from hip.domain.audit import AuditEntry
from hip.domain.bundles import Bundle, BundleKey, BundleRecord
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, HipId, PatientReference, VisitCode
from hip.domain.links import CareContext
from hip.domain.patients import Patient
from hip.domain.visits import VisitClass, care_context_label

BEFORE_OURS = 0
"""The version of an imported bundle: ours begin at 1, so one that is built here always comes before it."""

_INDIA = timezone(timedelta(hours=5, minutes=30))


@dataclass(frozen=True, slots=True)
class ImportExisting:
    """``elsewhere`` is the HIP of documents that name none; empty for nowhere."""

    units: Units
    bundles: Bundles
    validator: Validator
    facilities: Facilities
    clock: Clock
    elsewhere: str = ""

    async def __call__(self, found: Sequence[Found]) -> Sequence[Imported]:
        """One for each document, in order. Raises StorageFailed; then the same documents can be given again."""
        fates = {each.place: Imported(place=each.place, fate=Fate.REFUSED, reason=each.fault) for each in found}
        patients = [(each.place, each.value) for each in found if isinstance(each.value, ExistingPatient)]
        documents = [(each.place, each.value) for each in found if isinstance(each.value, ExistingBundle)]
        for imported in (*await self._patients(patients), *await self._bundles(documents)):
            fates[imported.place] = imported
        return list(fates.values())

    async def _patients(self, found: Sequence[tuple[str, ExistingPatient]]) -> Sequence[Imported]:
        by_hip: dict[HipId, dict[str, tuple[Patient, list[CareContext]]]] = defaultdict(dict)
        fates = []
        for place, existing in found:
            try:
                contexts = self._contexts(existing)
                hips = {context.hip_id for context in contexts} or {self._hip(None, field="careContextsList")}
            except InvalidValue as fault:
                fates.append(Imported(place=place, fate=Fate.REFUSED, reason=str(fault)))
                continue
            for hip_id in hips:
                own = [context for context in contexts if context.hip_id == hip_id]
                by_hip[hip_id][place] = (existing.patient, own)
        new: set[str] = set()
        for hip_id, of_hip in by_hip.items():
            new |= await self._add_patients(hip_id, of_hip)
        places = dict.fromkeys(place for of_hip in by_hip.values() for place in of_hip)
        return [*fates, *(Imported(place=p, fate=Fate.TAKEN if p in new else Fate.KEPT) for p in places)]

    async def _add_patients(
        self, hip_id: HipId, found: Mapping[str, tuple[Patient, Sequence[CareContext]]]
    ) -> set[str]:
        """The places of those that brought anything new."""
        new: set[str] = set()
        async with self.units() as uow:
            for place, (patient, contexts) in found.items():
                added = await uow.patients.add_missing([patient], hip_id=hip_id)
                known = None if added else await uow.patients.get(hip_id, patient.reference)
                closed = known is not None and known.closed_account is not None
                # RET-02: whom they were linked to is not learnt again from an old list.
                kept_links = [c.forget_link() for c in contexts] if closed else contexts
                added += await uow.care_contexts.add_missing(kept_links)
                if added:
                    new.add(place)
            if new:
                await self._say(uow, hip_id, "patients-imported", len(new))
                await uow.commit()
        return new

    def _contexts(self, existing: ExistingPatient) -> list[CareContext]:
        patient, contexts = existing.patient, []
        for index, each in enumerate(existing.contexts):
            at = each.linked_at or existing.created_at or self.clock()
            if each.linked_at is not None and patient.abha_address is None:
                raise InvalidValue("HealthId", "an ABHA address, for a visit of this patient is linked")
            contexts.append(
                CareContext(
                    hip_id=self._hip(each.facility, field=f"careContextsList[{index}].abdmFacilityId"),
                    reference=CareContextReference(each.visit_code),
                    patient_reference=patient.reference,
                    visit_code=each.visit_code,
                    # AMRIT's own label is the category of the visit, which may be clinical (DISC-01).
                    display=care_context_label(VisitClass.AMBULATORY, at.astimezone(_INDIA)),
                    clinical_date=at,
                    hi_types=(),
                    linked_to=None if each.linked_at is None else patient.abha_address,
                    linked_at=each.linked_at,
                )
            )
        return contexts

    async def _bundles(self, found: Sequence[tuple[str, ExistingBundle]]) -> Sequence[Imported]:
        newest: dict[BundleKey, tuple[str, ExistingBundle]] = {}
        fates: dict[str, Imported] = {}
        of_visit: dict[tuple[HipId, VisitCode], Owner] = {}
        stand_in = self.facilities.find(self.elsewhere)
        find = FindOwners(self.units, self.facilities, None if stand_in is None else stand_in.hip_id)
        owners = await find([existing for _, existing in found])
        for (place, existing), owner in zip(found, owners, strict=True):
            if isinstance(owner, Astray):
                fates[place] = Imported(place=place, fate=owner.fate, reason=owner.reason)
                continue
            code = existing.visit_code
            if of_visit.setdefault((owner.hip_id, code), owner).patient != owner.patient:
                fates[place] = Imported(place=place, fate=Fate.REFUSED, reason=ANOTHERS)
                continue
            key = BundleKey(hip_id=owner.hip_id, visit_code=code, hi_type=existing.hi_type)
            fates[place] = Imported(place=place, fate=Fate.KEPT)  # until it turns out to be the newest
            if key not in newest or existing.created_at > newest[key][1].created_at:
                newest[key] = (place, existing)
        for hip_id in dict.fromkeys(key.hip_id for key in newest):
            wanted = {key: value for key, value in newest.items() if key.hip_id == hip_id}
            theirs = {code: owner for (owner_hip, code), owner in of_visit.items() if owner_hip == hip_id}
            for imported in await self._add_bundles(hip_id, wanted, theirs):
                fates[imported.place] = imported
        return list(fates.values())

    async def _add_bundles(
        self,
        hip_id: HipId,
        found: Mapping[BundleKey, tuple[str, ExistingBundle]],
        owners: Mapping[VisitCode, Owner],
    ) -> Sequence[Imported]:
        codes = sorted({key.visit_code for key in found})
        async with self.units() as uow:
            ours = await uow.visits.sizes(hip_id, codes)
            stored = {record.key: record for record in await uow.bundles.of_visits(hip_id, codes)}
        fates, new = [], []
        for key, (place, existing) in found.items():
            known = stored.get(key)
            if key.visit_code in ours or (known is not None and not _older(known, existing)):
                fates.append(Imported(place=place, fate=Fate.KEPT))
                continue
            report = self.validator.validate(existing.content)
            new.append(
                Bundle(
                    key=key,
                    version=BEFORE_OURS,
                    content=existing.content,
                    valid=report.valid,
                    composed_at=existing.created_at,
                    issues=kept(report),
                )
            )
            fates.append(Imported(place=place, fate=Fate.TAKEN if report.valid else Fate.INVALID))
        made = {key.visit_code: existing.created_at for key, (_, existing) in found.items()}
        contexts = [
            self._context(hip_id, code, owner.patient, made[code])
            for code, owner in owners.items()
            if owner.patient is not None and code not in ours
        ]
        # One that a list brought only after its bundles were stored has no HI types yet.
        bare = [code for code, owner in owners.items() if owner.context is None or not owner.context.hi_types]
        if new or contexts or bare:
            # The bytes first: a record without them would be a bundle that cannot be served.
            if new:
                await self.bundles.put_all(new)
            async with self.units() as uow:
                await self._record(uow, hip_id, new, contexts, [code for code in bare if code not in ours])
                await uow.commit()
        return fates

    def _context(self, hip_id: HipId, code: VisitCode, patient: PatientReference, at: datetime) -> CareContext:
        """An unlinked visit that stands in nobody's list."""
        return CareContext(
            hip_id=hip_id,
            reference=CareContextReference(code),
            patient_reference=patient,
            visit_code=code,
            display=care_context_label(VisitClass.AMBULATORY, at.astimezone(_INDIA)),
            clinical_date=at,
            hi_types=(),
        )

    async def _record(
        self,
        uow: UnitOfWork,
        hip_id: HipId,
        bundles: Sequence[Bundle],
        contexts: Sequence[CareContext],
        bare: Sequence[VisitCode],
    ) -> None:
        await uow.bundles.add_all(
            [
                BundleRecord(
                    key=bundle.key,
                    version=bundle.version,
                    sha256=bundle.sha256,
                    size=len(bundle.content),
                    valid=bundle.valid,
                    clinical_date=_clinical_date(bundle),
                    composed_at=bundle.composed_at,
                )
                for bundle in bundles
            ]
        )
        made = await uow.care_contexts.add_missing(contexts)
        codes = sorted({bundle.key.visit_code for bundle in bundles} | set(bare))
        locked = await uow.care_contexts.lock_several(hip_id, [CareContextReference(code) for code in codes])
        ours = await uow.visits.sizes(hip_id, codes)
        types: dict[VisitCode, set[HiType]] = defaultdict(set)
        days: dict[VisitCode, datetime] = {}
        for record in await uow.bundles.servable_of(hip_id, codes):
            types[record.key.visit_code].add(record.key.hi_type)
            days[record.key.visit_code] = record.clinical_date
        await uow.care_contexts.save_all(
            [
                replace(
                    context,
                    hi_types=tuple(hi_type for hi_type in HiType if hi_type in types[context.visit_code]),
                    clinical_date=days.get(context.visit_code, context.clinical_date),
                )
                for context in locked
                if context.visit_code not in ours
            ]
        )
        if bundles:
            await self._say(uow, hip_id, "documents-imported", len(bundles))
        if made:
            await self._say(uow, hip_id, "care-contexts-imported", made)

    def _hip(self, facility: str | None, *, field: str) -> HipId:
        known = self.facilities.find(facility or self.elsewhere)
        if known is None:
            raise InvalidValue(field, "a facility of this service")
        return known.hip_id

    async def _say(self, uow: UnitOfWork, hip_id: HipId, action: str, count: int) -> None:
        await uow.audit.append(
            AuditEntry(
                hip_id=hip_id,
                at=self.clock(),
                actor="command line",
                action=action,
                subject="AMRIT",
                detail=(("count", str(count)),),
            )
        )


def _older(known: BundleRecord, existing: ExistingBundle) -> bool:
    """AMRIT made the same document again and again; of those the last one is taken, and none instead of ours."""
    return known.version == BEFORE_OURS and known.composed_at < existing.created_at


def _clinical_date(bundle: Bundle) -> datetime:
    """Of its Composition, if that has a day and an offset; else of its making."""
    try:
        stated = datetime.fromisoformat(json.loads(bundle.content)["entry"][0]["resource"]["date"])
    except (ValueError, KeyError, IndexError, TypeError):
        return bundle.composed_at
    return bundle.composed_at if stated.tzinfo is None else stated
