"""What a HIP answers to discovery, link init, link confirm and share (contract §2.5 - §2.8): shapes and checks."""

import msgspec

from hip.entrypoints.sandbox.gateway.conversations import ErrorBody, ResponseBody
from hip.entrypoints.sandbox.gateway.entries import IN_ANSWERS, PatientEntry, check_entries
from hip.entrypoints.sandbox.gateway.refusals import bad
from hip.entrypoints.sandbox.moments import Now, read_moment

MATCHED_BY = frozenset(("MR", "MOBILE", "ABHA_NUMBER", "ABHA_ADDRESS"))
# MEDIATE is what prose and one working system say; the real gateway takes it too.
AUTHENTICATION_TYPES = frozenset(("DIRECT", "MEDIATED", "MEDIATE"))
MEDIA = frozenset(("MOBILE", "EMAIL"))


class OnDiscover(msgspec.Struct, rename="camel"):
    """Either ``patient`` with ``matchedBy``, or ``error``."""

    transaction_id: str
    response: ResponseBody
    patient: list[PatientEntry] | None = None
    matched_by: list[str] | None = None
    error: ErrorBody | None = None

    def check(self) -> None:
        """Raises Refusal ABDM-1115, 1109, and those of the entries."""
        if self.error is not None:
            if self.patient or self.matched_by:
                raise bad("ABDM-1109", "Invalid on-discover response: error beside patient or matchedBy")
            return
        if not self.patient:
            raise bad("ABDM-1115", "Patient information is required")
        if not self.matched_by or not set(self.matched_by) <= MATCHED_BY:
            raise bad("ABDM-1109", "Invalid on-discover response: matchedBy")
        check_entries(self.patient, IN_ANSWERS)


class LinkMeta(msgspec.Struct, rename="camel"):
    """How the OTP went out and until when it holds."""

    communication_medium: str
    communication_hint: str
    communication_expiry: str


class LinkReference(msgspec.Struct, rename="camel"):
    """The HIP's own reference of this linking."""

    reference_number: str
    authentication_type: str
    meta: LinkMeta


class OnInit(msgspec.Struct, rename="camel"):
    """Either ``link`` or ``error``."""

    transaction_id: str
    response: ResponseBody
    link: LinkReference | None = None
    error: ErrorBody | None = None

    def check(self, now: Now) -> None:
        """Raises Refusal ABDM-1110 naming what is wrong."""
        if (self.link is None) == (self.error is None):
            raise bad("ABDM-1110", "Invalid on-init response: one of link and error is required")
        if self.link is None:
            return
        if not self.link.reference_number:
            raise bad("ABDM-1110", "Invalid on-init response: referenceNumber")
        if self.link.authentication_type not in AUTHENTICATION_TYPES:
            raise bad("ABDM-1110", "Invalid on-init response: authenticationType")
        meta = self.link.meta
        if meta.communication_medium not in MEDIA:
            raise bad("ABDM-1110", "Invalid on-init response: communicationMedium")
        if not meta.communication_hint:
            raise bad("ABDM-1110", "Invalid on-init response: communicationHint")
        try:
            expiry = read_moment(meta.communication_expiry)
        except ValueError:
            raise bad("ABDM-1110", "Invalid on-init response: communicationExpiry") from None
        if expiry <= now():
            # An expiry in the past is the mark of local time printed with a Z.
            raise bad("ABDM-1110", "Invalid on-init response: communicationExpiry is over")


class OnConfirm(msgspec.Struct, rename="camel"):
    """Either ``patient`` or ``error``; no transactionId."""

    response: ResponseBody
    patient: list[PatientEntry] | None = None
    error: ErrorBody | None = None

    def check(self) -> None:
        """Raises Refusal ABDM-1111, and those of the entries."""
        if bool(self.patient) == (self.error is not None):
            raise bad("ABDM-1111", "Invalid on-confirm response: one of patient and error is required")
        check_entries(self.patient or (), IN_ANSWERS)


class SharedTokenBody(msgspec.Struct, rename="camel"):
    """The queue token; ``expiry`` in seconds, a text of digits is tolerated."""

    context: str
    token_number: str
    expiry: int | float | str


class ShareAcknowledgement(msgspec.Struct, rename="camel"):
    """``status``: SUCCESS or FAILED."""

    status: str
    abha_address: str | None = None
    profile: SharedTokenBody | None = None


class OnShare(msgspec.Struct, rename="camel"):
    """The answer to scan and share."""

    response: ResponseBody
    acknowledgement: ShareAcknowledgement | None = None
    error: ErrorBody | None = None

    def check(self, *, abha_address: str, context: str) -> None:
        """Raises Refusal ABDM-1041 naming what is wrong."""
        acknowledgement = self.acknowledgement
        if acknowledgement is None:
            if self.error is None:
                raise bad("ABDM-1041", "Invalid acknowledgement: missing")
            return
        if acknowledgement.status not in ("SUCCESS", "FAILED"):
            raise bad("ABDM-1041", "Invalid acknowledgement: status")
        if acknowledgement.status == "FAILED":
            return
        if (acknowledgement.abha_address or "").casefold() != abha_address.casefold():
            raise bad("ABDM-1041", "Invalid acknowledgement: abhaAddress")
        profile = acknowledgement.profile
        if profile is None or profile.context != context or not profile.token_number:
            raise bad("ABDM-1041", "Invalid acknowledgement: profile")
        if isinstance(profile.expiry, str) and not profile.expiry.isdigit():
            raise bad("ABDM-1041", "Invalid acknowledgement: profile.expiry")
