"""What the decoder takes and refuses (contract §3.2, REL-14)."""

import hashlib
import random
from base64 import b64encode, urlsafe_b64encode

import pytest
from abdm_ecdh import curve as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.sealing.peers import stripped, with_leading_zero_in_x, with_leading_zero_in_y

from hip.adapters.sealing import encodings
from hip.adapters.sealing.curve import N, P, Point, right_side, square_root
from hip.adapters.sealing.encodings import (
    EXPLICIT_PREFIX,
    NAMED_PREFIX,
    decode_base64,
    decode_integer,
    decode_nonce,
    decode_point,
    encode_integer,
    encode_raw,
    encode_x509,
)
from hip.adapters.sealing.ephemeral import public_point
from hip.domain.errors import KeyMaterialRefused

points = st.integers(1, N - 1).map(public_point)


def raw(x: int, y: int) -> bytes:
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def text(data: bytes) -> str:
    return b64encode(data).decode()


def refusal_of(key: str) -> str:
    with pytest.raises(KeyMaterialRefused) as caught:
        decode_point(key, field="key")
    return str(caught.value)


def test_the_constant_prefix_is_the_one_every_implementation_sends() -> None:
    assert len(EXPLICIT_PREFIX) == 245
    digest = hashlib.sha256(EXPLICIT_PREFIX).hexdigest()
    assert digest == "2fa398fdae5209befa2fa2c2920bd3bb5c009792c088c938935d3152f6b053eb"


@given(points)
@settings(max_examples=50)
def test_every_form_comes_back_as_the_same_point(point: Point) -> None:
    body = raw(point.x, point.y)
    forms = [body, EXPLICIT_PREFIX + body[1:], NAMED_PREFIX + body[1:]]
    assert [len(form) for form in forms] == [65, 309, 93]
    assert [len(text(form)) for form in forms] == [88, 412, 124]
    assert (encode_raw(point), encode_x509(point)) == (text(forms[0]), text(forms[1]))
    for form in forms:
        assert decode_point(text(form), field="key") == point
        assert decode_point(urlsafe_b64encode(form).decode(), field="key") == point
        assert decode_point(text(form).rstrip("="), field="key") == point


@given(points, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_white_space_anywhere_is_ignored(point: Point, chance: random.Random) -> None:
    symbols = list(encode_x509(point))
    for _ in range(8):
        symbols.insert(chance.randrange(len(symbols) + 1), chance.choice([" ", "\n", "\r\n", "\t"]))
    assert decode_point("".join(symbols), field="key") == point


def test_a_key_in_other_wrapping_is_read_by_its_last_65_bytes() -> None:
    point = public_point(4711)
    assert decode_point(text(b"\x30\x45" + raw(point.x, point.y)), field="key") == point


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("prefix", [b"\x04", EXPLICIT_PREFIX, NAMED_PREFIX], ids=["raw", "explicit", "named"])
def test_an_x_that_lost_its_leading_zero_is_put_right(seed: int, prefix: bytes) -> None:
    point = with_leading_zero_in_x(seed).point
    data = prefix + stripped(point.x) + point.y.to_bytes(32, "big")
    assert len(data) == len(prefix) + 63
    assert decode_point(text(data), field="key") == point


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("prefix", [b"\x04", EXPLICIT_PREFIX, NAMED_PREFIX], ids=["raw", "explicit", "named"])
def test_a_y_that_lost_its_leading_zero_is_put_right(seed: int, prefix: bytes) -> None:
    point = with_leading_zero_in_y(seed).point
    data = prefix + point.x.to_bytes(32, "big") + stripped(point.y)
    assert len(data) == len(prefix) + 63
    assert decode_point(text(data), field="key") == point


def small_point(limit_x: int, limit_y: int, start: int) -> Point:
    """A point whose coordinates are below the limits, of no known private integer: decoding needs none."""
    x = start
    while True:
        x = (x * 0x10001 + 12345) % limit_x
        y = square_root(right_side(x))
        if y is not None and min(y, P - y) < limit_y:
            return Point.checked(x, min(y, P - y))


@pytest.mark.parametrize(
    ("limit_x", "limit_y"), [(2**248, 2**248), (2**240, 2**255), (2**240, 2**248)], ids=["31+31", "30+32", "30+31"]
)
def test_two_lost_bytes_are_put_right_and_three_are_refused(limit_x: int, limit_y: int) -> None:
    point = small_point(limit_x, limit_y, start=2**239 + 977)
    data = b"\x04" + stripped(point.x) + stripped(point.y)
    if len(data) == 63:
        assert decode_point(text(data), field="key") == point
    else:
        assert "uncompressed 65-byte point" in refusal_of(text(data))


@given(points)
@settings(max_examples=50)
def test_a_point_off_the_curve_is_refused(point: Point) -> None:
    assert refusal_of(text(raw(point.x, (point.y + 1) % P))) == "key: expected a point on the curve"
    assert refusal_of(text(raw((point.x + 1) % P, point.y))) == "key: expected a point on the curve"


@given(points)
@settings(max_examples=50)
def test_a_coordinate_not_below_the_prime_is_refused(point: Point) -> None:
    assert refusal_of(text(raw(point.x + P, point.y))) == "key: expected coordinates below the field prime"
    assert refusal_of(text(raw(point.x, point.y + P))) == "key: expected coordinates below the field prime"


def small_order_points() -> list[tuple[int, int]]:
    """Every affine point whose order divides 8: order N times any point of the curve, until all seven turned up."""
    found: set[tuple[int, int]] = set()
    x = 1
    while len(found) < 7:
        x += 1
        y = square_root(right_side(x))
        if y is None:
            continue
        torsion = reference.point_add(reference.scalar_mult(N - 1, (x, y)), (x, y))
        if torsion is not None:
            found |= {torsion, (torsion[0], -torsion[1] % P)}
    return sorted(found)


def test_every_point_of_small_order_is_refused() -> None:
    """REL-14: the agreement with such a point would be known to everybody."""
    for x, y in small_order_points():
        eightfold: reference.Point = (x, y)
        for _ in range(3):
            eightfold = reference.point_double(eightfold)
        assert eightfold is None
        for form in (raw(x, y), EXPLICIT_PREFIX + raw(x, y)[1:], NAMED_PREFIX + raw(x, y)[1:]):
            assert refusal_of(text(form)) == "key: expected a point that is not of small order"


@pytest.mark.parametrize("identity", [b"\x00", bytes(65), b"\x04" + bytes(64), EXPLICIT_PREFIX + bytes(64)])
def test_the_identity_is_refused_in_every_spelling(identity: bytes) -> None:
    assert refusal_of(text(identity)).startswith("key: expected ")


def test_a_raw_x25519_key_is_refused_with_a_hint() -> None:
    message = refusal_of(text(bytes(range(32))))
    assert "32-byte raw X25519 key" in message
    assert "Weierstrass" in message


@pytest.mark.parametrize(
    "key",
    [
        "",
        "    ",
        "====",
        "A",
        "not base64!",
        "BAhe*",
        "ключ",
        "\ud800",
        text(b"\x02" + bytes(32)),
        text(b"\x04"),
        "A" * 1025,
    ],
)
def test_what_is_no_key_is_refused_without_repeating_it(key: str) -> None:
    message = refusal_of(key)
    assert message.startswith("key: expected ")
    assert not key.strip() or len(key) < 2 or key not in message


def test_a_compressed_or_headless_point_is_refused() -> None:
    point = public_point(31337)
    x, y = point.x.to_bytes(32, "big"), point.y.to_bytes(32, "big")
    assert "uncompressed" in refusal_of(text(b"\x03" + x))
    assert "uncompressed" in refusal_of(text(b"\x05" + x + y))
    assert "uncompressed" in refusal_of(text(EXPLICIT_PREFIX + x + y[:28]))


@given(st.binary(min_size=0, max_size=400))
@settings(max_examples=50)
def test_random_bytes_are_refused_and_nothing_else_is_raised(data: bytes) -> None:
    assert refusal_of(text(data)).startswith("key: expected ")


@given(st.text(max_size=120))
@settings(max_examples=50)
def test_random_text_is_refused_and_nothing_else_is_raised(key: str) -> None:
    assert refusal_of(key).startswith("key: expected ")


@pytest.mark.parametrize("size", [0, 1, 16, 31, 33, 36, 64])
def test_a_nonce_of_another_size_is_refused(size: int) -> None:
    """REL-14. The nonce in an official example is a UUID's text: 36 characters that are no 32 bytes."""
    with pytest.raises(KeyMaterialRefused, match=f"^nonce: expected base64 of 32 bytes, found {size} bytes$"):
        decode_nonce(text(bytes(size)), field="nonce")


def test_a_uuid_is_no_nonce() -> None:
    with pytest.raises(KeyMaterialRefused, match=r"^nonce: expected "):
        decode_nonce("3fa85f64-5717-4562-b3fc-2c963f66afa6", field="nonce")


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_a_nonce_is_read_in_every_spelling_of_base64(nonce: bytes) -> None:
    for spelling in (text(nonce), urlsafe_b64encode(nonce).decode(), text(nonce).rstrip("="), f" {text(nonce)}\n"):
        assert decode_nonce(spelling, field="nonce") == nonce


@given(st.integers(1, N - 1))
@settings(max_examples=50)
def test_a_private_integer_comes_back_however_java_wrote_it(d: int) -> None:
    assert len(encode_integer(d)) == 44
    shortest = d.to_bytes((d.bit_length() + 7) // 8, "big")
    for written in (encode_integer(d), text(shortest), text(b"\x00" + shortest)):
        assert decode_integer(written, field="key") == d


@pytest.mark.parametrize("d", [0, N, 2**256 - 1])
def test_a_private_integer_outside_the_group_is_refused(d: int) -> None:
    with pytest.raises(KeyMaterialRefused, match=r"^key: expected base64 of a 32-byte integer"):
        decode_integer(text(d.to_bytes(32, "big")), field="key")


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_our_base64_is_padded_and_on_one_line(data: bytes) -> None:
    written = encodings.encode_bytes(data)
    assert len(written) % 4 == 0
    assert "\n" not in written
    assert decode_base64(written, field="content") == data
