"""Flow: the relay takes decision records into the audit's chain, many with one entry (AUD-02)."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile

from hip.application.ports import Clock, Facilities
from hip.application.storage import Units
from hip.domain.audit import AuditEntry
from hip.domain.decision_seals import SEALED, DecisionSeal

AT_ONCE = 500

SETTLED = timedelta(minutes=2)
"""Longer than any transaction lasts: of two records the later number may be committed first."""


@dataclass(frozen=True, slots=True)
class SealDecisions:
    units: Units
    facilities: Facilities
    clock: Clock

    async def __call__(self) -> int:
        """How many records were sealed."""
        sealed, now = 0, self.clock()
        for facility in self.facilities.all():
            async with self.units() as uow:
                last = await uow.audit.latest(facility.hip_id, SEALED)
                before = None if last is None else DecisionSeal.read(last.detail)
                after = 0 if before is None else before.last
                found = await uow.decisions.numbered(facility.hip_id, after=after, limit=AT_ONCE)
                settled = list(takewhile(lambda one: one.decision.at <= now - SETTLED, found))
                if not settled:
                    continue
                await uow.audit.append(
                    AuditEntry(
                        hip_id=facility.hip_id,
                        at=now,
                        actor="clock",
                        action=SEALED,
                        subject=facility.hip_id,
                        detail=DecisionSeal.of(settled).detail,
                    )
                )
                await uow.commit()
            sealed += len(settled)
        return sealed
