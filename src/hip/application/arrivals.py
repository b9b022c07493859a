"""Records that came in together → stored in one transaction, exactly as if they had come one after the other.

Their number does not change how many statements that takes. Rows are inserted in the order of their keys and only then
locked in that order, visits before patients, and no row is ever deleted: so two batches wait for each other at most one
way.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from hip.application.bundle_storage import KnownVisit
from hip.application.storage import Topic, UnitOfWork, Visit, Work
from hip.domain.accounts import account_key
from hip.domain.audit import AuditEntry
from hip.domain.bundles import BundleKey
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, PatientReference, VisitCode
from hip.domain.patients import Patient
from hip.domain.triggers import Trigger
from hip.domain.visits import VisitRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A record that may be stored: its canonical JSON, and the SHA-256 of that in hex."""

    record: VisitRecord
    source: bytes
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What became of an arrival: ``changed`` is False for a record that was stored already, to the letter."""

    version: int
    changed: bool


def bundle_work(visit_code: VisitCode, hi_type: HiType) -> str:
    """The outbox key of one document; ``|`` cannot stand in a visit code."""
    return f"{visit_code}|{hi_type}"


def _keys(record: VisitRecord) -> list[BundleKey]:
    hip_id, code = record.hip_id, record.visit_code
    return [BundleKey(hip_id=hip_id, visit_code=code, hi_type=hi_type) for hi_type in record.required_hi_types]


def _work(key: BundleKey, *, now: datetime) -> Work:
    return Work(hip_id=key.hip_id, topic=Topic.BUNDLE, key=bundle_work(key.visit_code, key.hi_type), run_at=now)


async def ask_for_bundles(uow: UnitOfWork, record: VisitRecord, *, version: int, now: datetime) -> None:
    """Have every document that the visit requires built in this version; a worker does the work."""
    keys = _keys(record)
    await uow.bundle_jobs.ask_all(dict.fromkeys(keys, version), now=now)
    await uow.outbox.add_all([_work(key, now=now) for key in keys])


async def store_arrivals(
    uow: UnitOfWork, arrivals: Sequence[Arrival], *, actor: str, now: datetime
) -> Sequence[Reception]:
    """One for each, in order; nothing is written when nothing changed. Of one visit the last record stays."""
    of_hip: dict[HipId, list[int]] = defaultdict(list)
    for place, arrival in enumerate(arrivals):
        of_hip[arrival.record.hip_id].append(place)
    found: dict[int, Reception] = {}
    for hip_id in sorted(of_hip):
        places = of_hip[hip_id]
        theirs = await _store(uow, hip_id, [arrivals[place] for place in places], actor=actor, now=now)
        found |= dict(zip(places, theirs, strict=True))
    return [found[place] for place in range(len(arrivals))]


async def _store(
    uow: UnitOfWork, hip_id: HipId, arrivals: Sequence[Arrival], *, actor: str, now: datetime
) -> Sequence[Reception]:
    """Those of one HIP."""
    known = await uow.visits.known(hip_id, [_code(arrival) for arrival in arrivals])
    touched = {code for code, at in _folded(arrivals, known)[1].items() if at != known.get(code)}
    last = {_code(arrival): arrival for arrival in arrivals}
    first_seen = {code: at for code, at in _folded(arrivals, {})[1].items() if code in touched and code not in known}
    added = await uow.visits.add_missing([_visit(last[code], at.version, now=now) for code, at in first_seen.items()])
    if others := touched - added:
        known = {**known, **await uow.visits.lock_known(hip_id, sorted(others))}
    receptions, ends = _folded(arrivals, known)
    changed = [arrival for arrival, reception in zip(arrivals, receptions, strict=True) if reception.changed]
    if changed:
        of_change = {_code(arrival) for arrival in changed}
        again = [_visit(last[code], ends[code].version, now=now) for code in of_change - added]
        await uow.visits.save_all(again)
        await _learn(uow, hip_id, [arrival.record.patient for arrival in changed])
        await uow.triggers.save_all([Trigger(hip_id=hip_id, visit_code=code, created_at=now) for code in of_change])
        await _ask(uow, arrivals, receptions, actor=actor, now=now)
    return receptions


def _folded(
    arrivals: Sequence[Arrival], known: Mapping[VisitCode, KnownVisit]
) -> tuple[list[Reception], dict[VisitCode, KnownVisit]]:
    """What becomes of each, one after the other, and how each visit stands in the end."""
    stand = dict(known)
    receptions = []
    for arrival in arrivals:
        before = stand.get(_code(arrival))
        changed = before is None or before.digest != arrival.digest
        version = (0 if before is None else before.version) + int(changed)
        stand[_code(arrival)] = KnownVisit(version=version, digest=arrival.digest)
        receptions.append(Reception(version=version, changed=changed))
    return receptions, stand


async def _learn(uow: UnitOfWork, hip_id: HipId, stated: Sequence[Patient]) -> None:
    """What the records state of their patients, in their order."""
    before = {patient.reference: patient for patient in reversed(stated)}
    if await uow.patients.add_missing(stated, hip_id=hip_id) < len(before):
        before = {each.reference: each for each in await uow.patients.lock_several(hip_id, list(before))}
    after: dict[PatientReference, Patient] = dict(before)
    for patient in stated:
        # Over itself, as it was added a moment ago, a patient changes nothing.
        earlier = after[patient.reference]
        learnt = patient.keeping_abha_of(earlier)
        after[patient.reference] = learnt.staying_closed(earlier, key=partial(account_key, hip_id))
    differing = [patient for reference, patient in after.items() if patient != before[reference]]
    await uow.patients.save_all(differing, hip_id=hip_id)


async def _ask(
    uow: UnitOfWork, arrivals: Sequence[Arrival], receptions: Sequence[Reception], *, actor: str, now: datetime
) -> None:
    """Have the documents of what changed made, and write down that it came."""
    wanted: dict[BundleKey, int] = {}
    work: list[Work] = []
    for arrival, reception in zip(arrivals, receptions, strict=True):
        if reception.changed:
            keys = _keys(arrival.record)
            wanted |= dict.fromkeys(keys, reception.version)
            work += [_work(key, now=now) for key in keys]
            await uow.audit.append(
                AuditEntry(
                    hip_id=arrival.record.hip_id,
                    at=now,
                    actor=actor,
                    action="visit-received",
                    subject=_code(arrival),
                    detail=(("version", str(reception.version)),),
                )
            )
    await uow.bundle_jobs.ask_all(wanted, now=now)
    await uow.outbox.add_all(work)


def _code(arrival: Arrival) -> VisitCode:
    return arrival.record.visit_code


def _visit(arrival: Arrival, version: int, *, now: datetime) -> Visit:
    return Visit(record=arrival.record, source=arrival.source, digest=arrival.digest, version=version, received_at=now)
