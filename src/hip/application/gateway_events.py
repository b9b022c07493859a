"""What the gateway says to us, in domain words.

Adapters turn raw callbacks into ``GatewayEvent``, tolerantly (contract §2).
"""

from dataclasses import dataclass, field
from datetime import datetime

from hip.application.gateway_calls import GatewayError
from hip.domain.accounts import AccountStatus
from hip.domain.callbacks import CallbackId
from hip.domain.consents import ConsentArtefact, ConsentStatus
from hip.domain.discovery import DiscoveryQuery
from hip.domain.identifiers import (
    AbhaAddress,
    ConsentId,
    HipId,
    LinkReference,
    RequestId,
    TransactionId,
)
from hip.domain.link_attempts import ChosenContext
from hip.domain.shares import SharedProfile
from hip.domain.transfers import HealthInformationRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswered:
    """on-generate-token; ``token`` is None exactly when ``error`` is set."""

    answers: RequestId
    token: str | None = field(repr=False)
    error: GatewayError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAnswered:
    """on_carecontext: success is the absence of ``error``."""

    answers: RequestId
    error: GatewayError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyAnswered:
    """on-notify of a context notify or of the SMS deep link, both spellings."""

    answers: RequestId
    error: GatewayError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryAsked:
    query: DiscoveryQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkInitAsked:
    """The patient picked care contexts of an earlier discovery."""

    transaction_id: TransactionId
    abha_address: AbhaAddress
    chosen: tuple[ChosenContext, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfirmAsked:
    """The patient typed ``otp``, as it was typed but for the zeros a number loses."""

    reference: LinkReference
    otp: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileShared:
    """A patient scanned the code of a counter; ``hip_id`` is whose code the app says it was."""

    intent: str
    hip_id: str | None
    counter: str
    profile: SharedProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentNotified:
    """A consent notify of any status; the artefact is present for GRANTED only.

    ``artefact_hash`` is the SHA-256 in hex of the canonical ``consentDetail``; ``signed`` tells whether a signature
    came with it.
    """

    consent_id: ConsentId
    status: ConsentStatus
    artefact: ConsentArtefact | None
    artefact_hash: str | None
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthInformationAsked:
    transaction_id: TransactionId
    consent_id: ConsentId
    request: HealthInformationRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged:
    """Contract §2.14: a patient closed or reopened an ABHA account."""

    abha_address: AbhaAddress
    status: AccountStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """Authenticated, stored and acknowledged, but no flow listens on its path (contract §1.8)."""


GatewayEvent = (
    TokenAnswered
    | LinkAnswered
    | NotifyAnswered
    | DiscoveryAsked
    | LinkInitAsked
    | LinkConfirmAsked
    | ProfileShared
    | ConsentNotified
    | HealthInformationAsked
    | AccountChanged
    | Unrecognised
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The envelope of an event: for whom, under which REQUEST-ID (the id our answer must name), from which row.

    ``requester`` is the X-HIU-ID header, where one came (REL-17).
    """

    hip_id: HipId
    request_id: RequestId
    received_at: datetime
    callback_id: CallbackId | None = None
    requester: str | None = None
