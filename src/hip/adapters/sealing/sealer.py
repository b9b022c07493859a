"""Sealing a page for the requester (contract §3)."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hip.adapters.sealing.curve import Point
from hip.adapters.sealing.encodings import (
    NONCE_BYTES,
    decode_nonce,
    decode_point,
    encode_bytes,
    encode_raw,
    encode_x509,
)
from hip.adapters.sealing.envelope import Envelope
from hip.adapters.sealing.ephemeral import KeySource, agree, fresh_private_key
from hip.domain.key_material import KeyMaterial, SealedPage

KEY_FIELD = "keyMaterial.dhPublicKey.keyValue"
NONCE_FIELD = "keyMaterial.nonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptographySealer:
    """Seals pages with a key pair and a nonce that no other page has, and that nothing keeps.

    ``raw_keys`` sends our key as 65 raw bytes instead of X.509, for a requester known to want that (contract §3.3).
    ``generate`` and ``nonce`` (length in bytes → that many bytes) are the sources of randomness; only test vectors
    have a reason to replace them.
    """

    raw_keys: bool = False
    generate: KeySource = field(default=fresh_private_key, repr=False)
    nonce: Callable[[int], bytes] = field(default=secrets.token_bytes, repr=False)

    def check(self, peer: KeyMaterial) -> None:
        """REL-14 for the point and the nonce. Raises KeyMaterialRefused, naming the field."""
        _decoded(peer)

    def seal(self, plaintexts: Sequence[bytes], *, peer: KeyMaterial, expires_at: datetime) -> SealedPage:
        """Seal the entries of one page, at least one, for ``peer``; ``expires_at`` (UTC) goes out with our key.

        All plaintexts of a call share one AES key and IV, as the protocol has it: whoever sees two of their
        ciphertexts learns the XOR of the plaintexts, and the tag can be forged. So a page should hold one entry.
        Our key material repeats the requester's own spelling of the curve (contract §3.4). Raises KeyMaterialRefused
        as ``check`` does, and ValueError for no plaintexts.
        """
        if not plaintexts:
            raise ValueError("a page has at least one entry")
        point, receiver_nonce = _decoded(peer)
        agreement = agree(point, generate=self.generate)
        own_nonce = self.nonce(NONCE_BYTES)
        envelope = Envelope.between(shared=agreement.shared, sender_nonce=own_nonce, receiver_nonce=receiver_nonce)
        return SealedPage(
            contents=tuple(encode_bytes(envelope.seal(plaintext)) for plaintext in plaintexts),
            key_material=KeyMaterial(
                public_key=encode_raw(agreement.public) if self.raw_keys else encode_x509(agreement.public),
                nonce=encode_bytes(own_nonce),
                expires_at=expires_at,
                curve=peer.curve,
            ),
        )


def _decoded(peer: KeyMaterial) -> tuple[Point, bytes]:
    return decode_point(peer.public_key, field=KEY_FIELD), decode_nonce(peer.nonce, field=NONCE_FIELD)
