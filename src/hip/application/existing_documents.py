"""The documents of an AMRIT that ran before, and the edge they are read through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaNumber, VisitCode
from hip.domain.patients import Patient


class Kind(StrEnum):
    """Patients first: a document finds its facility through their care contexts."""

    PATIENTS = "patients"
    BUNDLES = "bundles"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingContext:
    """A visit in a patient's list; ``linked_at`` when it is linked. ``facility`` is as written, and may be missing."""

    visit_code: VisitCode
    facility: str | None
    linked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingPatient:
    patient: Patient
    contexts: tuple[ExistingContext, ...]
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingBundle:
    """``content`` is the text as it was kept, or JSON of the sub-document that stood in its place.

    ``beneficiary`` is AMRIT's number of the patient, the reference of ours; it and ``abha_number`` may be missing.
    """

    visit_code: VisitCode
    hi_type: HiType
    content: bytes = field(repr=False)
    created_at: datetime
    beneficiary: str | None = None
    abha_number: AbhaNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One document: ``place`` names it to an operator, ``position`` continues behind it; or a fault with its field."""

    place: str
    position: str
    value: ExistingPatient | ExistingBundle | None = field(repr=False)
    fault: str = ""


class ExistingDocuments(Protocol):
    """AMRIT's collections, under either of their names. Ours, which stand in the same ones, are left out."""

    async def count(self, kind: Kind) -> int:
        """About how many. Raises StorageFailed."""

    async def after(self, kind: Kind, position: str | None, *, limit: int) -> Sequence[Found]:
        """The next documents behind a position, in a lasting order; none at the end. Raises StorageFailed."""


class Fate(StrEnum):
    """What became of a document: ``kept`` is one that we know, or know newer.

    ``unlisted`` is a bundle whose visit is in no patient's list, and which fits no patient without doubt: not taken.
    """

    TAKEN = "taken"
    INVALID = "invalid"
    KEPT = "kept"
    REFUSED = "refused"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    place: str
    fate: Fate
    reason: str = ""
