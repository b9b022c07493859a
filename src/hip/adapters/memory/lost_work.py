"""Work whose outbox row is gone, in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hip.adapters.memory.bundle_jobs import BundleJobTable
from hip.adapters.memory.callbacks import CallbackTable
from hip.adapters.memory.links import CareContextTable, LinkRequestTable
from hip.adapters.memory.outbox import OutboxTable
from hip.adapters.memory.sessions import Session
from hip.adapters.memory.tables import MemoryTable
from hip.adapters.memory.transfers import TransferTable
from hip.adapters.memory.visits import PatientTable, TriggerTable
from hip.application.lost_work import Look, Lost, Place, Waiting
from hip.application.outbox_storage import JobState, Topic
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.callbacks import CallbackState
from hip.domain.identifiers import CareContextReference, HipId, VisitCode
from hip.domain.links import LinkStatus
from hip.domain.transfers import TransferState

_UNDER_WAY = (LinkStatus.AWAITING_TOKEN, LinkStatus.READY, LinkStatus.REQUESTED, LinkStatus.SMS_REQUESTED)
_UNBUILT = (BundleJobState.PENDING, BundleJobState.BUILDING, BundleJobState.FAILED)
_ENDED = (TransferState.DONE, TransferState.DEAD)
_UNDECIDED = (JobState.READY, JobState.LEASED)


@dataclass(frozen=True, slots=True)
class _Found:
    """What waits for ``lost``'s row since ``changed_at``; ``touch`` notes that it was asked for again."""

    lost: Lost
    changed_at: datetime
    touch: Callable[[datetime], None] = lambda _now: None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """The tables that are looked at."""

    outbox: OutboxTable
    callbacks: CallbackTable
    transfers: TransferTable
    link_requests: LinkRequestTable
    bundle_jobs: BundleJobTable
    triggers: TriggerTable
    care_contexts: CareContextTable
    patients: PatientTable


class MemoryLostWork:
    def __init__(self, session: Session, tables: LookedAt) -> None:
        self._session = session
        self._tables = tables
        self._kinds: Mapping[Waiting, Callable[[], Iterator[_Found]]] = {
            Waiting.CALLBACK: self._callbacks,
            Waiting.TRANSFER: self._transfers,
            Waiting.LINK: self._links,
            Waiting.DOCUMENT: self._documents,
            Waiting.VISIT: self._visits,
        }

    async def look(
        self, waiting: Waiting, *, behind: Place | None, before: datetime, since: datetime, limit: int
    ) -> Look:
        await self._session.step()
        every = [found for found in self._kinds[waiting]() if waiting is not Waiting.VISIT or found.changed_at >= since]
        every.sort(key=lambda found: _ordered(found.lost.place))
        page = [found for found in every if behind is None or _ordered(found.lost.place) > _ordered(behind)][:limit]
        lost = [found.lost for found in page if found.changed_at < before and not self._has_row(waiting, found.lost)]
        return Look(lost=lost, last=page[-1].lost.place if len(page) == limit else None)

    async def take(self, waiting: Waiting, lost: Sequence[Lost], *, before: datetime, now: datetime) -> Sequence[Lost]:
        await self._session.step()
        wanted = {(each.hip_id, each.topic, each.key) for each in lost}
        again: dict[tuple[HipId, Topic, str], Lost] = {}
        for found in list(self._kinds[waiting]()):
            name = (found.lost.hip_id, found.lost.topic, found.lost.key)
            if name in wanted and found.changed_at < before and not self._has_row(waiting, found.lost):
                found.touch(now)
                again[name] = found.lost
        return list(again.values())

    def _has_row(self, waiting: Waiting, lost: Lost) -> bool:
        of_either = (Topic.LINK, Topic.SMS)
        topics = of_either if lost.topic in of_either else (lost.topic,)
        strict = waiting in (Waiting.TRANSFER, Waiting.DOCUMENT)
        return any(
            row.hip_id == lost.hip_id
            and row.topic in topics
            and row.key == lost.key
            and (row.state in _UNDECIDED if strict else row.state is not JobState.DONE)
            for row in self._tables.outbox.rows
        )

    def _callbacks(self) -> Iterator[_Found]:
        for callback in self._tables.callbacks:
            if callback.state is CallbackState.RECEIVED:
                at = callback.received_at
                place = (callback.hip_id, at, callback.id)
                yield _Found(_lost(callback.hip_id, Topic.CALLBACK, callback.id, callback.state, place), at)

    def _transfers(self) -> Iterator[_Found]:
        rows = self._tables.transfers
        for key, transfer in rows.items():
            if transfer.state not in _ENDED:
                yield _Found(
                    _lost(
                        transfer.hip_id,
                        Topic.TRANSFER,
                        transfer.transaction_id,
                        transfer.state,
                        (transfer.hip_id, transfer.consent_id, transfer.transaction_id),
                    ),
                    transfer.updated_at,
                    _noting(rows, key, transfer),
                )

    def _links(self) -> Iterator[_Found]:
        rows = self._tables.link_requests
        for key, request in rows.items():
            by_sms = request.status is LinkStatus.SMS_REQUESTED
            topic = Topic.SMS if by_sms else Topic.LINK
            if request.status in _UNDER_WAY and self._way(request.hip_id, request.visit_code) is topic:
                yield _Found(
                    _lost(
                        request.hip_id, topic, request.visit_code, request.status, (request.hip_id, request.reference)
                    ),
                    request.updated_at,
                    _noting(rows, key, request),
                )

    def _documents(self) -> Iterator[_Found]:
        rows = self._tables.bundle_jobs
        for key, job in rows.items():
            if job.state in _UNBUILT:
                name = f"{key.visit_code}|{key.hi_type}"
                place = (key.hip_id, job.updated_at, key.visit_code, str(key.hi_type))
                yield _Found(
                    _lost(key.hip_id, Topic.BUNDLE, name, job.state, place),
                    job.updated_at,
                    _noting(rows, key, job),
                )

    def _visits(self) -> Iterator[_Found]:
        asked = {(request.hip_id, request.visit_code) for request in self._tables.link_requests}
        for (hip_id, code), trigger in self._tables.triggers.items():
            way = self._way(hip_id, code)
            if trigger.processed_at is not None and way is not None and (hip_id, code) not in asked:
                at = trigger.processed_at
                yield _Found(_lost(hip_id, way, code, "complete", (at, hip_id, code)), at)

    def _way(self, hip_id: HipId, code: VisitCode) -> Topic | None:
        """How an unlinked visit may be linked, if it may."""
        context = self._tables.care_contexts.get((hip_id, CareContextReference(code)))
        row = None if context is None else self._tables.patients.get((hip_id, context.patient_reference))
        if context is None or row is None or context.linked:
            return None
        patient = row[1]
        if patient.linkable:
            return Topic.LINK if context.hi_types else None
        return Topic.SMS if patient.phone is not None and patient.closed_account is None else None


def _lost(hip_id: HipId, topic: Topic, key: str, state: str, place: Place) -> Lost:
    return Lost(hip_id=hip_id, topic=topic, key=key, state=str(state), place=place)


def _noting(rows: MemoryTable[Any, Any], key: object, row: Any) -> Callable[[datetime], None]:
    def note(now: datetime) -> None:
        rows.put(key, replace(row, updated_at=now))

    return note


def _ordered(place: Place) -> tuple[str, ...]:
    """Times are all UTC, so that they sort as they are written."""
    return tuple(part.isoformat() if isinstance(part, datetime) else str(part) for part in place)
