"""A patient links records from their own app: what they chose, the OTP, and what came of it (contract §2.6, §2.7)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from hip.domain.errors import DomainError, IllegalTransition
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
)
from hip.domain.otp import TRIES, HashedOtp

ALREADY_LINKED = "ABDM-1056"
UNKNOWN_REFERENCE = "ABDM-1056"
WRONG_OTP = "ABDM-1035"
NOT_SENT = "ABDM-1004"
TOO_MANY = "ABDM-1022"
"""Codes of our own errors, as contract §1.11 lists them; 1022 is the gateway's own for too many requests."""


class AuthenticationType(StrEnum):
    """What on-init says of the linking (contract §1.13)."""

    DIRECT = "DIRECT"
    MEDIATED = "MEDIATED"


class LinkingRefused(DomainError):
    """The patient's app asked for something it may not have; ``code`` is answered in on-init or on-confirm."""

    code = "ABDM-1057"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OfferedContext:
    """One care context under one HI type, as on-discover offered it."""

    reference: CareContextReference
    hi_type: HiType


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenContext:
    """What the app says the patient picked; ``hi_type`` None stands for every type it was offered under."""

    patient_reference: PatientReference
    reference: CareContextReference
    hi_type: HiType | None


def choose(
    chosen: Iterable[ChosenContext], *, offered: Iterable[OfferedContext], patient: PatientReference
) -> tuple[OfferedContext, ...]:
    """What was picked of what was offered, each once, in the order of the offer.

    Raises LinkingRefused with ABDM-1060 for another patient's reference and ABDM-1057 for a context that was not
    offered, or for none at all.
    """
    on_offer = tuple(offered)
    picked: set[OfferedContext] = set()
    for one in chosen:
        if one.patient_reference != patient:
            raise LinkingRefused("not the patient that was found", code="ABDM-1060")
        meant = {o for o in on_offer if o.reference == one.reference and one.hi_type in (None, o.hi_type)}
        if not meant:
            raise LinkingRefused("a care context that was not offered", code="ABDM-1057")
        picked |= meant
    if not picked:
        raise LinkingRefused("no care context was chosen", code="ABDM-1057")
    return tuple(o for o in on_offer if o in picked)


class AttemptState(StrEnum):
    """``confirmed``: the right OTP came, and the gateway has not taken our answer yet."""

    OFFERED = "offered"
    OTP_SENT = "otp-sent"
    CONFIRMED = "confirmed"
    LINKED = "linked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one confirm came to: ``code`` None for the right OTP. Delivered again, it is the same."""

    request_id: RequestId
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAttempt:
    """One linking by the patient. ``reference`` is ours: on-init names it, confirm brings it back.

    ``request_id`` is the REQUEST-ID of the init. ``number_key`` stands for the telephone number, ``expires_at`` (UTC,
    exclusive) ends the OTP. ``verdicts`` are the wrong OTPs and, last, the right one. ``code`` says why it failed.
    """

    hip_id: HipId
    reference: LinkReference
    transaction_id: TransactionId
    request_id: RequestId
    abha_address: AbhaAddress
    patient_reference: PatientReference
    chosen: tuple[OfferedContext, ...]
    number_key: str
    hint: str
    otp: HashedOtp = field(repr=False)
    state: AttemptState
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    verdicts: tuple[Verdict, ...] = ()
    code: str | None = None

    @property
    def tries(self) -> int:
        """Wrong OTPs so far."""
        return sum(verdict.code is not None for verdict in self.verdicts)

    def awaits_otp(self, *, now: datetime) -> bool:
        """True while the right OTP would be taken."""
        return self.state is AttemptState.OTP_SENT and now < self.expires_at

    def sent(self, *, now: datetime) -> Self:
        """The OTP has been handed to whoever delivers it."""
        self._require("an OTP that was sent", AttemptState.OFFERED)
        return replace(self, state=AttemptState.OTP_SENT, updated_at=now)

    def confirm(self, typed: str, *, request_id: RequestId, at: datetime, now: datetime) -> tuple[Self, Verdict]:
        """Hold ``typed``, which came ``at`` that moment, against the OTP.

        Five wrong ones, or the end of its life, and the right one is refused too. A confirm that was judged already
        gets its verdict again and counts no second time; after the right OTP, only the right OTP is answered well.
        """
        refused = Verdict(request_id=request_id, code=WRONG_OTP)
        if self.state in (AttemptState.OFFERED, AttemptState.FAILED):
            return self, refused
        for verdict in self.verdicts:
            if verdict.request_id == request_id:
                return self, verdict
        if self.state in (AttemptState.CONFIRMED, AttemptState.LINKED):
            right = at < self.expires_at and self.otp.matches(typed)
            return self, Verdict(request_id=request_id, code=None) if right else refused
        if at >= self.expires_at:
            return replace(self, state=AttemptState.FAILED, code=WRONG_OTP, updated_at=now), refused
        if self.otp.matches(typed):
            verdict = Verdict(request_id=request_id, code=None)
            judged = replace(self, state=AttemptState.CONFIRMED, verdicts=(*self.verdicts, verdict), updated_at=now)
            return judged, verdict
        judged = replace(self, verdicts=(*self.verdicts, refused), updated_at=now)
        if judged.tries >= TRIES:
            judged = replace(judged, state=AttemptState.FAILED, code=WRONG_OTP)
        return judged, refused

    def link(self, *, now: datetime) -> Self:
        """The gateway took our on-confirm."""
        if self.state is AttemptState.LINKED:
            return self
        self._require("a link", AttemptState.CONFIRMED)
        return replace(self, state=AttemptState.LINKED, updated_at=now)

    def fail(self, code: str, *, now: datetime) -> Self:
        """The OTP could not be sent, or the gateway refused our answer. What is linked stays linked."""
        if self.state is AttemptState.FAILED:
            return self
        self._require("a failure", AttemptState.OFFERED, AttemptState.OTP_SENT, AttemptState.CONFIRMED)
        return replace(self, state=AttemptState.FAILED, code=code, updated_at=now)

    def _require(self, event: str, *states: AttemptState) -> None:
        if self.state not in states:
            raise IllegalTransition("link attempt", self.state, event)
