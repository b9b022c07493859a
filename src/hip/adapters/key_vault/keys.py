"""Sealing with a ring of AES-256 keys. A sealed value is

    byte  0        format, 0x01
    bytes 1-4      key id, unsigned, big-endian, from 1
    bytes 5-16     nonce, random for each value
    bytes 17-      AES-256-GCM ciphertext, then its 16-byte tag

What is authenticated besides the ciphertext is bytes 0-4 and the context in UTF-8, so neither can be exchanged.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hip.domain.errors import Unsealable

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
LARGEST_KEY_ID = 2**32 - 1

_FORMAT = b"\x01"
_HEADER_BYTES = 5


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Numbered 32-byte keys: the newest (the highest id) seals, all unseal.

    Nonces are random, so one key should seal no more than 2^32 values (NIST SP 800-38D §8.3): add a key long before.
    """

    keys: Mapping[int, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for an empty ring, an id outside 1 to 2^32 - 1 or a key of another length."""
        if not self.keys:
            raise ValueError("a key ring holds at least one key")
        if not all(1 <= key_id <= LARGEST_KEY_ID for key_id in self.keys):
            raise ValueError("key ids are 1 to 4294967295")
        if not all(len(key) == KEY_BYTES for key in self.keys.values()):
            raise ValueError("keys are 32 bytes")

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """33 bytes longer than ``plaintext``, and different each time."""
        newest = max(self.keys)
        header = _FORMAT + newest.to_bytes(4, "big")
        nonce = os.urandom(NONCE_BYTES)
        return header + nonce + AESGCM(self.keys[newest]).encrypt(nonce, plaintext, header + context.encode())

    def missing_key(self, sealed: bytes) -> int | None:
        """The key id of one of our sealed values when that key is not in the ring."""
        if len(sealed) < _HEADER_BYTES + NONCE_BYTES + TAG_BYTES or sealed[:1] != _FORMAT:
            return None
        key_id = int.from_bytes(sealed[1:_HEADER_BYTES], "big")
        return None if key_id in self.keys else key_id

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Raises Unsealable; why is told only as far as the header shows it."""
        if len(sealed) < _HEADER_BYTES + NONCE_BYTES + TAG_BYTES or sealed[:1] != _FORMAT:
            raise Unsealable("the value is not one of our sealed values")
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + NONCE_BYTES]
        key_id = int.from_bytes(header[1:], "big")
        key = self.keys.get(key_id)
        if key is None:
            raise Unsealable(f"the value is sealed with key {key_id}, which is not among ours")
        try:
            return AESGCM(key).decrypt(nonce, sealed[_HEADER_BYTES + NONCE_BYTES :], header + context.encode())
        except InvalidTag:
            raise Unsealable("the value was changed, or belongs to another record") from None
