"""What a sealed page promises (contract §3, REL-14, PUSH-01), beyond the port's contract suite."""

import gc
import random
import sys
import weakref
from base64 import b64decode
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from tests.unit.sealing.peers import (
    BUNDLE,
    TOMORROW,
    Requester,
    open_stripping_zeros,
    requesters,
    with_leading_zero_in_x,
    with_leading_zero_in_y,
)

import hip
from hip.adapters.sealing.curve import Point, begins_with_zero, x_of_u
from hip.adapters.sealing.encodings import decode_point, encode_bytes, encode_x509
from hip.adapters.sealing.envelope import ContentUnreadable, Envelope
from hip.adapters.sealing.ephemeral import new_integer, shared_secret
from hip.adapters.sealing.opener import open_page
from hip.adapters.sealing.sealer import CryptographySealer
from hip.domain.errors import KeyMaterialRefused
from hip.domain.key_material import KeyMaterial, SealedPage

SEED = 20_417


def opened(page: SealedPage, requester: Requester) -> tuple[bytes, ...]:
    return open_page(page, private_key=requester.private_key, nonce=requester.nonce_text)


def seeded_keys(seed: int) -> Callable[[], X25519PrivateKey]:
    source = random.Random(seed)
    return lambda: X25519PrivateKey.from_private_bytes(source.randbytes(32))


def given_keys(keys: Iterator[X25519PrivateKey]) -> Callable[[], X25519PrivateKey]:
    return lambda: next(keys)


def own_x(key: X25519PrivateKey) -> int:
    return x_of_u(key.public_key().public_bytes_raw())


def shared_x(key: X25519PrivateKey, peer: Requester) -> int:
    return x_of_u(key.exchange(X25519PublicKey.from_public_bytes(peer.point.u)))


def key_whose(holds: Callable[[X25519PrivateKey], bool], seed: int) -> X25519PrivateKey:
    """The first key of a seeded series of which ``holds``: a search, not luck."""
    draw = seeded_keys(seed)
    while not holds(key := draw()):
        pass
    return key


def good_key(peer: Requester, seed: int) -> X25519PrivateKey:
    return key_whose(lambda key: own_x(key) >= 2**248 and shared_x(key, peer) >= 2**248, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_key_pair_whose_shared_x_begins_with_zero_is_thrown_away(seed: int) -> None:
    """Contract §3.5: half of the requesters would drop that byte and fail to decrypt."""
    peer = next(requesters(seed))
    unlucky = key_whose(lambda key: own_x(key) >= 2**248 and begins_with_zero(shared_x(key, peer)), seed)
    lucky = good_key(peer, seed + 100)
    sealer = CryptographySealer(generate=given_keys(iter([unlucky, lucky])))
    page = sealer.seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    assert decode_point(page.key_material.public_key, field="own").x == own_x(lucky)
    assert opened(page, peer) == (BUNDLE,)


@pytest.mark.parametrize("seed", range(3))
def test_a_key_pair_whose_own_x_begins_with_zero_is_thrown_away(seed: int) -> None:
    peer = next(requesters(seed))
    unlucky = key_whose(lambda key: begins_with_zero(own_x(key)), seed)
    lucky = good_key(peer, seed + 100)
    sealer = CryptographySealer(generate=given_keys(iter([unlucky, lucky])))
    page = sealer.seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    assert decode_point(page.key_material.public_key, field="own").x == own_x(lucky)


def test_a_source_that_repeats_an_unusable_key_is_a_bug_and_does_not_hang() -> None:
    peer = next(requesters(SEED))
    unlucky = key_whose(lambda key: begins_with_zero(own_x(key)), SEED)
    with pytest.raises(RuntimeError, match="source of private keys"):
        CryptographySealer(generate=lambda: unlucky).seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    with pytest.raises(RuntimeError, match="source of private keys"):
        new_integer(generate=lambda: unlucky)


def test_neither_our_coordinates_nor_the_secret_ever_begin_with_zero() -> None:
    sealer = CryptographySealer(generate=seeded_keys(SEED))
    for peer in islice(requesters(SEED), 1000):
        page = sealer.seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
        point = decode_point(page.key_material.public_key, field="own")
        assert not begins_with_zero(point.x)
        assert not begins_with_zero(point.y)
        assert shared_secret(peer.d, point)[0] != 0


def test_a_requester_that_strips_zeros_opens_1000_of_1000() -> None:
    source = random.Random(SEED)
    sealer = CryptographySealer()
    for number in range(1000):
        private_key, nonce = X25519PrivateKey.from_private_bytes(source.randbytes(32)), source.randbytes(32)
        peer = Requester(d=0, point=_point_of(private_key), nonce=nonce)
        page = sealer.seal([b"%d" % number], peer=peer.key_material(), expires_at=TOMORROW)
        assert open_stripping_zeros(page, private_key=private_key, nonce=nonce) == [b"%d" % number]


def _point_of(private_key: X25519PrivateKey) -> Point:
    return Point.above(own_x(private_key))


def test_the_stripping_requester_really_strips() -> None:
    """The proof above would prove nothing if its decryptor padded."""
    peer_key = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    peer = Requester(d=0, point=_point_of(peer_key), nonce=bytes(32))
    unlucky = key_whose(lambda key: begins_with_zero(shared_x(key, peer)), SEED)
    page = _sealed_carelessly(unlucky, peer)
    with pytest.raises(InvalidTag):
        open_stripping_zeros(page, private_key=peer_key, nonce=peer.nonce)


def _sealed_carelessly(key: X25519PrivateKey, peer: Requester) -> SealedPage:
    """As a sender seals that takes the first key it draws and pads the secret, like fidelius-cli."""
    shared = shared_x(key, peer).to_bytes(32, "big")
    envelope = Envelope.between(shared=shared, sender_nonce=bytes(32), receiver_nonce=peer.nonce)
    material = KeyMaterial(public_key=encode_x509(_point_of(key)), nonce=encode_bytes(bytes(32)), expires_at=TOMORROW)
    return SealedPage(contents=(encode_bytes(envelope.seal(BUNDLE)),), key_material=material)


@pytest.mark.parametrize("find", [with_leading_zero_in_x, with_leading_zero_in_y])
@pytest.mark.parametrize("seed", range(3))
def test_a_requester_whose_own_coordinate_begins_with_zero_is_served(
    find: Callable[[int], Requester], seed: int
) -> None:
    peer = find(seed)
    page = CryptographySealer().seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    assert opened(page, peer) == (BUNDLE,)


def test_no_two_pages_share_a_key_and_an_iv() -> None:
    """PUSH-01, for 3,000 pages to one requester."""
    peer = next(requesters(SEED))
    sealer = CryptographySealer()
    keys, nonces, pairs = set(), set(), set()
    for _ in range(3000):
        sent = sealer.seal([b"{}"], peer=peer.key_material(), expires_at=TOMORROW).key_material
        nonce = b64decode(sent.nonce)
        mixed = bytes(a ^ b for a, b in zip(nonce, peer.nonce, strict=True))
        keys.add(sent.public_key)
        nonces.add(nonce)
        pairs.add((shared_secret(peer.d, decode_point(sent.public_key, field="own")), mixed))
    assert len(keys) == len(nonces) == len(pairs) == 3000


class WatchedKey:
    """A private key that can be watched: those of ``cryptography`` take no weak reference."""

    def __init__(self) -> None:
        self._key = X25519PrivateKey.generate()

    def public_key(self) -> X25519PublicKey:
        return self._key.public_key()

    def exchange(self, peer: X25519PublicKey) -> bytes:
        return self._key.exchange(peer)


def test_no_private_key_is_alive_after_a_page_is_sealed() -> None:
    watched: list[weakref.ref[WatchedKey]] = []

    def generate() -> WatchedKey:
        key = WatchedKey()
        watched.append(weakref.ref(key))
        return key

    gc.disable()
    try:
        sealer = CryptographySealer(generate=generate)
        pages = [sealer.seal([BUNDLE], peer=p.key_material(), expires_at=TOMORROW) for p in islice(requesters(1), 20)]
        # Without a collector's help: nothing may keep a key in a cycle until one runs.
        assert len(pages) == 20
        assert len(watched) >= 20
        assert [key() for key in watched if key() is not None] == []
    finally:
        gc.enable()


def test_a_private_key_of_the_library_is_referenced_by_nothing_after_sealing() -> None:
    peer = next(requesters(SEED))
    keys = [good_key(peer, seed) for seed in range(5)]
    before = [sys.getrefcount(key) for key in keys]
    sealer = CryptographySealer(generate=given_keys(iter(list(keys))))
    pages = [sealer.seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW) for _ in keys]
    assert len(pages) == 5
    del sealer
    assert [sys.getrefcount(key) for key in keys] == before


def test_one_module_alone_touches_private_keys() -> None:
    package = Path(hip.__file__).parent
    holders = [path.name for path in package.rglob("*.py") if "X25519PrivateKey" in path.read_text(encoding="utf-8")]
    assert holders == ["ephemeral.py"]


def test_nothing_secret_stands_in_a_repr() -> None:
    peer = next(requesters(SEED))
    sealer = CryptographySealer()
    page = sealer.seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    shown = f"{sealer!r} {page!r} {page.key_material!r} {peer.key_material()!r} {peer.point!r}"
    for secret in (*page.contents, page.key_material.public_key, page.key_material.nonce, peer.nonce_text):
        assert secret not in shown
    assert str(peer.point.x) not in shown


def test_the_key_is_sent_as_x509_and_raw_only_if_asked() -> None:
    peer = next(requesters(SEED))
    usual = CryptographySealer().seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    asked = CryptographySealer(raw_keys=True).seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    assert len(usual.key_material.public_key) == 412
    assert len(asked.key_material.public_key) == 88
    assert opened(usual, peer) == opened(asked, peer) == (BUNDLE,)


@pytest.mark.parametrize(
    ("key", "nonce", "message"),
    [
        ("AAAA", None, "keyMaterial.dhPublicKey.keyValue: expected an uncompressed 65-byte point, raw or as X.509"),
        (None, "AAAA", "keyMaterial.nonce: expected base64 of 32 bytes, found 3 bytes"),
    ],
)
def test_a_refusal_names_the_field_of_the_request(key: str | None, nonce: str | None, message: str) -> None:
    """REL-14."""
    good = next(requesters(SEED)).key_material()
    bad = KeyMaterial(public_key=key or good.public_key, nonce=nonce or good.nonce, expires_at=TOMORROW)
    drawn: list[X25519PrivateKey] = []

    def generate() -> X25519PrivateKey:
        drawn.append(X25519PrivateKey.generate())
        return drawn[-1]

    sealer = CryptographySealer(generate=generate)
    for refused in (lambda: sealer.check(bad), lambda: sealer.seal([BUNDLE], peer=bad, expires_at=TOMORROW)):
        with pytest.raises(KeyMaterialRefused) as caught:
            refused()
        assert str(caught.value) == message
    assert drawn == []


def test_a_page_opened_with_another_nonce_is_unreadable() -> None:
    peer = next(requesters(SEED))
    page = CryptographySealer().seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    other = next(requesters(SEED + 1))
    with pytest.raises(ContentUnreadable):
        open_page(page, private_key=peer.private_key, nonce=other.nonce_text)
    with pytest.raises(ContentUnreadable):
        open_page(page, private_key=other.private_key, nonce=peer.nonce_text)


def test_content_shorter_than_a_tag_is_unreadable() -> None:
    peer = next(requesters(SEED))
    page = CryptographySealer().seal([BUNDLE], peer=peer.key_material(), expires_at=TOMORROW)
    cut = SealedPage(contents=("AAAA",), key_material=page.key_material)
    with pytest.raises(ContentUnreadable):
        opened(cut, peer)
