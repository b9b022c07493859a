"""Link tokens, care contexts, and the request that links them to an ABHA address (contract §2.1–2.7)."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from hip.domain.accounts import ACCOUNT_CLOSED
from hip.domain.errors import IllegalTransition, LinkTokenRefused
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    AbhaNumber,
    CareContextReference,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.link_token_claims import contradiction, expiry_of

# Six months less a week when the token does not say (contract §2.1); never trusted for longer than 180 days.
_FALLBACK_LIFE = timedelta(days=175)
_LONGEST_LIFE = timedelta(days=180)
MAX_CONTEXTS_PER_ENTRY = 20
"""ABDM-1006 / ABDM-1037: a patient entry carries 1 to 20 care contexts (contract §2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkToken:
    """The gateway's permission to link one patient's care contexts, bound to HIP, ABHA address and number.

    ``expires_at`` is UTC, exclusive, read from the token's own ``exp``. ``abha_number`` is the one that was sent at
    generate-token; link must then carry the same (LINK-03).
    """

    hip_id: HipId
    abha_address: AbhaAddress
    abha_number: AbhaNumber | None
    value: str = field(repr=False)
    expires_at: datetime

    @classmethod
    def issued(
        cls, value: str, *, hip_id: HipId, abha_address: AbhaAddress, abha_number: AbhaNumber | None, now: datetime
    ) -> Self:
        """Read the expiry from an issued JWT, without verifying it: only the gateway can. Never raises."""
        expires_at = expiry_of(value) or now + _FALLBACK_LIFE
        return cls(
            hip_id=hip_id,
            abha_address=abha_address,
            abha_number=abha_number,
            value=value,
            expires_at=min(expires_at, now + _LONGEST_LIFE),
        )

    def life(self, *, now: datetime) -> timedelta:
        """Time left, never negative; the cache keeps the token exactly so long."""
        return max(self.expires_at - now, timedelta(0))

    def unusable(self, *, now: datetime) -> str | None:
        """LINK-01: the code for why it must never be used (over, or bound to another); None when it may be."""
        if now >= self.expires_at:
            return "ABDM-1026"
        return contradiction(
            self.value, hip_id=self.hip_id, abha_address=self.abha_address, abha_number=self.abha_number
        )

    def require_fit(
        self, *, hip_id: HipId, abha_address: AbhaAddress, abha_number: AbhaNumber | None, now: datetime
    ) -> None:
        """LINK-01. Raises LinkTokenRefused with 1026 (expired), 1063 (HIP), 1038 (address) or 1062 (number)."""
        if now >= self.expires_at:
            raise LinkTokenRefused("the link token has expired")
        if self.hip_id != hip_id:
            raise LinkTokenRefused("the link token belongs to another HIP", code="ABDM-1063")
        if self.abha_address != abha_address:
            raise LinkTokenRefused("the link token belongs to another ABHA address", code="ABDM-1038")
        if self.abha_number != abha_number:
            raise LinkTokenRefused("the link token belongs to another ABHA number", code="ABDM-1062")
        if (code := self.unusable(now=now)) is not None:
            raise LinkTokenRefused("the link token names somebody else", code=code)


@dataclass(frozen=True, slots=True, kw_only=True)
class CareContext:
    """One visit as the patient sees it. ``reference`` never changes; ``display`` says nothing clinical (DISC-01).

    ``hi_types`` are the types that a valid bundle stands behind; ``linked_to`` the ABHA address it is linked to.
    """

    hip_id: HipId
    reference: CareContextReference
    patient_reference: PatientReference
    visit_code: VisitCode
    display: str
    clinical_date: datetime
    hi_types: tuple[HiType, ...]
    link_reference: LinkReference | None = None
    linked_to: AbhaAddress | None = None
    linked_at: datetime | None = None

    @property
    def linked(self) -> bool:
        """True once the gateway's callback has confirmed the link."""
        return self.linked_to is not None

    def link(self, abha_address: AbhaAddress, *, reference: LinkReference, now: datetime) -> Self:
        """The gateway confirmed the link. Linking again to the same address changes nothing (ABDM-1056).

        Raises IllegalTransition when it is linked to another address: a link cannot be undone (LINK-04).
        """
        if self.linked_to is not None:
            if self.linked_to != abha_address:
                raise IllegalTransition("care context", "linked", "a link to another ABHA address")
            return self
        return replace(self, linked_to=abha_address, linked_at=now, link_reference=reference)

    def forget_link(self) -> Self:
        """RET-02: the patient closed the account it was linked to. The gateway itself knows no way to unlink."""
        return replace(self, linked_to=None, linked_at=None, link_reference=None)


class LinkStatus(StrEnum):
    """Where a link request stands; each is shown to the desk as it is."""

    AWAITING_TOKEN = "awaiting-token"  # noqa: S105 - a state, not a secret
    READY = "ready"
    REQUESTED = "requested"
    LINKED = "linked"
    REFUSED = "refused"
    SMS_REQUESTED = "sms-requested"
    SMS_SENT = "sms-sent"
    UNANSWERED = "unanswered"


# The gateway's word that a visit is linked may be late, so it is believed wherever it finds the request.
_LINK_MOVES: dict[LinkStatus, frozenset[LinkStatus]] = {
    LinkStatus.AWAITING_TOKEN: frozenset(
        {LinkStatus.READY, LinkStatus.LINKED, LinkStatus.REFUSED, LinkStatus.UNANSWERED}
    ),
    LinkStatus.READY: frozenset(
        {LinkStatus.REQUESTED, LinkStatus.AWAITING_TOKEN, LinkStatus.LINKED, LinkStatus.REFUSED}
    ),
    LinkStatus.REQUESTED: frozenset(
        {LinkStatus.LINKED, LinkStatus.REFUSED, LinkStatus.UNANSWERED, LinkStatus.AWAITING_TOKEN, LinkStatus.READY}
    ),
    LinkStatus.LINKED: frozenset(),
    LinkStatus.REFUSED: frozenset(
        {LinkStatus.READY, LinkStatus.AWAITING_TOKEN, LinkStatus.LINKED, LinkStatus.SMS_REQUESTED}
    ),
    LinkStatus.SMS_REQUESTED: frozenset(
        {LinkStatus.SMS_SENT, LinkStatus.LINKED, LinkStatus.REFUSED, LinkStatus.UNANSWERED}
    ),
    LinkStatus.SMS_SENT: frozenset({LinkStatus.AWAITING_TOKEN, LinkStatus.READY, LinkStatus.LINKED}),
    LinkStatus.UNANSWERED: frozenset(
        {LinkStatus.READY, LinkStatus.AWAITING_TOKEN, LinkStatus.LINKED, LinkStatus.REFUSED, LinkStatus.SMS_SENT}
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """The linking of one visit, from wanted to linked or refused.

    ``request_id`` is the REQUEST-ID of the last link (or SMS) call, ``transaction_id`` the discovery's when the
    patient began it. ``code`` is the first refusal of the present try and is kept until a new try begins. ``led_by`` is
    the visit in whose call it goes out: another one's in a batch, its own for one that must go alone.
    """

    hip_id: HipId
    reference: LinkReference
    visit_code: VisitCode
    patient_reference: PatientReference
    abha_address: AbhaAddress | None
    status: LinkStatus
    created_at: datetime
    updated_at: datetime
    request_id: RequestId | None = None
    transaction_id: TransactionId | None = None
    code: str | None = None
    token_renewed: bool = False
    led_by: VisitCode | None = None

    def forget_account(self, *, now: datetime) -> Self:
        """RET-02: whom it linked to is purged; what was not linked yet never will be (ABDM-1407)."""
        if self.status is LinkStatus.LINKED:
            return replace(self, abha_address=None, updated_at=now)
        return replace(self, abha_address=None, status=LinkStatus.REFUSED, code=ACCOUNT_CLOSED, updated_at=now)

    def move(
        self,
        status: LinkStatus,
        *,
        now: datetime,
        request_id: RequestId | None = None,
        code: str | None = None,
        token_renewed: bool | None = None,
        led_by: VisitCode | None = None,
    ) -> Self:
        """Go to ``status``; the same status again changes nothing but ``request_id``.

        Raises IllegalTransition for a move the table does not list: a linked request stays linked for ever.
        """
        if status is not self.status and status not in _LINK_MOVES[self.status]:
            raise IllegalTransition("link request", self.status, status)
        # Within one status the first code stays; a refusal that comes after silence says more than the silence did.
        kept = self.code or code if status is self.status else code or self.code
        return replace(
            self,
            status=status,
            updated_at=now,
            request_id=request_id or self.request_id,
            code=kept if status in (LinkStatus.REFUSED, LinkStatus.UNANSWERED) else None,
            token_renewed=self.token_renewed if token_renewed is None else token_renewed,
            led_by=led_by or self.led_by,
        )
