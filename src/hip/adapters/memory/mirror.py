"""``AmritMirror`` in this process: the same documents, without their ``_id``."""

from collections.abc import Sequence
from typing import Any

from hip.adapters.amrit_documents import bundle_fields, context_fields, patient_fields
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import PatientReference
from hip.domain.links import CareContext
from hip.domain.patients import Patient


class MemoryAmritMirror:
    """Set ``down`` to True and every method raises StorageFailed."""

    def __init__(self) -> None:
        self.down = False
        self.bundles: dict[BundleKey, dict[str, Any]] = {}
        self.patients: dict[PatientReference, dict[str, Any]] = {}

    async def put_bundle(self, patient: Patient, record: BundleRecord, content: bytes) -> None:
        self._answer()
        self.bundles[record.key] = bundle_fields(patient, record, content)

    async def put_patient(self, patient: Patient, contexts: Sequence[CareContext]) -> None:
        self._answer()
        before = self.patients.get(patient.reference, {"careContextsList": []})
        listed = {each["ReferenceNumber"]: each for each in before["careContextsList"]}
        listed |= {context.reference: context_fields(context) for context in contexts}
        self.patients[patient.reference] = {
            "identifier": patient.reference,
            **patient_fields(patient),
            "careContextsList": list(listed.values()),
        }

    async def close(self) -> None: ...

    def _answer(self) -> None:
        if self.down:
            raise StorageFailed("the memory documents are told to be down")
