"""What is said to the gateway, in domain words.

Adapters turn ``GatewayCall`` into HTTP (contract §2, strictly). ``call.business_key`` names the thing a conversation
is about; two calls of one flow with the same key are one exchange.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from hip.domain.exchanges import Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    AbhaNumber,
    CareContextReference,
    ConsentId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
)
from hip.domain.link_attempts import AuthenticationType
from hip.domain.pages import ContextStatus
from hip.domain.patients import Gender, IdentifierType
from hip.domain.transfers import TransferOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayError:
    """The ``error`` member of an asynchronous message: an ABDM code and prose."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateToken:
    """Contract §2.1."""

    abha_address: AbhaAddress
    abha_number: AbhaNumber | None
    name: str = field(repr=False)
    gender: Gender
    birth_year: int

    flow = Flow.GENERATE_TOKEN

    @property
    def business_key(self) -> str:
        return str(self.abha_address)

    @property
    def payload(self) -> str:
        """A short hash of the demographics: whether the desk has changed anything since a refusal."""
        said = (self.abha_address, self.abha_number, self.name, self.gender, self.birth_year)
        return hashlib.blake2b("\0".join(map(str, said)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedContext:
    """A care context as it is shown to the patient's app."""

    reference: CareContextReference
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientEntry:
    """One element of ``patient[]``: one per HI type, 1 to 20 contexts (contract §2.2)."""

    patient_reference: PatientReference
    display: str = field(repr=False)
    hi_type: HiType
    care_contexts: tuple[LinkedContext, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCareContexts:
    """Contract §2.2. ``link_token`` goes into a header and nowhere else."""

    abha_address: AbhaAddress
    abha_number: AbhaNumber | None
    link_token: str = field(repr=False)
    entries: tuple[PatientEntry, ...]
    key: str

    flow = Flow.LINK_CARE_CONTEXT

    @property
    def business_key(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextNotify:
    """Contract §2.3."""

    abha_address: AbhaAddress
    patient_reference: PatientReference
    care_context_reference: CareContextReference
    hi_types: tuple[HiType, ...]
    date: datetime
    version: int

    flow = Flow.CONTEXT_NOTIFY

    @property
    def business_key(self) -> str:
        return f"{self.care_context_reference}|{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsNotify:
    """Contract §2.4. ``key`` makes it once per patient and visit."""

    phone: str = field(repr=False)
    facility_name: str
    key: str

    flow = Flow.SMS_NOTIFY

    @property
    def business_key(self) -> str:
        return self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDiscover:
    """Contract §2.5: entries and identifiers, or an error."""

    transaction_id: TransactionId
    answers: RequestId
    entries: tuple[PatientEntry, ...] = ()
    matched_by: tuple[IdentifierType, ...] = ()
    error: GatewayError | None = None

    flow = Flow.ON_DISCOVER

    @property
    def business_key(self) -> str:
        return str(self.transaction_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtpChallenge:
    """What on-init tells the app: our link reference, a masked number, and when (UTC) the OTP dies."""

    reference: LinkReference
    authentication: AuthenticationType
    hint: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OnInit:
    """Contract §2.6: a challenge, or an error."""

    transaction_id: TransactionId
    answers: RequestId
    challenge: OtpChallenge | None = None
    error: GatewayError | None = None

    flow = Flow.ON_INIT

    @property
    def business_key(self) -> str:
        return f"{self.transaction_id}|{self.answers}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnConfirm:
    """Contract §2.7: what was linked, or an error."""

    reference: LinkReference
    answers: RequestId
    entries: tuple[PatientEntry, ...] = ()
    error: GatewayError | None = None

    flow = Flow.ON_CONFIRM

    @property
    def business_key(self) -> str:
        return f"{self.reference}|{self.answers}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnShare:
    """Contract §2.8: a queue token and the seconds it still holds, or an error."""

    answers: RequestId
    abha_address: AbhaAddress
    counter: str
    token_number: str | None = None
    seconds: int = 0
    error: GatewayError | None = None

    flow = Flow.ON_SHARE

    @property
    def business_key(self) -> str:
        return str(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentOnNotify:
    """Contract §2.9; sent for every status."""

    consent_id: ConsentId
    answers: RequestId
    error: GatewayError | None = None

    flow = Flow.CONSENT_ON_NOTIFY

    @property
    def business_key(self) -> str:
        return f"{self.consent_id}|{self.answers}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDeactivate:
    """Contract §2.14: what became of a closed account. Its body is published nowhere; this is the form of v0.5."""

    answers: RequestId

    flow = Flow.ON_DEACTIVATE

    @property
    def business_key(self) -> str:
        return str(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthInformationOnRequest:
    """Contract §2.10: ACKNOWLEDGED, or an error."""

    transaction_id: TransactionId
    answers: RequestId
    error: GatewayError | None = None

    flow = Flow.HEALTH_INFORMATION_ON_REQUEST

    @property
    def business_key(self) -> str:
        return str(self.transaction_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthInformationNotify:
    """Contract §2.12: the truthful account of a transfer; ``tries`` counts an operator's retries before it."""

    consent_id: ConsentId
    transaction_id: TransactionId
    done_at: datetime
    outcome: TransferOutcome
    statuses: tuple[ContextStatus, ...]
    tries: int = 0

    flow = Flow.HEALTH_INFORMATION_NOTIFY

    @property
    def business_key(self) -> str:
        return f"{self.transaction_id}|{self.tries}"


GatewayCall = (
    GenerateToken
    | LinkCareContexts
    | ContextNotify
    | SmsNotify
    | OnDiscover
    | OnInit
    | OnConfirm
    | OnShare
    | ConsentOnNotify
    | OnDeactivate
    | HealthInformationOnRequest
    | HealthInformationNotify
)
