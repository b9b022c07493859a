"""Identities of the ABDM world. Parsed once at the edge; inside, the type is the proof (contract §1.4)."""

import re
from dataclasses import dataclass
from typing import NewType, Self

from hip.domain.errors import InvalidValue

HipId = NewType("HipId", str)
RequestId = NewType("RequestId", str)
TransactionId = NewType("TransactionId", str)
ConsentId = NewType("ConsentId", str)
VisitCode = NewType("VisitCode", str)
PatientReference = NewType("PatientReference", str)
CareContextReference = NewType("CareContextReference", str)
LinkReference = NewType("LinkReference", str)

# Published pattern P2 less the characters that break URLs and joins downstream; never longer than 255.
_REFERENCE = re.compile(r"[a-zA-Z0-9_\-@,. ()/:\\]{1,255}\Z")
_DISPLAY = re.compile(r"[a-zA-Z0-9_\-@,. \"':|()/]{1,255}\Z")
# Looser than `IN` + 10 digits because older test facilities have free text (contract §1.4).
_HIP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.@]{1,63}\Z")
_ABHA_ADDRESS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.]+[a-zA-Z0-9]@[a-zA-Z]+\Z")
_TOKEN = re.compile(r"[!-~]{1,255}\Z")


def hip_id(text: str, *, field: str = "hipId") -> HipId:
    """A facility id such as ``IN0410000123``. Raises InvalidValue (ABDM-1035)."""
    if not _HIP_ID.match(text):
        raise InvalidValue(field, "a facility (HIP) id such as IN0410000123", code="ABDM-1035")
    return HipId(text)


def reference(text: str, *, field: str) -> str:
    """A patient or care-context reference within the gateway's pattern P2, 1–255 characters. Raises InvalidValue."""
    if not _REFERENCE.match(text):
        raise InvalidValue(field, "1-255 of letters, digits and _ - @ , . space ( ) / : \\")
    return text


def display(text: str, *, field: str) -> str:
    """A label within the gateway's pattern P3, 1–255 characters. Raises InvalidValue."""
    if not _DISPLAY.match(text):
        raise InvalidValue(field, "1-255 of letters, digits and _ - @ , . space \" ' : | ( ) /")
    return text


def opaque(text: str, *, field: str) -> str:
    """An id made by the other side: 1–255 visible ASCII characters; never stricter than the platform (CB-04)."""
    if not _TOKEN.match(text):
        raise InvalidValue(field, "an id of 1-255 visible characters")
    return text


def phone_number(text: str, *, field: str = "phone") -> str:
    """The last ten digits of any spelling (``+91-98…``, ``9198…``, ``098…``), all ASCII. Raises InvalidValue.

    A digit too few or too many, or one of another script, must not make it somebody else's number.
    """
    digits = re.sub(r"\D", "", text)
    if not digits.isascii() or len(digits) < 10 or digits[:-10] not in ("", "0", "91", "091"):
        raise InvalidValue(field, "an Indian mobile number of ten digits")
    return digits[-10:]


@dataclass(frozen=True, slots=True, order=True)
class AbhaNumber:
    """A 14-digit ABHA number, held without dashes (the gateway refuses dashes with an empty 400)."""

    digits: str

    @classmethod
    def parse(cls, text: str | int, *, field: str = "abhaNumber") -> Self:
        """``91-1234-5678-9012``, digits, or a JSON number: all but the digits is dropped (contract §1.4).

        A digit of another script is not dropped, for what is left could be somebody else's number. Raises InvalidValue
        (ABDM-1013) unless there are exactly 14, all ASCII.
        """
        digits = "".join(sign for sign in str(text) if sign.isdigit())
        if len(digits) != 14 or not digits.isascii():
            raise InvalidValue(field, "an ABHA number of 14 digits, dashes allowed", code="ABDM-1013")
        return cls(digits)

    @property
    def dashed(self) -> str:
        """``91-1234-5678-9012``, the way people read it and FHIR identifiers carry it."""
        d = self.digits
        return f"{d[:2]}-{d[2:6]}-{d[6:10]}-{d[10:]}"

    def __str__(self) -> str:
        return self.digits

    def __repr__(self) -> str:
        return f"AbhaNumber(…{self.digits[-4:]})"


@dataclass(frozen=True, slots=True, order=True)
class AbhaAddress:
    """An ABHA address such as ``meera.k01@sbx``; compared without regard to case, so held in lower case."""

    text: str

    @classmethod
    def parse(cls, text: str, *, field: str = "abhaAddress") -> Self:
        """Raises InvalidValue (ABDM-1170) unless the text fits pattern P1 of the contract, with any domain."""
        stripped = text.strip()
        if len(stripped) > 255 or not _ABHA_ADDRESS.match(stripped):
            raise InvalidValue(field, "an ABHA address such as name@abdm or name@sbx", code="ABDM-1170")
        return cls(stripped.lower())

    @property
    def domain(self) -> str:
        """``sbx`` or ``abdm``: the environment the address belongs to (REL-06)."""
        return self.text.rpartition("@")[2]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"AbhaAddress(…@{self.domain})"
