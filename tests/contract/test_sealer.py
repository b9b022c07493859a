"""The contract of the port ``Sealer``: what every adapter promises, told by what the requester can open."""

import random
from datetime import UTC, datetime

import pytest

from hip.adapters.sealing.encodings import encode_bytes, encode_integer, encode_raw, encode_x509
from hip.adapters.sealing.ephemeral import public_point
from hip.adapters.sealing.opener import open_page
from hip.adapters.sealing.sealer import CryptographySealer
from hip.application.ports import Sealer
from hip.domain.errors import DomainError, KeyMaterialRefused
from hip.domain.key_material import KeyMaterial, SealedPage

D = 0x0C4C473EB8BC77B213DB72A02E4DBCD7365E9CC7D51D275E6A6AB44708252019
NONCE = encode_bytes(random.Random(7).randbytes(32))
POINT = public_point(D)
PEER = KeyMaterial(public_key=encode_raw(POINT), nonce=NONCE, expires_at=datetime(2026, 3, 17, tzinfo=UTC))
EXPIRES_AT = datetime(2026, 3, 16, 6, 52, tzinfo=UTC)
BUNDLE = '{"resourceType":"Bundle","title":"मीरा"}'.encode()


@pytest.fixture(params=[CryptographySealer(), CryptographySealer(raw_keys=True)], ids=["x509", "raw"])
def sealer(request: pytest.FixtureRequest) -> Sealer:
    return request.param  # type: ignore[no-any-return]


def opened(page: SealedPage) -> tuple[bytes, ...]:
    return open_page(page, private_key=encode_integer(D), nonce=NONCE)


@pytest.mark.parametrize("plaintext", [BUNDLE, b"", b"\x00", BUNDLE * 2000], ids=["bundle", "empty", "zero", "100 KB"])
def test_the_requester_opens_what_was_sealed_byte_for_byte(sealer: Sealer, plaintext: bytes) -> None:
    assert opened(sealer.seal([plaintext], peer=PEER, expires_at=EXPIRES_AT)) == (plaintext,)


def test_the_entries_of_a_page_keep_their_order(sealer: Sealer) -> None:
    entries = [b"first", b"second", b"third", b"second"]
    assert opened(sealer.seal(entries, peer=PEER, expires_at=EXPIRES_AT)) == tuple(entries)


def test_every_page_has_its_own_key_and_nonce(sealer: Sealer) -> None:
    """PUSH-01."""
    pages = [sealer.seal([BUNDLE], peer=PEER, expires_at=EXPIRES_AT) for _ in range(50)]
    assert len({page.key_material.public_key for page in pages}) == 50
    assert len({page.key_material.nonce for page in pages}) == 50
    assert len({page.contents for page in pages}) == 50
    assert all(page.key_material.nonce != NONCE for page in pages)


def test_the_key_material_sent_is_what_a_requester_expects(sealer: Sealer) -> None:
    sent = sealer.seal([BUNDLE], peer=PEER, expires_at=EXPIRES_AT).key_material
    assert (sent.algorithm, sent.curve, sent.parameters) == ("ECDH", "Curve25519", "Curve25519/32byte random key")
    assert sent.expires_at == EXPIRES_AT
    assert len(sent.public_key) in (88, 412)
    assert len(sent.nonce) == 44
    sent.require_usable(now=datetime(2026, 3, 16, tzinfo=UTC))
    sealer.check(sent)


def test_the_requesters_own_spelling_of_the_curve_is_echoed(sealer: Sealer) -> None:
    peer = KeyMaterial(public_key=PEER.public_key, nonce=NONCE, expires_at=None, curve="curve25519")
    assert sealer.seal([BUNDLE], peer=peer, expires_at=EXPIRES_AT).key_material.curve == "curve25519"


def test_raw_and_x509_keys_are_accepted(sealer: Sealer) -> None:
    for public_key in (encode_raw(POINT), encode_x509(POINT)):
        peer = KeyMaterial(public_key=public_key, nonce=NONCE, expires_at=None)
        sealer.check(peer)
        assert opened(sealer.seal([BUNDLE], peer=peer, expires_at=EXPIRES_AT)) == (BUNDLE,)


BAD = {
    "keyMaterial.dhPublicKey.keyValue": [
        "",
        "no key",
        encode_bytes(bytes(32)),
        encode_bytes(b"\x04" + bytes(64)),
        encode_bytes(b"\x04" + b"\xff" * 64),
        encode_raw(POINT)[:-8],
    ],
    "keyMaterial.nonce": ["", "no nonce", encode_bytes(bytes(31)), encode_bytes(bytes(33)), "a" * 2000],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_unusable_key_material_is_refused_by_name(sealer: Sealer, field: str, value: str) -> None:
    """REL-14."""
    peer = KeyMaterial(
        public_key=value if field.endswith("keyValue") else PEER.public_key,
        nonce=value if field.endswith("nonce") else NONCE,
        expires_at=None,
    )
    with pytest.raises(KeyMaterialRefused, match=f"^{field}: expected "):
        sealer.check(peer)
    with pytest.raises(KeyMaterialRefused, match=f"^{field}: expected "):
        sealer.seal([BUNDLE], peer=peer, expires_at=EXPIRES_AT)


def test_a_changed_content_does_not_open(sealer: Sealer) -> None:
    page = sealer.seal([BUNDLE], peer=PEER, expires_at=EXPIRES_AT)
    content = page.contents[0]
    changed = ("B" if content[0] == "A" else "A") + content[1:]
    with pytest.raises(DomainError):
        opened(SealedPage(contents=(changed,), key_material=page.key_material))


def test_a_page_without_entries_is_a_bug(sealer: Sealer) -> None:
    with pytest.raises(ValueError, match="at least one entry"):
        sealer.seal([], peer=PEER, expires_at=EXPIRES_AT)
