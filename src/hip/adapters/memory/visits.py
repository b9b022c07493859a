"""Patients, visits, their triggers and what is known of their bundles, in memory."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.bundle_storage import KnownVisit, Place, ReceivedSpan
from hip.application.storage import Listing, Visit
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.discovery import Demographics, PatientIdentifiers
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, PatientReference, VisitCode
from hip.domain.patients import Patient
from hip.domain.triggers import Trigger

PatientTable = MemoryTable[tuple[HipId, PatientReference], tuple[HipId, Patient]]
VisitTable = MemoryTable[tuple[HipId, VisitCode], Visit]
TriggerTable = MemoryTable[tuple[HipId, VisitCode], Trigger]
BundleTable = MemoryTable[tuple[BundleKey, int], BundleRecord]


def _require_once(keys: Sequence[Hashable]) -> None:
    """As in Postgres, where one statement cannot write one row twice."""
    if len(set(keys)) < len(keys):
        raise RuntimeError("one row cannot be written twice at once")


def _key(visit: Visit) -> tuple[HipId, VisitCode]:
    return visit.record.hip_id, visit.record.visit_code


class MemoryPatients:
    def __init__(self, session: Session, rows: PatientTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, patient: Patient, *, hip_id: HipId) -> None:
        await self.save_all([patient], hip_id=hip_id)

    async def save_all(self, patients: Sequence[Patient], *, hip_id: HipId) -> None:
        await self._session.step()
        _require_once([patient.reference for patient in patients])
        for patient in patients:
            self._rows.put((hip_id, patient.reference), (hip_id, patient))

    async def add_missing(self, new: Sequence[Patient], *, hip_id: HipId) -> int:
        await self._session.step()
        missing = {each.reference: each for each in reversed(new) if self._rows.get((hip_id, each.reference)) is None}
        for reference, patient in missing.items():
            self._rows.put((hip_id, reference), (hip_id, patient))
        return len(missing)

    async def get(self, hip_id: HipId, reference: PatientReference) -> Patient | None:
        await self._session.step()
        row = self._rows.get((hip_id, reference))
        return None if row is None else row[1]

    async def several(self, hip_id: HipId, references: Sequence[PatientReference]) -> Sequence[Patient]:
        await self._session.step()
        found = [self._rows.get((hip_id, reference)) for reference in dict.fromkeys(references)]
        return [row[1] for row in found if row is not None]

    async def lock_several(self, hip_id: HipId, references: Sequence[PatientReference]) -> Sequence[Patient]:
        return sorted(await self.several(hip_id, references), key=lambda patient: patient.reference)

    async def candidates(
        self, hip_id: HipId, identifiers: PatientIdentifiers, *, limit: int, behind_mobile: Demographics | None = None
    ) -> Sequence[Patient]:
        await self._session.step()
        ranked: list[tuple[int, str, Patient]] = []
        for owner, patient in self._rows:
            if owner != hip_id:
                continue
            if patient.abha_address in identifiers.abha_addresses:
                ranked.append((0, patient.reference, patient))
            elif patient.abha_number in identifiers.abha_numbers:
                ranked.append((1, patient.reference, patient))
            elif patient.phone in identifiers.mobiles and (behind_mobile is None or behind_mobile.fit(patient)):
                ranked.append((2, patient.reference, patient))
        # Many people may share a mobile: those an ABHA identifies come first, so that the limit cannot hide them.
        return [patient for _, _, patient in sorted(ranked, key=lambda row: row[:2])[:limit]]

    async def of_closed_account(self, hip_id: HipId, account: str) -> Sequence[Patient]:
        await self._session.step()
        found = [patient for owner, patient in self._rows if (owner, patient.closed_account) == (hip_id, account)]
        return sorted(found, key=lambda patient: patient.reference)


class MemoryVisits:
    def __init__(self, session: Session, rows: VisitTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, visit: Visit) -> None:
        await self.save_all([visit])

    async def save_all(self, visits: Sequence[Visit]) -> None:
        await self._session.step()
        _require_once([_key(visit) for visit in visits])
        for visit in visits:
            self._rows.put(_key(visit), visit)

    async def add_missing(self, visits: Sequence[Visit]) -> frozenset[VisitCode]:
        await self._session.step()
        _require_once([_key(visit) for visit in visits])
        missing = [visit for visit in visits if self._rows.get(_key(visit)) is None]
        for visit in missing:
            self._rows.put(_key(visit), visit)
        return frozenset(visit.record.visit_code for visit in missing)

    async def known(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, KnownVisit]:
        return {
            visit.record.visit_code: KnownVisit(version=visit.version, digest=visit.digest)
            for visit in await self.several(hip_id, visit_codes)
        }

    async def lock_known(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, KnownVisit]:
        return await self.known(hip_id, visit_codes)

    async def lock(self, hip_id: HipId, visit_code: VisitCode) -> Visit | None:
        return await self.get(hip_id, visit_code)

    async def get(self, hip_id: HipId, visit_code: VisitCode) -> Visit | None:
        await self._session.step()
        return self._rows.get((hip_id, visit_code))

    async def several(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[Visit]:
        await self._session.step()
        found = [self._rows.get((hip_id, code)) for code in dict.fromkeys(visit_codes)]
        return [visit for visit in found if visit is not None]

    async def lock_versions(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        return {visit.record.visit_code: visit.version for visit in await self.several(hip_id, visit_codes)}

    async def sizes(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        return {visit.record.visit_code: len(visit.source) for visit in await self.several(hip_id, visit_codes)}

    async def received(self, hip_id: HipId, span: ReceivedSpan, *, limit: int) -> Sequence[Place]:
        await self._session.step()
        return sorted(self._within(hip_id, span))[:limit]

    async def count_received(self, hip_id: HipId, span: ReceivedSpan) -> int:
        await self._session.step()
        return len(self._within(hip_id, span))

    def _within(self, hip_id: HipId, span: ReceivedSpan) -> Sequence[Place]:
        of_hip = [(each.received_at, each.record.visit_code) for each in self._rows if each.record.hip_id == hip_id]
        within = [place for place in of_hip if span.since <= place[0] < span.until]
        return [place for place in within if span.behind is None or place > span.behind]

    async def raise_versions(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Mapping[VisitCode, int]:
        raised: dict[VisitCode, int] = {}
        for visit in await self.several(hip_id, visit_codes):
            newer = replace(visit, version=visit.version + 1)
            self._rows.put((hip_id, visit.record.visit_code), newer)
            raised[visit.record.visit_code] = newer.version
        return raised

    async def list(self, listing: Listing) -> Sequence[Visit]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda v: v.record.hip_id, at=lambda v: v.received_at)


class MemoryTriggers:
    def __init__(self, session: Session, rows: TriggerTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, trigger: Trigger) -> None:
        await self.save_all([trigger])

    async def save_all(self, triggers: Sequence[Trigger]) -> None:
        await self._session.step()
        _require_once([(trigger.hip_id, trigger.visit_code) for trigger in triggers])
        for trigger in triggers:
            self._rows.put((trigger.hip_id, trigger.visit_code), trigger)

    async def get(self, hip_id: HipId, visit_code: VisitCode) -> Trigger | None:
        await self._session.step()
        return self._rows.get((hip_id, visit_code))

    async def process(self, hip_id: HipId, visit_codes: Sequence[VisitCode], *, now: datetime) -> Sequence[VisitCode]:
        await self._session.step()
        found = [self._rows.get((hip_id, code)) for code in dict.fromkeys(visit_codes)]
        waiting = [trigger for trigger in found if trigger is not None and not trigger.processed]
        for trigger in waiting:
            self._rows.put((hip_id, trigger.visit_code), trigger.process(now=now))
        return [trigger.visit_code for trigger in waiting]

    async def processed(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> frozenset[VisitCode]:
        await self._session.step()
        found = [self._rows.get((hip_id, code)) for code in visit_codes]
        return frozenset(trigger.visit_code for trigger in found if trigger is not None and trigger.processed)


class MemoryBundleRecords:
    def __init__(self, session: Session, rows: BundleTable) -> None:
        self._session = session
        self._rows = rows

    async def add(self, record: BundleRecord) -> None:
        await self._session.step()
        self._rows.put((record.key, record.version), record)

    async def add_all(self, records: Sequence[BundleRecord]) -> None:
        await self._session.step()
        for record in records:
            self._rows.put((record.key, record.version), record)

    async def of_visits(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[BundleRecord]:
        await self._session.step()
        return [record for code in dict.fromkeys(visit_codes) for record in await self.of_visit(hip_id, code)]

    async def of_visit(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[BundleRecord]:
        await self._session.step()
        newest = {row.key.hi_type: row for row in self._versions(hip_id, visit_code)}
        return [newest[hi_type] for hi_type in HiType if hi_type in newest]

    async def servable(self, key: BundleKey) -> BundleRecord | None:
        await self._session.step()
        valid = [row for row in self._versions(key.hip_id, key.visit_code) if row.key == key and row.valid]
        return valid[-1] if valid else None

    async def servable_types(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[HiType]:
        await self._session.step()
        valid = {row.key.hi_type for row in self._versions(hip_id, visit_code) if row.valid}
        return [hi_type for hi_type in HiType if hi_type in valid]

    async def servable_of(self, hip_id: HipId, visit_codes: Sequence[VisitCode]) -> Sequence[BundleRecord]:
        await self._session.step()
        newest: dict[BundleKey, BundleRecord] = {}
        for visit_code in dict.fromkeys(visit_codes):
            newest |= {row.key: row for row in self._versions(hip_id, visit_code) if row.valid}
        return list(newest.values())

    async def list(self, listing: Listing) -> Sequence[BundleRecord]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda b: b.key.hip_id, at=lambda b: b.composed_at)

    def _versions(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[BundleRecord]:
        rows = [row for row in self._rows if (row.key.hip_id, row.key.visit_code) == (hip_id, visit_code)]
        return sorted(rows, key=lambda row: row.version)
