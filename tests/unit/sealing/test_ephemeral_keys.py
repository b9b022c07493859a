"""PUSH-01: no key and IV ever seals two pages, and no ephemeral private key outlives its page."""

import gc
import hashlib
import os
import random
import weakref
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hip.adapters.sealing.encodings import decode_point, encode_bytes, encode_x509
from hip.adapters.sealing.ephemeral import new_integer, shared_secret
from hip.adapters.sealing.sealer import CryptographySealer
from hip.domain.key_material import KeyMaterial, SealedPage

EXPIRES = datetime(2026, 3, 15, tzinfo=UTC) + timedelta(days=1)


class WatchedKey:
    """A private key of the library that can be referred to weakly, which its own class forbids."""

    def __init__(self) -> None:
        self._key = X25519PrivateKey.generate()

    def public_key(self) -> Any:
        return self._key.public_key()

    def exchange(self, peer: Any) -> bytes:
        return self._key.exchange(peer)


@dataclass
class WatchedSource:
    """Hands out keys and keeps nothing of them but that they once were."""

    drawn: list["weakref.ref[WatchedKey]"] = field(default_factory=list)

    def __call__(self) -> Any:
        key = WatchedKey()
        self.drawn.append(weakref.ref(key))
        return key

    @property
    def alive(self) -> int:
        return sum(each() is not None for each in self.drawn)


def _requester() -> tuple[int, KeyMaterial]:
    d, public = new_integer()
    nonce = encode_bytes(os.urandom(32))
    return d, KeyMaterial(public_key=encode_x509(public), nonce=nonce, expires_at=EXPIRES)


def _key_and_iv(page: SealedPage, d: int, peer: KeyMaterial) -> tuple[bytes, bytes]:
    """As the requester derives them (contract §3.1), from the page alone."""
    shared = shared_secret(d, decode_point(page.key_material.public_key, field="keyValue"))
    nonces = [int.from_bytes(b64decode(one.nonce), "big") for one in (page.key_material, peer)]
    mixed = (nonces[0] ^ nonces[1]).to_bytes(32, "big")
    return HKDF(algorithm=SHA256(), length=32, salt=mixed[:20], info=b"").derive(shared), mixed[20:]


def _no_two_alike(*, pages: int) -> None:
    chance = random.Random(int(os.environ.get("HIP_SOAK_SEED", "1")))
    source, seen = WatchedSource(), set[bytes]()
    sealer = CryptographySealer(generate=source)
    d, peer = _requester()
    for number in range(pages):
        if chance.random() < 0.01:  # most pages of a transfer go to one requester, under one key and nonce of theirs
            d, peer = _requester()
        plaintext = b"page %d" % number
        page = sealer.seal([plaintext], peer=peer, expires_at=EXPIRES)
        assert source.alive == 0, f"page {number} left its private key behind"
        source.drawn.clear()
        key, iv = _key_and_iv(page, d, peer)
        assert AESGCM(key).decrypt(iv, b64decode(page.contents[0]), None) == plaintext
        seen.add(hashlib.sha256(key + iv).digest())
    assert len(seen) == pages


def test_three_hundred_pages_have_three_hundred_keys_and_ivs_and_leave_no_private_key() -> None:
    _no_two_alike(pages=300)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_hundred_thousand_pages_have_as_many_keys_and_ivs_and_leave_no_private_key() -> None:
    _no_two_alike(pages=100_000)


def test_what_watches_the_keys_would_see_one_that_is_kept() -> None:
    source = WatchedSource()
    kept = source()
    gc.collect()
    assert source.alive == 1
    del kept
    assert source.alive == 0
