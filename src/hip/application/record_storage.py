"""What a transaction can reach of patients and of the care contexts that their visits are offered as."""

from collections.abc import Sequence
from typing import Protocol

from hip.application.listings import Listing
from hip.domain.discovery import Demographics, PatientIdentifiers
from hip.domain.identifiers import AbhaAddress, CareContextReference, HipId, PatientReference
from hip.domain.links import CareContext
from hip.domain.patients import Patient


class CareContexts(Protocol):
    """Table ``care_context``."""

    async def save(self, context: CareContext) -> None:
        """Insert or replace by (hip_id, reference)."""

    async def lock(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None: ...
    async def get(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None: ...
    async def several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        """Those that are known, in any order."""

    async def lock_several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        """Those that are known, locked in the order of their references."""

    async def save_all(self, contexts: Sequence[CareContext]) -> None:
        """``save`` for each."""

    async def add_missing(self, contexts: Sequence[CareContext]) -> int:
        """Insert those whose (hip_id, reference) is not known, and leave the others as they are; how many."""

    async def unlinked(
        self, hip_id: HipId, patient_reference: PatientReference, *, per_hi_type: int
    ) -> Sequence[CareContext]:
        """Contexts that are linked to nobody, newest first, so many that each HI type has its ``per_hi_type``."""

    async def of_patient(self, hip_id: HipId, patient_reference: PatientReference) -> Sequence[CareContext]: ...
    async def linked_to(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[CareContext]:
        """Locked, newest first."""

    async def list(self, listing: Listing) -> Sequence[CareContext]: ...


class Patients(Protocol):
    async def save(self, patient: Patient, *, hip_id: HipId) -> None:
        """Insert or replace by (hip_id, reference)."""

    async def save_all(self, patients: Sequence[Patient], *, hip_id: HipId) -> None:
        """``save`` for each; nobody twice."""

    async def add_missing(self, new: Sequence[Patient], *, hip_id: HipId) -> int:
        """Insert those who are not known, and leave the others as they are; how many.

        Of several with one reference the first is inserted, and all in one order, so that two batches never wait for
        each other.
        """

    async def lock_several(self, hip_id: HipId, references: Sequence[PatientReference]) -> Sequence[Patient]:
        """Those that are known, locked in one order: the order of what is returned."""

    async def get(self, hip_id: HipId, reference: PatientReference) -> Patient | None: ...
    async def several(self, hip_id: HipId, references: Sequence[PatientReference]) -> Sequence[Patient]:
        """Those that are known, in any order."""

    async def candidates(
        self, hip_id: HipId, identifiers: PatientIdentifiers, *, limit: int, behind_mobile: Demographics | None = None
    ) -> Sequence[Patient]:
        """Patients who share a verified ABHA address, ABHA number or mobile; never by MR alone.

        Those an ABHA identifies come first. Of those with nothing but the mobile, only who fits ``behind_mobile``.
        """

    async def of_closed_account(self, hip_id: HipId, account: str) -> Sequence[Patient]:
        """Patients who closed the ABHA account with this key, by reference."""
