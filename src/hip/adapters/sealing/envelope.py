"""HKDF-SHA256 and AES-256-GCM as both sides of a transfer use them (contract §3.1, steps 3 to 5)."""

from dataclasses import dataclass, field
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hip.domain.errors import DomainError

SALT_BYTES = 20
KEY_BYTES = 32


class ContentUnreadable(DomainError):
    """The tag does not fit: other keys or nonces, or a changed ciphertext. Nothing tells these apart."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One AES-256 key with its one IV. Whoever seals two plaintexts in one envelope gives their XOR away."""

    cipher: AESGCM = field(repr=False)
    iv: bytes = field(repr=False)

    @classmethod
    def between(cls, *, shared: bytes, sender_nonce: bytes, receiver_nonce: bytes) -> Self:
        """Derive key and IV from the shared secret (32 bytes, or fewer from who drops zeros) and two 32-byte nonces."""
        mixed = (int.from_bytes(sender_nonce, "big") ^ int.from_bytes(receiver_nonce, "big")).to_bytes(32, "big")
        key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=mixed[:SALT_BYTES], info=b"").derive(shared)
        return cls(AESGCM(key), mixed[SALT_BYTES:])

    def seal(self, plaintext: bytes) -> bytes:
        """Ciphertext and its 16-byte tag."""
        return self.cipher.encrypt(self.iv, plaintext, None)

    def open(self, ciphertext: bytes) -> bytes:
        """The plaintext. Raises ContentUnreadable."""
        try:
            return self.cipher.decrypt(self.iv, ciphertext, None)
        except (InvalidTag, ValueError):  # ValueError: shorter than a tag
            raise ContentUnreadable("the content does not open with these keys and nonces") from None
