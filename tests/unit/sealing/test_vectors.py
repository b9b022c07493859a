"""The three published and checked vectors of contract §3.7, in vectors.json beside this file."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hip.adapters.sealing.encodings import decode_integer, decode_point, encode_raw, encode_x509
from hip.adapters.sealing.envelope import Envelope
from hip.adapters.sealing.ephemeral import public_point, shared_secret
from hip.adapters.sealing.opener import open_page
from hip.adapters.sealing.sealer import CryptographySealer
from hip.domain.key_material import KeyMaterial, SealedPage

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text())
EXPIRY = datetime(2026, 3, 16, 6, 52, tzinfo=UTC)

every_vector = pytest.mark.parametrize("vector", VECTORS, ids=["published", "leading-zero", "x25519"])
integer_vectors = pytest.mark.parametrize("vector", VECTORS[:2], ids=["published", "leading-zero"])


def sent_material(vector: dict[str, Any], *, key: str = "public") -> KeyMaterial:
    sender = vector["sender"]
    return KeyMaterial(public_key=sender[key], nonce=sender["nonce"], expires_at=EXPIRY)


@every_vector
def test_the_requester_finds_the_shared_secret(vector: dict[str, Any]) -> None:
    d = decode_integer(vector["requester"]["private"], field="requester")
    shared = shared_secret(d, decode_point(vector["sender"]["public"], field="sender"))
    assert shared.hex() == vector["sharedHex"]


@integer_vectors
def test_the_sender_finds_the_same_secret_and_the_published_ciphertext(vector: dict[str, Any]) -> None:
    d = decode_integer(vector["sender"]["private"], field="sender")
    shared = shared_secret(d, decode_point(vector["requester"]["public"], field="requester"))
    envelope = Envelope.between(
        shared=shared,
        sender_nonce=b64decode(vector["sender"]["nonce"]),
        receiver_nonce=b64decode(vector["requester"]["nonce"]),
    )
    assert shared.hex() == vector["sharedHex"]
    assert b64encode(envelope.seal(vector["plaintext"].encode())).decode() == vector["content"]


@integer_vectors
@pytest.mark.parametrize("side", ["requester", "sender"])
def test_a_private_integer_gives_its_public_key_up_to_the_sign_of_y(vector: dict[str, Any], side: str) -> None:
    point = public_point(decode_integer(vector[side]["private"], field=side))
    published = decode_point(vector[side]["public"], field=side)
    assert point.x == published.x
    assert point.y in (published.y, 2**255 - 19 - published.y)


@every_vector
def test_the_opener_opens_the_published_content(vector: dict[str, Any]) -> None:
    page = SealedPage(contents=(vector["content"],), key_material=sent_material(vector))
    requester = vector["requester"]
    opened = open_page(page, private_key=requester["private"], nonce=requester["nonce"])
    assert opened == (vector["plaintext"].encode(),)


def test_the_opener_opens_what_a_sender_that_strips_zeros_made() -> None:
    vector = VECTORS[1]
    page = SealedPage(contents=(vector["strippedContent"],), key_material=sent_material(vector))
    requester = vector["requester"]
    opened = open_page(page, private_key=requester["private"], nonce=requester["nonce"])
    assert opened == (vector["plaintext"].encode(),)


def test_the_sealer_makes_vector_three_to_the_byte() -> None:
    vector = VECTORS[2]
    private_key, nonce = b64decode(vector["sender"]["x25519Private"]), b64decode(vector["sender"]["nonce"])
    sealer = CryptographySealer(
        generate=lambda: X25519PrivateKey.from_private_bytes(private_key), nonce=lambda length: nonce[:length]
    )
    requester = vector["requester"]
    peer = KeyMaterial(public_key=requester["public"], nonce=requester["nonce"], expires_at=EXPIRY)
    page = sealer.seal([vector["plaintext"].encode()], peer=peer, expires_at=EXPIRY)
    assert page.contents == (vector["content"],)
    assert page.key_material == sent_material(vector, key="x509Public")


def test_both_written_forms_of_vector_three_are_the_same_point() -> None:
    sender = VECTORS[2]["sender"]
    point = decode_point(sender["x509Public"], field="sender")
    assert point == decode_point(sender["public"], field="sender")
    assert (encode_raw(point), encode_x509(point)) == (sender["public"], sender["x509Public"])
