"""Requesters as they are met, the keys that trip them up, and a decryptor of the kind that strips zeros."""

import random
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hip.adapters.sealing.curve import N, P, Point, begins_with_zero
from hip.adapters.sealing.encodings import encode_integer, encode_raw
from hip.adapters.sealing.ephemeral import public_point
from hip.domain.key_material import KeyMaterial, SealedPage

TOMORROW = datetime(2026, 3, 17, 6, 52, tzinfo=UTC)
BUNDLE = b'{"resourceType":"Bundle","type":"document","entry":[]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Requester:
    """A health information user's key pair (``d`` is BouncyCastle's private integer) and nonce."""

    d: int = field(repr=False)
    point: Point
    nonce: bytes = field(repr=False)

    @classmethod
    def drawn(cls, source: random.Random) -> Self:
        d = source.randrange(1, N)
        return cls(d=d, point=public_point(d), nonce=source.randbytes(32))

    @property
    def private_key(self) -> str:
        return encode_integer(self.d)

    @property
    def nonce_text(self) -> str:
        return b64encode(self.nonce).decode()

    def key_material(self, *, curve: str = "Curve25519", public_key: str | None = None) -> KeyMaterial:
        return KeyMaterial(
            public_key=public_key or encode_raw(self.point), nonce=self.nonce_text, expires_at=TOMORROW, curve=curve
        )


def requesters(seed: int) -> Iterator[Requester]:
    """An endless series, the same for the same seed."""
    source = random.Random(seed)
    while True:
        yield Requester.drawn(source)


def with_leading_zero_in_x(seed: int) -> Requester:
    """The first of the series whose x begins with a zero byte: 1 in 128 does."""
    return next(peer for peer in requesters(seed) if begins_with_zero(peer.point.x))


def with_leading_zero_in_y(seed: int) -> Requester:
    """The first of the series one of whose two ys begins with a zero byte, with that y."""
    for peer in requesters(seed):
        other = P - peer.point.y
        if begins_with_zero(other):
            return Requester(d=N - peer.d, point=Point.checked(peer.point.x, other), nonce=peer.nonce)
    raise AssertionError("the series has no end")


def stripped(coordinate: int) -> bytes:
    """Big-endian without leading zero bytes, as integers are written by who forgets the field's width."""
    return coordinate.to_bytes((coordinate.bit_length() + 7) // 8, "big")


# Written apart from the code under test, in the manner of the Python requesters: integers to shortest bytes, our key
# read as the last 64 bytes. It works on X25519 private bytes, so that it is fast enough for a thousand exchanges.
_SHIFT = 0x2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2451


def open_stripping_zeros(page: SealedPage, *, private_key: X25519PrivateKey, nonce: bytes) -> list[bytes]:
    """Open a page the way that fails in 1 of 128 exchanges with a careless sender."""
    x = int.from_bytes(b64decode(page.key_material.public_key)[-64:-32], "big")
    sender = X25519PublicKey.from_public_bytes(((x - _SHIFT) % P).to_bytes(32, "little"))
    shared = stripped((int.from_bytes(private_key.exchange(sender), "little") + _SHIFT) % P)
    mixed = bytes(a ^ b for a, b in zip(b64decode(page.key_material.nonce), nonce, strict=True))
    key = HKDF(algorithm=SHA256(), length=32, salt=mixed[:20], info=None).derive(shared)
    return [AESGCM(key).decrypt(mixed[20:], b64decode(content), None) for content in page.contents]
