"""What patients do at the gateway, read into domain words: search, choose, type an OTP, close an account."""

from collections.abc import Iterator

from hip.adapters.gateway.envelopes import read_error, read_id
from hip.adapters.gateway.members import Member
from hip.application.gateway_events import AccountChanged, DiscoveryAsked, LinkConfirmAsked, LinkInitAsked, Unrecognised
from hip.domain.accounts import AccountStatus
from hip.domain.discovery import DiscoveryQuery, PatientIdentifiers
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, LinkReference, PatientReference, TransactionId
from hip.domain.link_attempts import ChosenContext
from hip.domain.otp import LENGTH as OTP_LENGTH
from hip.domain.patients import Gender


def read_discovery(body: Member) -> DiscoveryAsked | Unrecognised:
    """Who is looked for (contract §2.5). Raises InvalidValue."""
    patient = body.member("patient")
    if not patient.present and read_error(body) is not None:
        # The gateway tells of a discovery that failed on its side: there is nobody to look for (contract §2.5).
        return Unrecognised()
    address, gender = patient.member("id"), patient.member("gender")
    return DiscoveryAsked(
        query=DiscoveryQuery(
            transaction_id=TransactionId(read_id(body.member("transactionId"))),
            abha_address=AbhaAddress.parse(address.text("an ABHA address"), field=address.path),
            name=patient.member("name").text("a name"),
            gender=Gender.parse(gender.text("one of M, F, O, D, T, U"), field=gender.path),
            birth_year=patient.member("yearOfBirth").whole("a year from 1900 to 2200", low=1900, high=2200),
            verified=_identifiers(patient.member("verifiedIdentifiers")),
            unverified=_identifiers(patient.member("unverifiedIdentifiers")),
        )
    )


def _identifiers(identifiers: Member) -> PatientIdentifiers:
    pairs = (
        (identifier.member("type").optional_text(), identifier.member("value").optional_text())
        for identifier in identifiers.items()
    )
    return PatientIdentifiers.read((kind, value) for kind, value in pairs if kind is not None and value is not None)


def read_link_init(body: Member) -> LinkInitAsked | Unrecognised:
    """What the patient chose (contract §2.6); no HI type stated means all of the care context. Raises InvalidValue."""
    patients = body.member("patient")
    if not patients.present and read_error(body) is not None:
        # The gateway tells of an init that it refused itself: there is nothing to answer (contract §2.6).
        return Unrecognised()
    address = body.member("abhaAddress")
    return LinkInitAsked(
        transaction_id=TransactionId(read_id(body.member("transactionId"))),
        abha_address=AbhaAddress.parse(address.text("an ABHA address"), field=address.path),
        chosen=tuple(choice for entry in patients.items() for choice in _choices(entry)),
    )


def _choices(entry: Member) -> Iterator[ChosenContext]:
    patient = PatientReference(entry.member("referenceNumber").text("a patient reference"))
    stated = entry.member("hiType", "hiTypes").items()
    hi_types: list[HiType | None] = [HiType.parse(one.text("an HI type"), field=one.path) for one in stated] or [None]
    for context in entry.member("careContexts").items():
        reference = CareContextReference(context.member("referenceNumber").text("a care context reference"))
        for hi_type in hi_types:
            yield ChosenContext(patient_reference=patient, reference=reference, hi_type=hi_type)


def read_link_confirm(body: Member) -> LinkConfirmAsked:
    """The OTP as it was typed (contract §2.7). Raises InvalidValue."""
    confirmation = body.member("confirmation")
    token = confirmation.member("token")
    raw = int(token.raw) if isinstance(token.raw, float) and token.raw.is_integer() else token.raw
    # A number loses its leading zeros on the way (contract §2.7).
    is_number = isinstance(raw, int) and not isinstance(raw, bool)
    return LinkConfirmAsked(
        reference=LinkReference(read_id(confirmation.member("linkRefNumber"))),
        otp=str(raw).zfill(OTP_LENGTH) if is_number and abs(raw) < 10**9 else token.text("the OTP", longest=64),
    )


def read_account(body: Member) -> AccountChanged:
    """Status and address wherever they stand, for nobody has published the v3 form (contract §2.14).

    Raises InvalidValue.
    """
    notification = body.member("notification")
    holder = notification if notification.present else body
    status = holder.member("status")
    patient = holder.member("patient")
    found = patient if isinstance(patient.raw, str) else patient.member("id", "abhaAddress")
    address = found if found.present else holder.member("abhaAddress", "patientId", "healthId")
    return AccountChanged(
        abha_address=AbhaAddress.parse(address.text("an ABHA address"), field=address.path),
        status=AccountStatus.parse(status.text(f"one of {', '.join(AccountStatus)}"), field=status.path),
    )
