"""Consent notices and requests for data: what limits a release must be there, and is read exactly."""

import hashlib

from hip.adapters.gateway.artefacts import read_artefact, read_date_range
from hip.adapters.gateway.envelopes import read_id
from hip.adapters.gateway.members import Member, canonical
from hip.adapters.gateway.moments import read_expiry
from hip.application.gateway_events import ConsentNotified, HealthInformationAsked
from hip.domain.consents import ConsentStatus
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import ConsentId, TransactionId
from hip.domain.key_material import PARAMETERS, KeyMaterial
from hip.domain.transfers import HealthInformationRequest

_LONGEST_URL = 2048
_LONGEST_KEY = 1024


def read_consent(body: Member) -> ConsentNotified:
    """A notice, with its artefact when it grants (contract §2.9). Raises InvalidValue."""
    notification = body.member("notification")
    detail = notification.member("consentDetail")
    stated = notification.member("consentId")
    consent_id = ConsentId(read_id(stated))
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


def read_health_information(body: Member) -> HealthInformationAsked:
    """A request for data (contract §2.10). Raises InvalidValue."""
    request = body.member("hiRequest")
    return HealthInformationAsked(
        transaction_id=TransactionId(read_id(body.member("transactionId"))),
        consent_id=ConsentId(read_id(request.within("consent", "id"))),
        request=HealthInformationRequest(
            date_range=read_date_range(request.member("dateRange")),
            data_push_url=_url(request.member("dataPushUrl")),
            key_material=_key_material(request.member("keyMaterial")),
        ),
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
