"""Sealing one 50 KB bundle, whole path, against two yardsticks in the same run.

    .venv/bin/python bench/sealing.py [--rounds 400] [--bytes 51200]

Whole path: decode the requester's key and nonce, key pair, agreement, HKDF, AES-256-GCM, base64. The first yardstick
does the same steps with bare ``cryptography`` X25519, that is, without ABDM's curve; the second is ``abdm-ecdh``. Times
are medians, rounds of all candidates interleaved so that a busy machine slows all alike. Exit code 1 when a ratio is
over its limit.
"""

import argparse
import gc
import importlib
import os
import statistics
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter_ns
from types import ModuleType

import abdm_ecdh
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hip.domain.key_material import KeyMaterial

OURS, FALLBACK, BARE, ABDM_ECDH = "hip", "hip without gmpy2", "bare cryptography", "abdm-ecdh"
MOST_OF_BARE = {OURS: 1.4, FALLBACK: 2.5}
LEAST_SPEED_UP = 100

# abdm-ecdh takes some 70 ms a page: one of its rounds to this many of the others.
SLOW_EVERY = 20


def sealer_module(*, gmp: bool) -> ModuleType:
    """A copy of the sealer of its own, imported with or without gmpy2 in sight."""
    mine = [name for name in sys.modules if name.startswith("hip.adapters.sealing")]
    for name in mine:
        del sys.modules[name]
    hidden = sys.modules.pop("gmpy2", None)
    if not gmp:
        sys.modules["gmpy2"] = None  # type: ignore[assignment]  # how the import system spells "not there"
    elif hidden is not None:
        sys.modules["gmpy2"] = hidden
    try:
        return importlib.import_module("hip.adapters.sealing.sealer")
    finally:
        if not gmp:
            del sys.modules["gmpy2"]
            if hidden is not None:
                sys.modules["gmpy2"] = hidden


def with_hip(module: ModuleType, bundle: bytes, peer: KeyMaterial) -> Callable[[], object]:
    sealer, expires_at = module.CryptographySealer(), datetime.now(UTC) + timedelta(days=1)
    return lambda: sealer.seal([bundle], peer=peer, expires_at=expires_at)


def with_bare_cryptography(bundle: bytes) -> Callable[[], object]:
    peer_key = b64encode(X25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    peer_nonce = b64encode(os.urandom(32)).decode()

    def seal() -> tuple[str, str, str]:
        private_key = X25519PrivateKey.generate()
        shared = private_key.exchange(X25519PublicKey.from_public_bytes(b64decode(peer_key)))
        nonce = os.urandom(32)
        mixed = (int.from_bytes(nonce, "big") ^ int.from_bytes(b64decode(peer_nonce), "big")).to_bytes(32, "big")
        key = HKDF(algorithm=SHA256(), length=32, salt=mixed[:20], info=b"").derive(shared)
        content = b64encode(AESGCM(key).encrypt(mixed[20:], bundle, None)).decode()
        public = b64encode(private_key.public_key().public_bytes_raw()).decode()
        return content, public, b64encode(nonce).decode()

    return seal


def with_abdm_ecdh(bundle: bytes, peer: KeyMaterial) -> Callable[[], object]:
    text = bundle.decode()

    def seal() -> object:
        own = abdm_ecdh.generate_key_material()
        return abdm_ecdh.encrypt(text, own.nonce, peer.nonce, own.private_key, peer.public_key)

    return seal


def medians(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median microseconds of a call, each round calling every candidate once, in turn."""
    spent: dict[str, list[int]] = {name: [] for name in candidates}
    for candidate in candidates.values():
        candidate()
    gc.collect()
    gc.disable()
    for number in range(rounds):
        for name, candidate in candidates.items():
            if name == ABDM_ECDH and number % SLOW_EVERY:
                continue
            start = perf_counter_ns()
            candidate()
            spent[name].append(perf_counter_ns() - start)
    gc.enable()
    return {name: statistics.median(times) / 1000 for name, times in spent.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Ratios of sealing one bundle, whole path.")
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--bytes", type=int, default=50 * 1024, help="size of the bundle")
    options = parser.parse_args()

    requester = abdm_ecdh.generate_key_material()
    peer = KeyMaterial(public_key=requester.public_key, nonce=requester.nonce, expires_at=None)
    bundle = (b'{"resourceType":"Bundle","type":"document"}' * (options.bytes // 43 + 1))[: options.bytes]
    took = medians(
        {
            OURS: with_hip(sealer_module(gmp=True), bundle, peer),
            FALLBACK: with_hip(sealer_module(gmp=False), bundle, peer),
            BARE: with_bare_cryptography(bundle),
            ABDM_ECDH: with_abdm_ecdh(bundle, peer),
        },
        options.rounds,
    )

    print(f"sealing {options.bytes} bytes, whole path, median of {options.rounds} interleaved rounds")
    for name, microseconds in took.items():
        print(f"  {name:<20}{microseconds:>10.0f} µs")
    met = []
    for name, limit in MOST_OF_BARE.items():
        ratio = took[name] / took[BARE]
        met.append(ratio <= limit)
        print(f"  {name + ' / ' + BARE:<40}{ratio:>8.2f}   limit {limit}   {'met' if met[-1] else 'MISSED'}")
    speed_up = took[ABDM_ECDH] / took[OURS]
    met.append(speed_up >= LEAST_SPEED_UP)
    print(
        f"  {ABDM_ECDH + ' / ' + OURS:<40}{speed_up:>8.0f}   least {LEAST_SPEED_UP}   {'met' if met[-1] else 'MISSED'}"
    )
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
