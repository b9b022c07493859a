"""What an HIU asks for, and how consent messages are answered (contract §1.13, §2.9, §2.16)."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from hip.entrypoints.sandbox.gateway.conversations import ErrorBody, ResponseBody
from hip.entrypoints.sandbox.gateway.entries import HI_TYPES
from hip.entrypoints.sandbox.gateway.refusals import bad
from hip.entrypoints.sandbox.moments import read_moment

PURPOSES = {
    "CAREMGT": "Care Management",
    "BTG": "Break the Glass",
    "PUBHLTH": "Public Health",
    "HPAYMT": "Healthcare Payment",
    "DSRCH": "Disease Specific Healthcare Research",
    "PATRQT": "Self Requested",
}
PURPOSE_URI = "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse"


class Id(msgspec.Struct, frozen=True):
    """Something named by its id."""

    id: str


class CareContextRef(msgspec.Struct, frozen=True, rename="camel"):
    """A care context as consents name it."""

    patient_reference: str
    care_context_reference: str


class DateRange(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """ISO times; a missing zone means UTC."""

    from_: str
    to: str

    def moments(self) -> tuple[datetime, datetime]:
        """Both ends. Raises Refusal ABDM-1063 when they are no times or stand the wrong way round."""
        try:
            first, last = read_moment(self.from_), read_moment(self.to)
        except ValueError:
            raise bad("ABDM-1063", "Date range is invalid") from None
        if first > last:
            raise bad("ABDM-1063", "Date range is invalid")
        return first, last

    def within(self, other: "DateRange") -> bool:
        """Whether this range lies inside ``other``."""
        first, last = self.moments()
        earliest, latest = other.moments()
        return earliest <= first and last <= latest


class Frequency(msgspec.Struct, frozen=True):
    """How often data may be asked for."""

    unit: Literal["HOUR", "DAY", "WEEK", "MONTH", "YEAR"] = "HOUR"
    value: int = 1
    repeats: int = 0


class Permission(msgspec.Struct, frozen=True, rename="camel"):
    """The limits of a consent."""

    date_range: DateRange
    data_erase_at: str
    access_mode: Literal["VIEW", "STORE", "QUERY", "STREAM"] = "VIEW"
    frequency: Frequency = Frequency()


class Purpose(msgspec.Struct, frozen=True, rename="camel"):
    """Why the data is wanted."""

    code: str | None = None
    text: str | None = None
    ref_uri: str | None = None


class ConsentAsked(msgspec.Struct, frozen=True, rename="camel"):
    """A consent request. Without ``hip`` it is meant for every facility where the patient has linked contexts."""

    patient: Id
    hi_types: tuple[str, ...]
    permission: Permission
    hiu: Id | None = None
    purpose: Purpose | None = None
    hip: Id | None = None
    care_contexts: tuple[CareContextRef, ...] | None = None
    requester: dict[str, Any] | None = None

    def check(self, *, hiu_id: str, now: datetime) -> None:
        """Raises Refusal: ABDM-1046/1047 purpose, 1031 HIP and HIU the same, 1063 range, 1006 HI type or erase date."""
        if self.purpose is None or not self.purpose.code:
            raise bad("ABDM-1046", "Purpose is missing")
        if self.purpose.code not in PURPOSES:
            raise bad("ABDM-1047", "Invalid purpose")
        if self.hip is not None and self.hip.id == hiu_id:
            raise bad("ABDM-1031", "HIP and HIU cannot be same")
        if not self.hi_types or not set(self.hi_types) <= set(HI_TYPES):
            raise bad("ABDM-1006", "Invalid HI type")
        self.permission.date_range.moments()
        try:
            over = read_moment(self.permission.data_erase_at) <= now
        except ValueError:
            over = True
        if over:
            raise bad("ABDM-1006", "Bad request, invalid body: dataEraseAt")


class ConsentInitBody(msgspec.Struct):
    """``/consent/v3/request/init``."""

    consent: ConsentAsked


class StatusBody(msgspec.Struct, rename="camel"):
    """``/consent/v3/request/status``."""

    consent_request_id: str


class FetchBody(msgspec.Struct, rename="camel"):
    """``/consent/v3/fetch``."""

    consent_id: str


class Acknowledgement(msgspec.Struct, rename="camel"):
    """Of one artefact. ``OK`` in any case; ``ERROR``, ``FAILURE`` and ``UNKNOWN`` are failures."""

    status: str
    consent_id: str

    def check(self, consent_id: str) -> None:
        """Raises Refusal ABDM-1041."""
        if self.status.upper() not in ("OK", "ERROR", "FAILURE", "UNKNOWN") or self.consent_id != consent_id:
            raise bad("ABDM-1041", "Invalid acknowledgement")


class HipOnNotify(msgspec.Struct):
    """A HIP acknowledges with one object."""

    acknowledgement: Acknowledgement
    response: ResponseBody
    error: ErrorBody | None = None


class HiuOnNotify(msgspec.Struct):
    """An HIU acknowledges with an array."""

    acknowledgement: list[Acknowledgement]
    response: ResponseBody
    error: ErrorBody | None = None


class Narrowing(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the patient cuts from a request when granting it; null leaves a part as it was asked."""

    hips: tuple[str, ...] | None = None
    hi_types: tuple[str, ...] | None = None
    date_range: DateRange | None = None
    care_contexts: tuple[str, ...] | None = None
    data_erase_at: str | None = None
