"""One-time passwords of user-initiated linking: made by us, kept only as a salted hash (OTP-01)."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

LENGTH = 6
"""Digits."""

LIFE = timedelta(minutes=5)
TRIES = 5
"""Wrong ones after which the right one is refused too."""

SALT = 16
"""Bytes."""

ENTROPY = 16
"""Bytes that make one OTP: so many that no digit is likelier than another by more than 2⁻¹⁰⁰."""

# 4 MiB and about 10 ms a guess; all million of them take hours, and the OTP lives for minutes.
_COST, _BLOCK, _DIGEST = 1 << 12, 8, 32


def new_otp(entropy: bytes) -> str:
    """Six decimal digits from ``ENTROPY`` random bytes. Raises ValueError for fewer bytes."""
    if len(entropy) < ENTROPY:
        raise ValueError(f"an OTP needs {ENTROPY} random bytes")
    return str(int.from_bytes(entropy, "big") % 10**LENGTH).zfill(LENGTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedOtp:
    """scrypt of an OTP under its own random salt of ``SALT`` bytes."""

    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, otp: str, *, salt: bytes) -> Self:
        """Takes about 10 ms."""
        return cls(salt=salt, digest=_digest(otp, salt))

    def matches(self, typed: str) -> bool:
        """In constant time, whatever was typed."""
        return hmac.compare_digest(self.digest, _digest(typed, self.salt))


def _digest(otp: str, salt: bytes) -> bytes:
    # Nobody can type an OTP of many bytes, and hashing them would be work for nothing.
    typed = otp.encode("utf-8", "surrogatepass")[:64]
    return hashlib.scrypt(typed, salt=salt, n=_COST, r=_BLOCK, p=1, dklen=_DIGEST)


def hint(phone: str) -> str:
    """The number as the patient's app may show it: the last four digits of ten."""
    return f"******{phone[-4:]}"


def number_key(phone: str, *, hip_id: str) -> str:
    """What stands for a number where OTPs are counted, so that the count holds no number."""
    return hashlib.blake2b(f"{hip_id}\0{phone}".encode(), digest_size=16).hexdigest()
