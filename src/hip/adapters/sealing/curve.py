"""Curve25519 in short Weierstrass form, as ABDM writes it on the wire, and its map to X25519 (contract §3.1, §3.6).

Only numbers live here. Scalar multiplication is X25519's and happens in ``ephemeral``; this module converts
coordinates, checks points and turns a foreign private integer into X25519 scalars. Nothing here is constant time, so
of secret values only the shared x passes through (one addition) and, in the command line tool, foreign integers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

P = 2**255 - 19
A = 0x2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA984914A144
B = 0x7B425ED097B425ED097B425ED097B425ED097B425ED097B4260B5E9C7710C864
N = 2**252 + 27742317777372353535851937790883648493
COFACTOR = 8
COORDINATE_BYTES = 32

# x of the Weierstrass form is u of the Montgomery form plus a third of Montgomery's A.
_SHIFT = 486662 * pow(3, -1, P) % P
_ROOT_EXPONENT = (P + 3) // 8
_ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
_GROUP_ORDER = COFACTOR * N
_COFACTOR_INVERSE = pow(COFACTOR, -1, N)
_FIRST_LEADING_BYTE = 1 << 248

# u of the seven affine points whose order divides the cofactor: one of order 2, two of order 4, four of order 8.
_SMALL_ORDER_U = frozenset(
    {
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)

Power = Callable[[int, int, int], int]
"""(base, exponent, modulus) → base**exponent mod modulus."""


def pure_power(base: int, exponent: int, modulus: int) -> int:
    """The power by CPython alone: correct, and about eight times slower than GMP's."""
    return pow(base, exponent, modulus)


def gmp_power() -> Power | None:
    """The power by GMP, or None where gmpy2 is not installed."""
    try:
        from gmpy2 import powmod
    except ImportError:
        return None

    def power(base: int, exponent: int, modulus: int) -> int:
        return int(powmod(base, exponent, modulus))

    return power


# Chosen once: in CPython the square root alone costs more than the key pair and the agreement together.
_power: Power = gmp_power() or pure_power


def square_root(value: int, *, power: Power | None = None) -> int | None:
    """A square root of ``value`` mod P, or None when it has none. Either root may come."""
    root = (power or _power)(value, _ROOT_EXPONENT, P)
    square = root * root % P
    if square == value:
        return root
    if square == P - value:  # P is 5 mod 8: the candidate is off by a root of minus one
        return root * _ROOT_OF_MINUS_ONE % P
    return None


def right_side(x: int) -> int:
    """x³ + ax + b mod P, which is y² for a point on the curve."""
    return (x * x * x + A * x + B) % P


def x_of_u(u: bytes) -> int:
    """Weierstrass x of X25519's 32 little-endian bytes."""
    return (int.from_bytes(u, "little") + _SHIFT) % P


def begins_with_zero(coordinate: int) -> bool:
    """Whether the 32 big-endian bytes begin with a zero byte, which half of the requesters drop (contract §3.5)."""
    return coordinate < _FIRST_LEADING_BYTE


@dataclass(frozen=True, slots=True)
class Point:
    """An affine point known to be on the curve and not of small order. Build it with ``checked`` or ``above``."""

    x: int = field(repr=False)
    y: int = field(repr=False)

    @classmethod
    def checked(cls, x: int, y: int) -> Self:
        """REL-14. Raises ValueError, saying what is wrong without the numbers, for anything but a usable point.

        The identity has no affine coordinates and is off the curve in any 65-byte spelling.
        """
        if not (0 <= x < P and 0 <= y < P):
            raise ValueError("coordinates below the field prime")
        if y * y % P != right_side(x):
            raise ValueError("a point on the curve")
        if (x - _SHIFT) % P in _SMALL_ORDER_U:
            raise ValueError("a point that is not of small order")
        return cls(x, y)

    @classmethod
    def above(cls, x: int) -> Self:
        """A point with this x, its y beginning with a non-zero byte. Raises ValueError when x has none.

        Only x enters the shared secret, so either sign of y is right (contract §3.1) and the one of two roots that
        has a leading zero byte need never be sent: the other then begins with 0x7f.
        """
        y = square_root(right_side(x))
        if y is None:
            raise ValueError("an x of a point on the curve")
        return cls(x, P - y if begins_with_zero(y) else y)

    @property
    def u(self) -> bytes:
        """X25519's name of the point: 32 little-endian bytes."""
        return ((self.x - _SHIFT) % P).to_bytes(COORDINATE_BYTES, "little")


def x25519_scalar(d: int) -> bytes | None:
    """The 32 bytes that make X25519 multiply by ±d, or None when no such bytes exist.

    X25519 multiplies by multiples of the cofactor in [2^254, 2^255) only. The multiple of 8 that is d mod N, or its
    negative, is in that range except for about 2^125 of the 2^252 integers, small multiples of 8 among them.
    """
    k = d * COFACTOR * _COFACTOR_INVERSE % _GROUP_ORDER
    if k < 1 << 254:
        k = _GROUP_ORDER - k
    return k.to_bytes(COORDINATE_BYTES, "little") if 1 << 254 <= k < 1 << 255 else None


def x25519_scalars(d: int) -> tuple[bytes, ...]:
    """Scalars which, applied one after the other, multiply by ±d. One suffices for practically every d.

    ``d`` is a private integer of BouncyCastle's kind, 1 to N - 1; raises ValueError outside.
    """
    if not 1 <= d < N:
        raise ValueError("an integer from 1 to the order of the group less one")
    scalar = x25519_scalar(d)
    factor = 1
    while scalar is None:
        factor += 2
        first, second = x25519_scalar(factor), x25519_scalar(d * pow(factor, -1, N) % N)
        if first is not None and second is not None:
            return first, second
    return (scalar,)


def integer_of(scalar: bytes) -> int:
    """The private integer, 1 to N - 1, of X25519's 32 private bytes: clamped as RFC 7748 says, then reduced."""
    k = int.from_bytes(scalar, "little")
    return ((k & ((1 << 255) - 1)) | (1 << 254)) // COFACTOR * COFACTOR % N
