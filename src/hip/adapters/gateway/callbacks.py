"""What the gateway says to us, read with every tolerance the field has taught (contract §1.4, §1.13, §2, §4).

Only what a flow cannot do without is demanded. Prose is never branched on, with one exception the contract makes:
a status that says failure beside a missing ``error``.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping

from hip.adapters.gateway.artefacts import read_artefact, read_date_range
from hip.adapters.gateway.errors import CATCH_ALL, clean_code, clean_text
from hip.adapters.gateway.members import Member, canonical, read_object
from hip.adapters.gateway.moments import read_expiry
from hip.adapters.gateway.paths import Inbound, recognise
from hip.adapters.gateway.profiles import read_profile_share
from hip.application.gateway_calls import GatewayError
from hip.application.gateway_events import (
    AccountChanged,
    ConsentNotified,
    DiscoveryAsked,
    GatewayEvent,
    HealthInformationAsked,
    LinkAnswered,
    LinkConfirmAsked,
    LinkInitAsked,
    NotifyAnswered,
    TokenAnswered,
    Unrecognised,
)
from hip.domain.accounts import AccountStatus
from hip.domain.consents import ConsentStatus
from hip.domain.discovery import DiscoveryQuery, PatientIdentifiers
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    ConsentId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    opaque,
)
from hip.domain.key_material import PARAMETERS, KeyMaterial
from hip.domain.link_attempts import ChosenContext
from hip.domain.otp import LENGTH as OTP_LENGTH
from hip.domain.patients import Gender
from hip.domain.transfers import HealthInformationRequest

_FAILURES = frozenset({"ERRORED", "ERROR", "FAILED", "FAILURE"})
_LONGEST_TOKEN = 8192
_LONGEST_URL = 2048
_LONGEST_KEY = 1024


class V3CallbackReader:
    """The ``CallbackReader`` port for HIECM v3; ``also`` are paths that an operator named, see ``recognise``."""

    def __init__(self, also: Mapping[str, Inbound] | None = None) -> None:
        self._also = also

    def read(self, path: str, body: bytes) -> GatewayEvent:
        """The event in ``body``; Unrecognised, whatever the body, when no flow listens on ``path``.

        Raises InvalidValue with the dotted path of the member that is missing or wrong, and nothing else.
        """
        inbound = recognise(path, self._also)
        if inbound is None:
            return Unrecognised()
        return _READERS[inbound](read_object(body))


def _token(body: Member) -> TokenAnswered:
    answers, error = _answers(body), _error(body)
    if error is not None:
        return TokenAnswered(answers=answers, token=None, error=error)
    expected = "a link token, or an error"
    token = body.member("linkToken")
    value = token.text(expected, longest=_LONGEST_TOKEN)
    # It goes into a header of ours later on.
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise InvalidValue(token.path, expected)
    return TokenAnswered(answers=answers, token=value, error=None)


def _link(body: Member) -> LinkAnswered:
    status = body.member("status").optional_text(longest=1000) or ""
    error = _error(body)
    if error is None and status.lower().startswith("failed"):
        error = GatewayError(code=CATCH_ALL, message=clean_text(status))
    return LinkAnswered(answers=_answers(body), error=error)


def _notify(body: Member) -> NotifyAnswered:
    acknowledgement = body.member("acknowledgement", "acknowledgment")
    status = acknowledgement.member("status").optional_text() or body.member("status").optional_text() or ""
    error = _error(body)
    if error is None and status.upper() in _FAILURES:
        error = GatewayError(code=CATCH_ALL, message="refused without a reason")
    return NotifyAnswered(answers=_answers(body), error=error)


def _discover(body: Member) -> DiscoveryAsked | Unrecognised:
    patient = body.member("patient")
    if not patient.present and _error(body) is not None:
        # The gateway tells of a discovery that failed on its side: there is nobody to look for (contract §2.5).
        return Unrecognised()
    address, gender = patient.member("id"), patient.member("gender")
    return DiscoveryAsked(
        query=DiscoveryQuery(
            transaction_id=TransactionId(_id(body.member("transactionId"))),
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


def _link_init(body: Member) -> LinkInitAsked | Unrecognised:
    patients = body.member("patient")
    if not patients.present and _error(body) is not None:
        # The gateway tells of an init that it refused itself: there is nothing to answer (contract §2.6).
        return Unrecognised()
    address = body.member("abhaAddress")
    return LinkInitAsked(
        transaction_id=TransactionId(_id(body.member("transactionId"))),
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


def _link_confirm(body: Member) -> LinkConfirmAsked:
    confirmation = body.member("confirmation")
    token = confirmation.member("token")
    raw = int(token.raw) if isinstance(token.raw, float) and token.raw.is_integer() else token.raw
    # A number loses its leading zeros on the way (contract §2.7).
    is_number = isinstance(raw, int) and not isinstance(raw, bool)
    return LinkConfirmAsked(
        reference=LinkReference(_id(confirmation.member("linkRefNumber"))),
        otp=str(raw).zfill(OTP_LENGTH) if is_number and abs(raw) < 10**9 else token.text("the OTP", longest=64),
    )


def _consent(body: Member) -> ConsentNotified:
    notification = body.member("notification")
    detail = notification.member("consentDetail")
    stated = notification.member("consentId")
    consent_id = ConsentId(_id(stated))
    status = _status(notification.member("status"))
    artefact = None
    if status is ConsentStatus.GRANTED:
        artefact = read_artefact(detail.object("the consent artefact"), consent_id=consent_id)
    return ConsentNotified(
        consent_id=consent_id,
        status=status,
        artefact=artefact,
        artefact_hash=hashlib.sha256(canonical(detail.raw)).hexdigest() if detail.present else None,
        signed=notification.member("signature").present,
    )


def _status(status: Member) -> ConsentStatus:
    expected = f"one of {', '.join(ConsentStatus)}"
    text = status.text(expected)
    try:
        return ConsentStatus(text.upper())
    except ValueError:
        raise InvalidValue(status.path, expected) from None


def _health_information(body: Member) -> HealthInformationAsked:
    request = body.member("hiRequest")
    return HealthInformationAsked(
        transaction_id=TransactionId(_id(body.member("transactionId"))),
        consent_id=ConsentId(_id(request.within("consent", "id"))),
        request=HealthInformationRequest(
            date_range=read_date_range(request.member("dateRange")),
            data_push_url=_url(request.member("dataPushUrl")),
            key_material=_key_material(request.member("keyMaterial")),
        ),
    )


def _account(body: Member) -> AccountChanged:
    """Status and address wherever they stand, for nobody has published the v3 form (contract §2.14)."""
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


def _url(url: Member) -> str:
    """Verbatim, even its outer white space: whether it may be called is another's decision (PUSH-04)."""
    url.text("a URL", longest=_LONGEST_URL)
    if not isinstance(url.raw, str) or len(url.raw) > _LONGEST_URL:
        raise InvalidValue(url.path, "a URL")
    return url.raw


def _key_material(material: Member) -> KeyMaterial:
    """As received. An expiry that is no date becomes None, which the domain refuses (REL-15)."""
    key = material.member("dhPublicKey")
    expiry = key.member("expiry").optional_text()
    return KeyMaterial(
        public_key=key.member("keyValue").text("a public key in base64", longest=_LONGEST_KEY),
        nonce=material.member("nonce").text("32 bytes in base64", longest=_LONGEST_KEY),
        expires_at=None if expiry is None else read_expiry(expiry),
        algorithm=material.member("cryptoAlg").text("ECDH"),
        curve=material.member("curve").text("Curve25519"),
        parameters=key.member("parameters").optional_text() or PARAMETERS,
    )


def _answers(body: Member) -> RequestId:
    """The REQUEST-ID of ours that is answered, under the v3 or the v0.5 name (contract §1.9)."""
    named = [body.within(name, "requestId") for name in ("response", "resp")]
    answered = next((one for one in named if one.present), named[0])
    return RequestId(_id(answered).lower())


def _id(stated: Member) -> str:
    return opaque(stated.text("an id"), field=stated.path)


def _error(body: Member) -> GatewayError | None:
    """None for null, an empty object, or one whose members say nothing: that is success (contract §1.10)."""
    error = next(iter(body.member("error").items()), None)
    if error is None:
        return None
    if not isinstance(error.raw, dict):
        return GatewayError(code=CATCH_ALL, message=clean_text(error.raw))
    code, message = error.member("code"), error.member("message")
    if not code.present and not message.present:
        return None
    return GatewayError(code=clean_code(code.raw) or CATCH_ALL, message=clean_text(message.raw))


_READERS: Mapping[Inbound, Callable[[Member], GatewayEvent]] = {
    Inbound.TOKEN: _token,
    Inbound.LINK: _link,
    Inbound.NOTIFY: _notify,
    Inbound.DISCOVER: _discover,
    Inbound.LINK_INIT: _link_init,
    Inbound.LINK_CONFIRM: _link_confirm,
    Inbound.SHARE: read_profile_share,
    Inbound.CONSENT: _consent,
    Inbound.HEALTH_INFORMATION: _health_information,
    Inbound.ACCOUNT: _account,
}
