"""Exchanges with two implementations that are not ours, in both directions, with the awkward keys among them."""

import json
import os
import random
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import abdm_ecdh
import pytest
from tests.unit.sealing.fidelius_jar import run_jar
from tests.unit.sealing.peers import (
    TOMORROW,
    Requester,
    requesters,
    with_leading_zero_in_x,
    with_leading_zero_in_y,
)

from hip.adapters.sealing.curve import begins_with_zero
from hip.adapters.sealing.encodings import encode_raw, encode_x509
from hip.adapters.sealing.ephemeral import shared_secret
from hip.adapters.sealing.opener import open_page
from hip.adapters.sealing.sealer import CryptographySealer
from hip.domain.key_material import KeyMaterial, SealedPage

SEED = 88_120
SOAK_SEED = int(os.environ.get("HIP_SOAK_SEED", SEED))
SAMPLES = ("{}", '{"resourceType":"Bundle","id":"88120"}', "मीरा कुलकर्णी — 37 °C", "x" * 5000, "😀 𝄞")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A sender and a requester with the integers of both, and a text between them."""

    sender: Requester
    requester: Requester
    text: str
    as_x509: bool

    def public_key(self, side: Requester) -> str:
        return encode_x509(side.point) if self.as_x509 else encode_raw(side.point)


def exchanges(seed: int) -> Iterator[Exchange]:
    """First those where x, y and the shared x begin with zero, found by search, then random ones."""
    source = random.Random(seed)
    awkward = [with_leading_zero_in_x(seed), with_leading_zero_in_y(seed)]
    pairs = [(awkward[0], awkward[1]), (awkward[1], awkward[0]), _with_leading_zero_in_shared_x(seed)]
    stream = requesters(seed + 1)
    forms, texts = cycle([False, True]), cycle(SAMPLES)
    for sender, requester in pairs:
        yield Exchange(sender=sender, requester=requester, text=next(texts), as_x509=next(forms))
    while True:
        text = next(texts) + str(source.randrange(10**6))
        yield Exchange(sender=next(stream), requester=next(stream), text=text, as_x509=next(forms))


def _with_leading_zero_in_shared_x(seed: int) -> tuple[Requester, Requester]:
    sender = next(requesters(seed + 2))
    for requester in requesters(seed + 3):
        if begins_with_zero(int.from_bytes(shared_secret(sender.d, requester.point), "big")):
            return sender, requester
    raise AssertionError("the series has no end")


def sealed_by_us(exchange: Exchange) -> SealedPage:
    peer = exchange.requester.key_material(public_key=exchange.public_key(exchange.requester))
    return CryptographySealer().seal([exchange.text.encode()], peer=peer, expires_at=TOMORROW)


def opened_by_us(exchange: Exchange, content: str) -> str:
    """Open with our code what another sealed with the exchange's keys."""
    sent = KeyMaterial(
        public_key=exchange.public_key(exchange.sender), nonce=exchange.sender.nonce_text, expires_at=TOMORROW
    )
    requester = exchange.requester
    (plaintext,) = open_page(
        SealedPage(contents=(content,), key_material=sent),
        private_key=requester.private_key,
        nonce=requester.nonce_text,
    )
    return plaintext.decode()


def check_with_abdm_ecdh(count: int, seed: int = SEED) -> None:
    for exchange in islice(exchanges(seed), count):
        sender, requester = exchange.sender, exchange.requester
        page = sealed_by_us(exchange)
        theirs = abdm_ecdh.decrypt(
            page.contents[0],
            page.key_material.nonce,
            requester.nonce_text,
            requester.private_key,
            page.key_material.public_key,
        )
        assert theirs.decrypted_data == exchange.text
        sealed = abdm_ecdh.encrypt(
            exchange.text,
            sender.nonce_text,
            requester.nonce_text,
            sender.private_key,
            exchange.public_key(requester),
        )
        assert opened_by_us(exchange, sealed.encrypted_data) == exchange.text


def check_with_the_jar(count: int, seed: int = SEED) -> None:
    chosen = list(islice(exchanges(seed), count))
    pages = [sealed_by_us(exchange) for exchange in chosen]
    calls: list[Sequence[str]] = []
    for exchange, page in zip(chosen, pages, strict=True):
        sender, requester = exchange.sender, exchange.requester
        material = page.key_material
        nonces = (material.nonce, requester.nonce_text)
        calls += [
            ("d", page.contents[0], nonces[1], nonces[0], requester.private_key, material.public_key),
            (
                "se",
                b64encode(exchange.text.encode()).decode(),
                sender.nonce_text,
                requester.nonce_text,
                sender.private_key,
                exchange.public_key(requester),
            ),
        ]
    answers = [json.loads(printed) for printed in run_jar(calls)]
    for exchange, opened, sealed in zip(chosen, answers[::2], answers[1::2], strict=True):
        assert opened == {"decryptedData": exchange.text}
        assert opened_by_us(exchange, sealed["encryptedData"]) == exchange.text


def test_abdm_ecdh_and_we_open_each_other() -> None:
    check_with_abdm_ecdh(50)


def test_the_awkward_exchanges_are_among_the_first() -> None:
    first, second, third = islice(exchanges(SEED), 3)
    assert begins_with_zero(first.sender.point.x)
    assert begins_with_zero(first.requester.point.y)
    assert begins_with_zero(second.requester.point.x)
    assert shared_secret(third.sender.d, third.requester.point)[0] == 0


def test_key_material_made_by_abdm_ecdh_is_served() -> None:
    for _ in range(3):
        theirs = abdm_ecdh.generate_key_material()
        for public_key in (theirs.public_key, theirs.x509_public_key):
            peer = KeyMaterial(public_key=public_key, nonce=theirs.nonce, expires_at=TOMORROW)
            page = CryptographySealer().seal([b"{}"], peer=peer, expires_at=TOMORROW)
            assert open_page(page, private_key=theirs.private_key, nonce=theirs.nonce) == (b"{}",)


def test_fidelius_cli_and_we_open_each_other() -> None:
    check_with_the_jar(6)


@pytest.mark.soak
def test_abdm_ecdh_and_we_open_each_other_a_thousand_times() -> None:
    check_with_abdm_ecdh(1000, SOAK_SEED)


@pytest.mark.soak
def test_fidelius_cli_and_we_open_each_other_two_hundred_times() -> None:
    check_with_the_jar(200, SOAK_SEED)
