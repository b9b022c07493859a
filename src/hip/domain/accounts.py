"""What a patient did to their ABHA account, and what stays here in place of its address (contract §2.14, RET-02)."""

import hashlib
from enum import StrEnum
from typing import Self

from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaAddress, HipId

ACCOUNT_CLOSED = "ABDM-1407"
"""Shown to the desk on a link request whose patient left."""


class AccountStatus(StrEnum):
    """Both endings purge ABHA address, links and consents (RET-02); ``REACTIVATED`` allows linking again."""

    DEACTIVATED = "DEACTIVATED"
    DELETED = "DELETED"
    REACTIVATED = "REACTIVATED"

    @classmethod
    def parse(cls, text: str, *, field: str = "status") -> Self:
        """Any case; opting out is read as deactivation. Raises InvalidValue."""
        word = "".join(c for c in text.upper() if c.isalpha())
        known = {
            "DEACTIVATED": "DEACTIVATED",
            "OPTOUT": "DEACTIVATED",
            "OPTEDOUT": "DEACTIVATED",
            "DELETED": "DELETED",
            "REACTIVATED": "REACTIVATED",
        }
        found = known.get(word)
        if found is None:
            raise InvalidValue(field, f"one of {', '.join(cls)}")
        return cls(found)

    @property
    def closed(self) -> bool:
        """True when everything that names the account has to go."""
        return self is not AccountStatus.REACTIVATED


def account_key(hip_id: HipId, abha_address: AbhaAddress) -> str:
    """What stands for an ABHA address where it may not stand itself: 32 hex digits, different for each HIP."""
    return hashlib.blake2b(f"{hip_id}\0{abha_address}".encode(), digest_size=16).hexdigest()


def alias(key: str) -> AbhaAddress:
    """Fills the place of a purged address in rows that are kept as evidence; no address is ever spelt so."""
    return AbhaAddress(f"closed:{key}")
