"""Flow: a visit record arrives → stored, and its documents asked for, in one transaction."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from hip.application.ports import Clock, Facilities, VisitRecords
from hip.application.storage import Topic, UnitOfWork, Units, Visit, Work
from hip.domain.accounts import account_key
from hip.domain.audit import AuditEntry
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.triggers import Trigger
from hip.domain.visits import VisitRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedVisit:
    """What became of a record: ``changed`` is False for one that was stored already, to the letter."""

    hip_id: HipId
    visit_code: VisitCode
    version: int
    changed: bool
    hi_types: tuple[HiType, ...]


def bundle_work(visit_code: VisitCode, hi_type: HiType) -> str:
    """The outbox key of one document; ``|`` cannot stand in a visit code."""
    return f"{visit_code}|{hi_type}"


async def ask_for_bundles(uow: UnitOfWork, record: VisitRecord, *, version: int, now: datetime) -> None:
    """Have every document that the visit requires built in this version; a worker does the work."""
    hip_id, code, types = record.hip_id, record.visit_code, record.required_hi_types
    await uow.bundle_jobs.ask(hip_id, code, types, version=version, now=now)
    await uow.outbox.add_all(
        [Work(hip_id=hip_id, topic=Topic.BUNDLE, key=bundle_work(code, hi_type), run_at=now) for hi_type in types]
    )


@dataclass(frozen=True, slots=True)
class ReceiveVisit:
    units: Units
    records: VisitRecords
    facilities: Facilities
    clock: Clock

    async def __call__(self, content: bytes, *, actor: str, allowed: frozenset[HipId] | None = None) -> ReceivedVisit:
        """Store the record and ask for its bundles; the same record again changes nothing.

        ``allowed`` limits the HIPs the caller may write for. Raises InvalidValue naming the field.
        """
        record = self.records.read(content)
        if self.facilities.find(record.hip_id) is None or (allowed is not None and record.hip_id not in allowed):
            raise InvalidValue("hipId", "a facility of this service", code="ABDM-1035")
        source = self.records.write(record)
        digest = hashlib.sha256(source).hexdigest()
        now = self.clock()
        async with self.units() as uow:
            stored = await uow.visits.lock(record.hip_id, record.visit_code)
            changed = stored is None or stored.digest != digest
            version = 1 if stored is None else stored.version + changed
            if changed:
                earlier = await uow.patients.get(record.hip_id, record.patient.reference)
                patient = record.patient.keeping_abha_of(earlier)
                patient = patient.staying_closed(earlier, key=partial(account_key, record.hip_id))
                await uow.patients.save(patient, hip_id=record.hip_id)
                await uow.visits.save(
                    Visit(record=record, source=source, digest=digest, version=version, received_at=now)
                )
                await uow.triggers.save(Trigger(hip_id=record.hip_id, visit_code=record.visit_code, created_at=now))
                await ask_for_bundles(uow, record, version=version, now=now)
                await uow.audit.append(
                    AuditEntry(
                        hip_id=record.hip_id,
                        at=now,
                        actor=actor,
                        action="visit-received",
                        subject=record.visit_code,
                        detail=(("version", str(version)),),
                    )
                )
                await uow.commit()
        return ReceivedVisit(
            hip_id=record.hip_id,
            visit_code=record.visit_code,
            version=version,
            changed=changed,
            hi_types=record.required_hi_types,
        )
