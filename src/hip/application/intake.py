"""Flow: visit records arrive → stored, and their documents asked for; those that come together in one transaction."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from hip.application.arrivals import Arrival, Reception, store_arrivals
from hip.application.ports import Clock, Facilities, VisitRecords
from hip.application.storage import StatementRefused, Units
from hip.domain.errors import DomainError, InvalidValue, Transient, Unstorable
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.visits import VisitRecord

AT_ONCE = 200
"""Records in one transaction: what a statement costs is then spread thin, and locks are held for some ten of them."""

BYTES_AT_ONCE = 8 * 1024 * 1024
"""Of records in one transaction, unless one alone is larger: a visit may bring scanned documents."""

_SMALLER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedVisit:
    """What became of a record: ``changed`` is False for one that was stored already, to the letter."""

    hip_id: HipId
    visit_code: VisitCode
    version: int
    changed: bool
    hi_types: tuple[HiType, ...]


Answer = ReceivedVisit | DomainError | Transient


@dataclass(frozen=True, slots=True)
class ReceiveVisits:
    units: Units
    records: VisitRecords
    facilities: Facilities
    clock: Clock

    async def __call__(
        self, records: Sequence[bytes | VisitRecord], *, actor: str, allowed: frozenset[HipId] | None = None
    ) -> Sequence[Answer]:
        """The answer to each record, in order, as if it had come alone; a refused one spoils no other.

        ``allowed`` limits the HIPs the caller may write for. A record the store refuses for what it holds is found by
        making the transactions smaller, and answered with Unstorable. When the store fails at a record that is offered
        alone, the last answer is that failure: the record itself may be the reason, and none after it was looked at.
        Bytes are read, a record is taken as it is. Who calls bounds what is held: nothing is cut off here.
        """
        answers: list[Answer | None] = [None] * len(records)
        waiting: list[tuple[int, Arrival]] = []
        for place, record in enumerate(records):
            try:
                waiting.append((place, self.arrival(record, allowed)))
            except DomainError as refusal:
                answers[place] = refusal
            await asyncio.sleep(0)  # reading takes some tenths of a millisecond, and others are served meanwhile
        most = AT_ONCE
        while waiting:
            part = _part(waiting, most)
            try:
                receptions = await self._stored([arrival for _, arrival in part], actor=actor)
            except (Transient, DomainError, StatementRefused) as failure:
                if len(part) > 1:
                    most = max(1, len(part) // _SMALLER)
                    continue
                [(place, _)] = part
                answers[place] = _alone(failure)
                if isinstance(failure, Transient):
                    return _told(answers[: place + 1])
            else:
                for (place, arrival), reception in zip(part, receptions, strict=True):
                    answers[place] = _received(arrival.record, reception)
            waiting = waiting[len(part) :]
            most = min(AT_ONCE, most * 2)
        return _told(answers)

    def arrival(self, given: bytes | VisitRecord, allowed: frozenset[HipId] | None = None) -> Arrival:
        """The record as it may be stored. Raises InvalidValue naming the field."""
        record = self.records.read(given) if isinstance(given, bytes) else given
        if self.facilities.find(record.hip_id) is None or (allowed is not None and record.hip_id not in allowed):
            raise InvalidValue("hipId", "a facility of this service", code="ABDM-1035")
        source = self.records.write(record)
        return Arrival(record=record, source=source, digest=hashlib.sha256(source).hexdigest())

    async def _stored(self, arrivals: Sequence[Arrival], *, actor: str) -> Sequence[Reception]:
        async with self.units() as uow:
            receptions = await store_arrivals(uow, arrivals, actor=actor, now=self.clock())
            if any(reception.changed for reception in receptions):
                await uow.commit()
        return receptions


@dataclass(frozen=True, slots=True)
class ReceiveVisit:
    """One record by itself: a batch of one."""

    units: Units
    records: VisitRecords
    facilities: Facilities
    clock: Clock

    async def __call__(self, content: bytes, *, actor: str, allowed: frozenset[HipId] | None = None) -> ReceivedVisit:
        """Store the record and ask for its bundles; the same record again changes nothing.

        ``allowed`` limits the HIPs the caller may write for. Raises InvalidValue naming the field, Unstorable, and
        StorageFailed.
        """
        receive = ReceiveVisits(self.units, self.records, self.facilities, self.clock)
        [answer] = await receive([content], actor=actor, allowed=allowed)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _part(waiting: Sequence[tuple[int, Arrival]], most: int) -> Sequence[tuple[int, Arrival]]:
    """The first of those that wait: one at least."""
    size = 0
    for count, (_, arrival) in enumerate(waiting[:most]):
        size += len(arrival.source)
        if count and size > BYTES_AT_ONCE:
            return waiting[:count]
    return waiting[:most]


def _alone(failure: Transient | DomainError | StatementRefused) -> DomainError | Transient:
    return Unstorable(f"the record cannot be stored: {failure}") if isinstance(failure, StatementRefused) else failure


def _received(record: VisitRecord, reception: Reception) -> ReceivedVisit:
    return ReceivedVisit(
        hip_id=record.hip_id,
        visit_code=record.visit_code,
        version=reception.version,
        changed=reception.changed,
        hi_types=record.required_hi_types,
    )


def _told(answers: Sequence[Answer | None]) -> list[Answer]:
    return [answer for answer in answers if answer is not None]
