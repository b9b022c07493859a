"""Flow: a visit whose documents are whole → AMRIT's own documents as well, for a service that still reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hip.application.ports import Bundles
from hip.application.storage import Units
from hip.domain.bundles import BundleRecord
from hip.domain.identifiers import CareContextReference, HipId, PatientReference, VisitCode
from hip.domain.links import CareContext
from hip.domain.patients import Patient


class AmritMirror(Protocol):
    """AMRIT's collections as AMRIT writes them; repeats change nothing. Every method raises StorageFailed."""

    async def put_patient(self, patient: Patient, contexts: Sequence[CareContext]) -> None:
        """The one document of this patient number, AMRIT's if there is one; care contexts of others stay in it."""

    async def put_bundle(self, patient: Patient, record: BundleRecord, content: bytes) -> None:
        """The one document of ours for this HIP, visit and HI type."""


class NoMirror:
    """Nothing is written twice."""

    async def put_patient(self, patient: Patient, contexts: Sequence[CareContext]) -> None: ...
    async def put_bundle(self, patient: Patient, record: BundleRecord, content: bytes) -> None: ...
    async def close(self) -> None: ...


def mirror_work(visit_code: VisitCode) -> str:
    """The outbox key of a projection."""
    return f"visit|{visit_code}"


@dataclass(frozen=True, slots=True)
class MirrorVisit:
    """Bundles first: a list must not offer what is not there yet."""

    units: Units
    bundles: Bundles
    mirror: AmritMirror

    async def __call__(self, hip_id: HipId, visit_code: VisitCode) -> None:
        if isinstance(self.mirror, NoMirror):
            return
        async with self.units() as uow:
            context = await uow.care_contexts.get(hip_id, CareContextReference(visit_code))
            patient = None if context is None else await uow.patients.get(hip_id, context.patient_reference)
            records = await uow.bundles.servable_of(hip_id, [visit_code])
        if context is None or patient is None:
            return
        for record in records:
            content = await self.bundles.get(record.key, record.version)
            if content is not None:
                await self.mirror.put_bundle(patient, record, content)
        await self.mirror.put_patient(patient, [context])

    async def patient(self, hip_id: HipId, reference: PatientReference) -> None:
        """After a link, or the end of one: only visits with documents are in the list."""
        if isinstance(self.mirror, NoMirror):
            return
        async with self.units() as uow:
            patient = await uow.patients.get(hip_id, reference)
            contexts = await uow.care_contexts.of_patient(hip_id, reference)
        if patient is not None:
            await self.mirror.put_patient(patient, [context for context in contexts if context.hi_types])
