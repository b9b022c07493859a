"""Numbers of the curve, checked against ``abdm-ecdh``'s own arithmetic where there is something to compare."""

import random
import subprocess
import sys

import pytest
from abdm_ecdh import curve as reference
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hip.adapters.sealing import curve
from hip.adapters.sealing.curve import N, P, Point, integer_of, square_root, x25519_scalar, x25519_scalars
from hip.adapters.sealing.ephemeral import public_point, shared_secret

powers = pytest.mark.parametrize("power", [curve.pure_power, curve.gmp_power()], ids=["pure", "gmp"])


def test_the_constants_are_those_of_the_other_implementation() -> None:
    assert (curve.P, curve.A, curve.B, curve.N) == (
        reference.CURVE_P,
        reference.CURVE_A,
        reference.CURVE_B,
        reference.CURVE_N,
    )


@powers
@given(st.integers(0, P - 1))
@settings(max_examples=50)
def test_a_square_has_a_root_whose_square_it_is(power: curve.Power, number: int) -> None:
    root = square_root(number * number % P, power=power)
    assert root in (number, (P - number) % P)


@powers
@given(st.integers(1, P - 1))
@settings(max_examples=50)
def test_a_number_has_a_root_exactly_if_euler_says_so(power: curve.Power, number: int) -> None:
    assert (square_root(number, power=power) is not None) == (pow(number, (P - 1) // 2, P) == 1)


def test_without_gmpy2_the_pure_root_is_chosen_and_sealing_works() -> None:
    program = """
import sys
sys.modules["gmpy2"] = None
from hip.adapters.sealing import curve, ephemeral
assert curve.gmp_power() is None and curve._power is curve.pure_power
d, point = ephemeral.new_integer()
assert ephemeral.agree(point).shared
print("sealed")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "sealed\n"), ran.stderr


@given(st.integers(1, N - 1))
@settings(max_examples=15, deadline=None)
def test_a_foreign_integer_multiplies_as_elsewhere(d: int) -> None:
    other = reference.scalar_base_mult(d)
    assert other is not None
    point = public_point(d)
    assert point.x == other[0]
    assert point.y in (other[1], P - other[1])


# Multiples of 8 so small, or so near the order, that no X25519 scalar is worth the same: two are chained.
CHAINED = [8, 16, 1024, 8 * (2**100 + 1), N - 8, N - 4096]


@pytest.mark.parametrize("d", CHAINED)
def test_an_integer_that_is_no_x25519_scalar_is_multiplied_in_two_steps(d: int) -> None:
    assert x25519_scalar(d) is None
    assert len(x25519_scalars(d)) == 2
    other = reference.scalar_base_mult(d)
    assert other is not None
    assert public_point(d).x == other[0]


def test_any_other_integer_costs_one_multiplication() -> None:
    source = random.Random(8)
    assert {len(x25519_scalars(source.randrange(1, N))) for _ in range(500)} == {1}


@given(st.one_of(st.integers(1, N - 1), st.integers(1, 2**20), st.integers(N - 2**20, N - 1)))
@settings(max_examples=50)
def test_every_scalar_survives_the_clamping_of_x25519(d: int) -> None:
    for scalar in x25519_scalars(d):
        assert scalar[0] & 7 == 0
        assert scalar[31] & 0xC0 == 0x40


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_an_x25519_private_key_becomes_the_integer_with_the_same_public_key(private_bytes: bytes) -> None:
    public = X25519PrivateKey.from_private_bytes(private_bytes).public_key().public_bytes_raw()
    assert public_point(integer_of(private_bytes)).x == curve.x_of_u(public)


@pytest.mark.parametrize("d", [0, N, N + 1, -1])
def test_an_integer_outside_the_group_is_refused(d: int) -> None:
    with pytest.raises(ValueError, match="order of the group"):
        x25519_scalars(d)


@given(st.integers(1, N - 1), st.integers(1, N - 1))
@settings(max_examples=30)
def test_both_sides_agree_on_32_bytes(ours: int, theirs: int) -> None:
    shared = shared_secret(ours, public_point(theirs))
    assert shared == shared_secret(theirs, public_point(ours))
    assert len(shared) == 32


@given(st.integers(1, N - 1))
@settings(max_examples=50)
def test_the_y_of_our_own_points_never_begins_with_zero(d: int) -> None:
    point = public_point(d)
    assert Point.checked(point.x, point.y) == point
    assert point.y >= 2**248


def test_an_x_without_a_point_is_refused() -> None:
    x = next(x for x in range(2, 100) if square_root(curve.right_side(x)) is None)
    with pytest.raises(ValueError, match="x of a point"):
        Point.above(x)
