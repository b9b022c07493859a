"""The patient as the hospital knows them, and the identifiers others may know them by."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Self

from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaAddress, AbhaNumber, PatientReference, display


class Gender(StrEnum):
    """Administrative gender on ABDM's wire (contract §1.4): we send M, F, O or U and read all six, in any case."""

    MALE = "M"
    FEMALE = "F"
    OTHER = "O"
    UNKNOWN = "U"

    @classmethod
    def parse(cls, text: str, *, field: str = "gender") -> Self:
        """``D`` and ``T`` of the gateway's enum are read as other; full words are accepted. Raises InvalidValue."""
        known = {
            "M": "M",
            "MALE": "M",
            "F": "F",
            "FEMALE": "F",
            "O": "O",
            "OTHER": "O",
            "D": "O",
            "T": "O",
            "U": "U",
            "UNKNOWN": "U",
        }
        letter = known.get(text.strip().upper())
        if letter is None:
            raise InvalidValue(field, "one of M, F, O, D, T, U")
        return cls(letter)


class IdentifierType(StrEnum):
    """Kinds of patient identifier in discovery (contract §1.13), after all spellings have been mapped."""

    MR = "MR"
    MOBILE = "MOBILE"
    ABHA_NUMBER = "ABHA_NUMBER"
    ABHA_ADDRESS = "ABHA_ADDRESS"
    EMAIL = "EMAIL"

    @classmethod
    def recognise(cls, text: str) -> Self | None:
        """Any spelling seen on the wire, v0.5 names included; None for one we do not know."""
        name = "".join(c for c in text.upper() if c.isalnum())
        known = {
            "MR": "MR",
            "MOBILE": "MOBILE",
            "ABHANUMBER": "ABHA_NUMBER",
            "NDHMHEALTHNUMBER": "ABHA_NUMBER",
            "HEALTHNUMBER": "ABHA_NUMBER",
            "ABHAADDRESS": "ABHA_ADDRESS",
            "HEALTHID": "ABHA_ADDRESS",
            "EMAIL": "EMAIL",
        }
        found = known.get(name)
        return None if found is None else cls(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; every part may be missing."""

    line: str | None = field(default=None, repr=False)
    district: str | None = field(default=None, repr=False)
    state: str | None = None
    pincode: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A patient of one HIP. ``reference`` is the hospital's own number (MR) and unique within the HIP.

    ``birth_year`` is always known; ``birth_date`` only when the day is. ``phone`` is ten digits. ABHA address and
    number are absent for a patient who has none, or has not told us. ``closed_account`` is the key of the ABHA account
    that the patient closed (``accounts.account_key``): until it is opened again it is not learnt again either.
    """

    reference: PatientReference
    name: str = field(repr=False)
    gender: Gender
    birth_year: int
    birth_date: date | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    abha_address: AbhaAddress | None = None
    abha_number: AbhaNumber | None = None
    address: Address | None = field(default=None, repr=False)
    closed_account: str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidValue("patient.name", "a name")
        if not 1900 <= self.birth_year <= 2200:
            raise InvalidValue("patient.birthDate", "a year from 1900 to 2200")
        if self.birth_date is not None and self.birth_date.year != self.birth_year:
            raise InvalidValue("patient.birthDate", "a date in the stated year of birth")

    @property
    def linkable(self) -> bool:
        """True when HIP-initiated linking is possible: it starts from an ABHA address (contract §2.1)."""
        return self.abha_address is not None

    def keeping_abha_of(self, earlier: "Patient | None") -> "Patient":
        """A later visit that does not state the ABHA must not unlearn it; a different one replaces it."""
        if earlier is None or self.abha_address is not None or self.abha_number is not None:
            return self
        return replace(self, abha_address=earlier.abha_address, abha_number=earlier.abha_number)

    def staying_closed(self, earlier: "Patient | None", *, key: Callable[[AbhaAddress], str]) -> "Patient":
        """A later visit that states a closed account must not bring it back; another account may.

        ``key`` is the HIP's ``account_key``.
        """
        if earlier is None or earlier.closed_account is None:
            return self
        another = self.abha_address is not None and key(self.abha_address) != earlier.closed_account
        return self if another else self.closing(earlier.closed_account)

    def closing(self, account: str) -> Self:
        """RET-02: the ABHA goes, profile and records stay."""
        return replace(self, abha_address=None, abha_number=None, closed_account=account)

    def reopening(self) -> Self:
        """The account may be learnt again, from the next visit that states it."""
        return replace(self, closed_account=None)

    @property
    def display(self) -> str:
        """The name if the gateway's pattern P3 can carry it, else the neutral word ``Patient``."""
        try:
            return display(self.name.strip(), field="patient.name")
        except InvalidValue:
            return "Patient"
