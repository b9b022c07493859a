"""A source of ephemeral keys and nonces that remembers every secret it was the cause of, in every form it may take."""

import base64
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_P = 2**255 - 19
_SHIFT = 486662 * pow(3, -1, _P) % _P


@dataclass(eq=False)
class _Key:
    """A real key, whose secrets are noted as they come to be."""

    source: "RememberingSource"
    key: X25519PrivateKey

    def public_key(self) -> Any:
        return self.key.public_key()

    def exchange(self, peer: Any) -> bytes:
        shared = self.key.exchange(peer)
        self.source.agreed(shared)
        return shared


@dataclass
class RememberingSource:
    """``generate`` and ``nonce`` of a sealer whose requester sends ``peer_nonce``."""

    peer_nonce: bytes
    secrets: dict[str, bytes] = field(default_factory=dict, repr=False)
    pages: int = 0
    drawn: "list[weakref.ref[_Key]]" = field(default_factory=list, repr=False)
    _x: bytes = field(default=b"", repr=False)

    def generate(self) -> Any:
        key = X25519PrivateKey.generate()
        private = key.private_bytes_raw()
        scalar = bytes([private[0] & 248, *private[1:31], private[31] & 127 | 64])
        for name, secret in (("private key", private), ("scalar", scalar)):
            self._note(name, secret)
            self._note(f"{name}, as an integer", secret[::-1])
        drawn = _Key(self, key)
        self.drawn.append(weakref.ref(drawn))
        return drawn

    @property
    def alive(self) -> int:
        """How many keys somebody still holds."""
        return sum(each() is not None for each in self.drawn)

    def agreed(self, shared: bytes) -> None:
        """On the curve of X25519, and as the contract's curve has it."""
        self._x = ((int.from_bytes(shared, "little") + _SHIFT) % _P).to_bytes(32, "big")
        self._note("shared secret", shared)
        self._note("shared x", self._x)

    def nonce(self, size: int) -> bytes:
        """Our own, which is no secret; with it the AES key is known."""
        own = X25519PrivateKey.generate().private_bytes_raw()[:size]
        salt = bytes(a ^ b for a, b in zip(own, self.peer_nonce, strict=True))[:20]
        self._note("AES key", HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"").derive(self._x))
        self.pages += 1
        return own

    def _note(self, name: str, secret: bytes) -> None:
        self.secrets[f"{name} {len(self.secrets)}"] = secret


def forms_of(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """As bytes, in hex, and in base64 of both alphabets however what stands before it shifts it."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        # Characters that share bits with the neighbours are left out.
        sure = encoded[-(-shift * 8 // 6) : (shift + len(secret)) * 8 // 6]
        yield f"base64 at {shift}", sure
        yield f"base64url at {shift}", sure.translate(bytes.maketrans(b"+/", b"-_"))
