"""Flow: an operator has the bundles of a stored visit built anew, after a setting, a guide or this service changed."""

from dataclasses import dataclass, replace

from hip.application.arrivals import ask_for_bundles
from hip.application.ports import Clock
from hip.application.storage import Units, Visit
from hip.domain.audit import AuditEntry
from hip.domain.errors import NotFound
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
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor=actor,
                    action="visit-rebuilt",
                    subject=visit_code,
                    detail=(("from", str(stored.version)), ("to", str(visit.version))),
                )
            )
            await uow.commit()
        return visit
