"""Key pairs that live for one agreement. No other module touches the classes of X25519 keys.

``cryptography`` does the scalar multiplication, in native code and constant time. A private key is a local variable
of one function here and is referenced by nothing once that returns; CPython cannot promise that its memory is wiped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hip.adapters.sealing.curve import (
    COORDINATE_BYTES,
    Point,
    begins_with_zero,
    integer_of,
    x25519_scalars,
    x_of_u,
)

KeySource = Callable[[], X25519PrivateKey]
"""Gives a new private key at each call."""

# One draw in 64 is thrown away, so a working source never comes near this; a broken one must not hang a worker.
_MOST_DRAWS = 64
_BASE_POINT_U = (9).to_bytes(COORDINATE_BYTES, "little")


def fresh_private_key() -> X25519PrivateKey:
    """A new key from the operating system's randomness."""
    return X25519PrivateKey.generate()


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is left of a key pair once it met the peer: its public point and the 32-byte shared secret."""

    public: Point
    shared: bytes = field(repr=False)


def agree(peer: Point, *, generate: KeySource = fresh_private_key) -> Agreement:
    """Draw a key pair for this one exchange and agree with ``peer``.

    Pairs are drawn until the shared x and our own x begin with a non-zero byte, and of the two ys that one is taken
    which does: so peers that drop leading zeros and peers that keep them derive the same key (contract §3.5).
    Raises RuntimeError when ``generate`` gave 64 unusable keys, which a source of randomness never does.
    """
    peer_key = X25519PublicKey.from_public_bytes(peer.u)
    for _ in range(_MOST_DRAWS):
        private_key = generate()
        x = x_of_u(private_key.public_key().public_bytes_raw())
        if begins_with_zero(x):
            continue
        shared_x = x_of_u(private_key.exchange(peer_key))
        if begins_with_zero(shared_x):
            continue
        return Agreement(Point.above(x), shared_x.to_bytes(COORDINATE_BYTES, "big"))
    raise RuntimeError(f"the source of private keys gave {_MOST_DRAWS} unusable ones")


def new_integer(*, generate: KeySource = fresh_private_key) -> tuple[int, Point]:
    """A private integer of BouncyCastle's kind and its public point, neither of whose coordinates begins with zero.

    For tools and tests: sealing never turns a private key into a number.
    """
    for _ in range(_MOST_DRAWS):
        private_key = generate()
        x = x_of_u(private_key.public_key().public_bytes_raw())
        if not begins_with_zero(x):
            return integer_of(private_key.private_bytes_raw()), Point.above(x)
    raise RuntimeError(f"the source of private keys gave {_MOST_DRAWS} unusable ones")


def public_point(d: int) -> Point:
    """The public point, up to the sign of y, of a private integer from 1 to N - 1. Raises ValueError outside."""
    return Point.above(x_of_u(_multiply(d, _BASE_POINT_U)))


def shared_secret(d: int, peer: Point) -> bytes:
    """The 32-byte shared x, zero-padded, of a private integer and a public point. Raises ValueError outside 1..N-1."""
    return x_of_u(_multiply(d, peer.u)).to_bytes(COORDINATE_BYTES, "big")


def _multiply(d: int, u: bytes) -> bytes:
    for scalar in x25519_scalars(d):
        u = X25519PrivateKey.from_private_bytes(scalar).exchange(X25519PublicKey.from_public_bytes(u))
    return u
