"""Consent artefacts and what they permit (contract §2.9, rules.md §2)."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, ConsentId, HipId, PatientReference

PURPOSES = frozenset({"CAREMGT", "BTG", "PUBHLTH", "HPAYMT", "DSRCH", "PATRQT"})
ACCESS_MODES = frozenset({"VIEW", "STORE", "QUERY", "STREAM"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """A closed span of time in UTC. Raises InvalidValue (ABDM-1063) when it ends before it begins."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise InvalidValue("dateRange", "`from` not after `to`", code="ABDM-1063")

    def contains(self, moment: datetime) -> bool:
        """Both ends belong to the range."""
        return self.start <= moment <= self.end

    def within(self, other: "DateRange") -> bool:
        """True when no part of this range lies outside ``other`` (REL-08)."""
        return other.start <= self.start and self.end <= other.end


class ConsentStatus(StrEnum):
    """Statuses a consent notify may carry; only GRANTED ever permits anything (REL-02)."""

    REQUESTED = "REQUESTED"
    GRANTED = "GRANTED"
    DENIED = "DENIED"
    PAUSED = "PAUSED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"

    @property
    def ended(self) -> bool:
        """REVOKED and EXPIRED are final: a tombstone outlives every replay (RET-01)."""
        return self in (ConsentStatus.REVOKED, ConsentStatus.EXPIRED)


class SignatureState(StrEnum):
    """What is known of the artefact's signature (REL-18); ``failed`` always refuses."""

    ABSENT = "absent"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One rule that says no: its id (rules.md), the ABDM code to answer, and plain words without values."""

    rule: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentedContext:
    """A care context as the artefact names it."""

    patient_reference: PatientReference
    care_context_reference: CareContextReference


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentArtefact:
    """What the patient allowed, exactly. All times are UTC.

    ``hip_id`` and ``hiu_id`` are None where the artefact names none. ``unknown_hi_types`` counts names we did not
    recognise: they permit nothing.
    """

    consent_id: ConsentId
    hip_id: HipId | None
    hiu_id: str | None
    patient: AbhaAddress = field(repr=False)
    care_contexts: tuple[ConsentedContext, ...] = field(repr=False)
    hi_types: frozenset[HiType]
    unknown_hi_types: int = 0
    purpose: str
    access_mode: str
    date_range: DateRange
    data_erase_at: datetime
    frequency: tuple[str, int, int] | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex of everything above in one fixed spelling: stored with the consent, compared at each release.

        Equal artefacts have equal fingerprints, and any change of any member changes it (REL-19).
        """
        spelt = [
            self.consent_id,
            self.hip_id,
            self.hiu_id,
            self.patient.text,
            [[one.patient_reference, one.care_context_reference] for one in self.care_contexts],
            sorted(self.hi_types),
            self.unknown_hi_types,
            self.purpose,
            self.access_mode,
            [self.date_range.start.isoformat(), self.date_range.end.isoformat()],
            self.data_erase_at.isoformat(),
            self.frequency,
        ]
        return hashlib.sha256(json.dumps(spelt, separators=(",", ":")).encode()).hexdigest()

    def permits_request(self, *, hip_id: HipId, asked: DateRange, now: datetime) -> tuple[Refusal, ...]:
        """Every rule a health-information request breaks; empty when it may be served (REL-03, 05, 08, 11, 13)."""
        refusals: list[Refusal] = []
        if now >= self.data_erase_at:
            refusals.append(Refusal(rule="REL-03", code="ABDM-1061", reason="the consent has expired"))
        if self.hip_id is not None and self.hip_id != hip_id:
            refusals.append(Refusal(rule="REL-05", code="ABDM-1035", reason="the consent names another HIP"))
        if not asked.within(self.date_range):
            refusals.append(
                Refusal(rule="REL-08", code="ABDM-1063", reason="the dates asked for are not all within the consent")
            )
        if self.access_mode not in ACCESS_MODES:
            refusals.append(Refusal(rule="REL-11", code="ABDM-1062", reason="the access mode is not supported"))
        if self.purpose not in PURPOSES:
            refusals.append(Refusal(rule="REL-13", code="ABDM-1062", reason="the purpose is not one of ABDM's"))
        return tuple(refusals)

    def permits_record(
        self,
        *,
        context: ConsentedContext,
        linked_to: AbhaAddress | None,
        hi_type: HiType,
        clinical_date: datetime,
        asked: DateRange,
    ) -> tuple[Refusal, ...]:
        """Every rule one bundle of one care context breaks; empty when it may leave (REL-06, 07, 09, 10)."""
        refusals: list[Refusal] = []
        if context not in self.care_contexts:
            refusals.append(
                Refusal(rule="REL-07", code="ABDM-1062", reason="the care context is not part of the consent")
            )
        if linked_to != self.patient:
            refusals.append(
                Refusal(rule="REL-06", code="ABDM-1062", reason="the care context is not linked to this patient")
            )
        if not (asked.contains(clinical_date) and self.date_range.contains(clinical_date)):
            refusals.append(
                Refusal(rule="REL-09", code="ABDM-1063", reason="the record lies outside the consented dates")
            )
        if hi_type not in self.hi_types:
            refusals.append(
                Refusal(rule="REL-10", code="ABDM-1062", reason="the kind of record is not part of the consent")
            )
        return tuple(refusals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent as stored: its artefact while it lives, a tombstone for ever after (RET-01).

    ``artefact_hash`` is the SHA-256 in hex of the artefact as received, ``terms_hash`` the fingerprint of the artefact
    as stored; both outlive it. ``acknowledged_at`` is when the gateway took our on-notify (REL-20).
    """

    hip_id: HipId
    consent_id: ConsentId
    status: ConsentStatus
    artefact: ConsentArtefact | None
    artefact_hash: str | None
    signature_state: SignatureState
    received_at: datetime
    updated_at: datetime
    acknowledged_at: datetime | None = None
    terms_hash: str | None = None

    def due(self, now: datetime) -> bool:
        """True when the artefact's time is over though nobody told us: EXPIRED by our own clock (REL-04)."""
        return not self.status.ended and self.artefact is not None and now >= self.artefact.data_erase_at

    def receive(
        self,
        status: ConsentStatus,
        *,
        artefact: ConsentArtefact | None,
        artefact_hash: str | None,
        signature_state: SignatureState,
        now: datetime,
    ) -> Self:
        """A later notify for the same consent. An ended consent never lives again, whatever arrives or is replayed."""
        if self.status.ended:
            return self
        if status is ConsentStatus.GRANTED and artefact is not None:
            return replace(
                self,
                status=status,
                artefact=artefact,
                artefact_hash=artefact_hash,
                terms_hash=artefact.fingerprint,
                signature_state=signature_state,
                updated_at=now,
            )
        if status is ConsentStatus.GRANTED:
            return self
        kept = self.artefact if not status.ended else None
        return replace(self, status=status, artefact=kept, updated_at=now)

    def acknowledge(self, *, now: datetime) -> Self:
        """The gateway accepted our on-notify; the first time counts."""
        return replace(self, acknowledged_at=self.acknowledged_at or now)

    def permits_request(self, *, hip_id: HipId, asked: DateRange, now: datetime) -> tuple[Refusal, ...]:
        """REL-02 and REL-18, then the artefact's own rules. Fails closed without an artefact."""
        refusals: list[Refusal] = []
        if self.status is not ConsentStatus.GRANTED:
            code = "ABDM-1061" if self.status is ConsentStatus.EXPIRED else "ABDM-1062"
            refusals.append(Refusal(rule="REL-02", code=code, reason=f"the consent is {self.status}, not GRANTED"))
        if self.signature_state is SignatureState.FAILED:
            refusals.append(Refusal(rule="REL-18", code="ABDM-1062", reason="the artefact's signature is not right"))
        if self.artefact is None:
            if not refusals:
                refusals.append(Refusal(rule="REL-02", code="ABDM-1062", reason="no artefact is stored"))
            return tuple(refusals)
        return (*refusals, *self.artefact.permits_request(hip_id=hip_id, asked=asked, now=now))
