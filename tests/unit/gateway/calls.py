"""One call of every kind, and the clock and ids they are made with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from hip.application.gateway_calls import (
    ConsentOnNotify,
    ContextNotify,
    GatewayCall,
    GatewayError,
    GenerateToken,
    HealthInformationNotify,
    HealthInformationOnRequest,
    LinkCareContexts,
    LinkedContext,
    OnConfirm,
    OnDeactivate,
    OnDiscover,
    OnInit,
    OnShare,
    OtpChallenge,
    PatientEntry,
    SmsNotify,
)
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    AbhaNumber,
    CareContextReference,
    ConsentId,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
)
from hip.domain.link_attempts import AuthenticationType
from hip.domain.pages import ContextStatus, HiStatus
from hip.domain.patients import Gender, IdentifierType
from hip.domain.transfers import TransferOutcome

NOW = datetime(2026, 3, 14, 6, 50, 0, 410_999, tzinfo=UTC)
HIP = HipId("IN0410000123")
REQUEST = RequestId("3d6e0f0a-7c5f-4b86-9a53-0b7b1f6f2a11")
INBOUND = RequestId("1c2f6f6c-0a52-4a49-8bc8-5a4f9a7f1f4d")
TRANSACTION = TransactionId("5f0d5a0e-2f7b-49d8-9a9f-3a5c4b0d7e21")
CONSENT = ConsentId("7a1d0c3e-6f2b-4f08-8f5e-1b9d2c7a4e60")
MEERA = AbhaAddress.parse("Meera.K01@sbx")
NUMBER = AbhaNumber.parse("91-1234-5678-9012")
LINK_TOKEN = "eyJhbGciOiJSUzUxMiJ9.e30.canary-link-token"
REFUSAL = GatewayError(code="ABDM-1010", message="Patient not found")


@dataclass
class Ticking:
    """A clock that stands until it is moved."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass
class Numbered:
    """UUIDs in order."""

    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __call__(self) -> str:
        return f"00000000-0000-4000-8000-{next(self.numbers):012d}"


def entry(hi_type: HiType = HiType.OP_CONSULTATION, *, contexts: int = 1) -> PatientEntry:
    return PatientEntry(
        patient_reference=PatientReference("PAT-20417"),
        display="Meera Kulkarni",
        hi_type=hi_type,
        care_contexts=tuple(
            LinkedContext(reference=CareContextReference(f"visit-{88120 + n}"), display="OPD visit 12 Mar 2026")
            for n in range(contexts)
        ),
    )


GENERATE_TOKEN = GenerateToken(
    abha_address=MEERA, abha_number=NUMBER, name="Meera Kulkarni", gender=Gender.FEMALE, birth_year=1984
)
LINK = LinkCareContexts(
    abha_address=MEERA,
    abha_number=NUMBER,
    link_token=LINK_TOKEN,
    entries=(entry(), entry(HiType.PRESCRIPTION)),
    key="88120",
)
CONTEXT_NOTIFY = ContextNotify(
    abha_address=MEERA,
    patient_reference=PatientReference("PAT-20417"),
    care_context_reference=CareContextReference("visit-88120"),
    hi_types=(HiType.DIAGNOSTIC_REPORT,),
    date=datetime(2026, 3, 14, 6, 20, tzinfo=UTC),
    version=2,
)
SMS_NOTIFY = SmsNotify(phone="9876543210", facility_name="Demo Clinic", key="PAT-20417|88120")
ON_DISCOVER = OnDiscover(
    transaction_id=TRANSACTION,
    answers=INBOUND,
    entries=(entry(HiType.DISCHARGE_SUMMARY),),
    matched_by=(IdentifierType.MOBILE, IdentifierType.MR),
)
ON_DISCOVER_ERROR = OnDiscover(transaction_id=TRANSACTION, answers=INBOUND, error=REFUSAL)
LINK_REFERENCE = LinkReference("0a9a2b61-2b1d-4a8e-9c5f-7d1e0c8b6a45")
ON_INIT = OnInit(
    transaction_id=TRANSACTION,
    answers=INBOUND,
    challenge=OtpChallenge(
        reference=LINK_REFERENCE,
        authentication=AuthenticationType.DIRECT,
        hint="******3210",
        expires_at=datetime(2026, 3, 14, 6, 40, tzinfo=UTC),
    ),
)
ON_INIT_ERROR = OnInit(transaction_id=TRANSACTION, answers=INBOUND, error=REFUSAL)
ON_CONFIRM = OnConfirm(
    reference=LINK_REFERENCE, answers=INBOUND, entries=(entry(HiType.DISCHARGE_SUMMARY), entry(contexts=2))
)
ON_CONFIRM_ERROR = OnConfirm(
    reference=LINK_REFERENCE, answers=INBOUND, error=GatewayError(code="ABDM-1035", message="Invalid OTP")
)
ON_SHARE = OnShare(answers=INBOUND, abha_address=MEERA, counter="counter1", token_number="0017", seconds=1800)
ON_SHARE_ERROR = OnShare(
    answers=INBOUND,
    abha_address=MEERA,
    counter="counter1",
    error=GatewayError(code="ABDM-1149", message="Intent not supported"),
)
CONSENT_ON_NOTIFY = ConsentOnNotify(consent_id=CONSENT, answers=INBOUND)
CONSENT_ON_NOTIFY_ERROR = ConsentOnNotify(
    consent_id=CONSENT, answers=INBOUND, error=GatewayError(code="ABDM-1035", message="The consent names another HIP")
)
ON_DEACTIVATE = OnDeactivate(answers=INBOUND)
ON_REQUEST = HealthInformationOnRequest(transaction_id=TRANSACTION, answers=INBOUND)
ON_REQUEST_ERROR = HealthInformationOnRequest(
    transaction_id=TRANSACTION, answers=INBOUND, error=GatewayError(code="ABDM-1112", message="Invalid consent")
)
TRANSFER_NOTIFY = HealthInformationNotify(
    consent_id=CONSENT,
    transaction_id=TRANSACTION,
    done_at=datetime(2026, 3, 14, 6, 53, 2, 410_000, tzinfo=UTC),
    outcome=TransferOutcome.TRANSFERRED,
    statuses=(
        ContextStatus(
            care_context_reference=CareContextReference("adm-5512"),
            hi_status=HiStatus.DELIVERED,
            description="1 bundle sent",
        ),
        ContextStatus(
            care_context_reference=CareContextReference("adm-5513"),
            hi_status=HiStatus.ERRORED,
            description="no records in range",
        ),
    ),
)

EVERY_CALL: tuple[GatewayCall, ...] = (
    GENERATE_TOKEN,
    LINK,
    CONTEXT_NOTIFY,
    SMS_NOTIFY,
    ON_DISCOVER,
    ON_DISCOVER_ERROR,
    ON_INIT,
    ON_INIT_ERROR,
    ON_CONFIRM,
    ON_CONFIRM_ERROR,
    ON_SHARE,
    ON_SHARE_ERROR,
    CONSENT_ON_NOTIFY,
    CONSENT_ON_NOTIFY_ERROR,
    ON_DEACTIVATE,
    ON_REQUEST,
    ON_REQUEST_ERROR,
    TRANSFER_NOTIFY,
)
