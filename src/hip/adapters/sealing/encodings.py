"""What ABDM systems write as a public key, a nonce and a private integer, and how ours are written (contract §3.2)."""

import binascii
from base64 import b64encode

from hip.adapters.sealing.curve import COORDINATE_BYTES, N, Point
from hip.domain.errors import KeyMaterialRefused

NONCE_BYTES = 32
UNCOMPRESSED = b"\x04"

# A key of any known form is shorter than 420 characters; a limit keeps a hostile one from costing anything.
_LONGEST_TEXT = 1024
_POINT_BYTES = 1 + 2 * COORDINATE_BYTES

EXPLICIT_PREFIX = binascii.a2b_base64(
    "MIIBMTCB6gYHKoZIzj0CATCB3gIBATArBgcqhkjOPQEBAiB/////////////////////////////////////////7TBEBCAqqqqqqqqqqqqqqqqq"
    "qqqqqqqqqqqqqqqqqqqYSRShRAQge0Je0Je0Je0Je0Je0Je0Je0Je0Je0Je0JgtenHcQyGQEQQQqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"
    "qq0kWiCuGaG4oIa04B7dLHdI0UySPU1+bXxhsinpxaJ+ztPZAiAQAAAAAAAAAAAAAAAAAAAAFN753qL3nNZYEmMaXPXT7QIBCANCAAQ="
)
"""The 245 constant bytes before x and y of an X.509 key with explicit parameters; the last is the point's 04."""

NAMED_PREFIX = bytes.fromhex("305b301506072a8648ce3d0201060a2b06010401975501050103420004")
"""The 29 constant bytes before x and y of an X.509 key that names BouncyCastle's curve."""

_URL_SAFE = str.maketrans("-_", "+/")

# How the bytes of a point whose leading zeros were dropped may divide into x and y, by how many are left.
_SPLITS = {
    64: ((32, 32),),
    63: ((31, 32), (32, 31)),
    62: ((31, 31), (30, 32), (32, 30)),
}


def decode_base64(text: str, *, field: str) -> bytes:
    """Standard or URL-safe base64, with or without padding, white space anywhere.

    Raises KeyMaterialRefused, naming ``field``, for anything else.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        pass  # the common, clean spelling was tried first: it is five times cheaper
    symbols = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    try:
        return binascii.a2b_base64(symbols + "=" * (-len(symbols) % 4), strict_mode=True)
    except ValueError:
        raise KeyMaterialRefused(f"{field}: expected base64") from None


def decode_nonce(text: str, *, field: str) -> bytes:
    """REL-14: exactly 32 bytes. Raises KeyMaterialRefused, naming ``field``."""
    nonce = decode_base64(_bounded(text, field), field=field)
    if len(nonce) != NONCE_BYTES:
        raise KeyMaterialRefused(f"{field}: expected base64 of 32 bytes, found {len(nonce)} bytes")
    return nonce


def decode_point(text: str, *, field: str) -> Point:
    """A public key in any form seen on the wire (contract §3.2).

    Raw 65 bytes, X.509 with explicit parameters (309), X.509 with the named curve (93), any other wrapping that ends
    with the 65 bytes, and the 64 or 63 bytes of systems that drop the leading zeros of x or y. Raises
    KeyMaterialRefused, naming ``field``, for what is none of these or no usable point (REL-14).
    """
    data = decode_base64(_bounded(text, field), field=field)
    if len(data) == COORDINATE_BYTES:
        raise KeyMaterialRefused(
            f"{field}: expected a 65-byte point of ABDM's Weierstrass Curve25519, found a 32-byte raw X25519 key"
        )
    coordinates = _coordinates(data)
    if coordinates is None:
        raise KeyMaterialRefused(f"{field}: expected an uncompressed 65-byte point, raw or as X.509")
    reason = ""
    for x_length, _ in _SPLITS[len(coordinates)]:
        try:
            return Point.checked(
                int.from_bytes(coordinates[:x_length], "big"), int.from_bytes(coordinates[x_length:], "big")
            )
        except ValueError as refusal:
            reason = str(refusal)
    raise KeyMaterialRefused(f"{field}: expected {reason}")


def decode_integer(text: str, *, field: str) -> int:
    """A private key as fidelius-cli writes it: base64 of a big-endian integer from 1 to N - 1.

    Leading zero bytes may be there or not, as Java's BigInteger leaves them. Raises KeyMaterialRefused, naming
    ``field`` and never the value.
    """
    d = int.from_bytes(decode_base64(_bounded(text, field), field=field), "big")
    if not 1 <= d < N:
        raise KeyMaterialRefused(f"{field}: expected base64 of a 32-byte integer within the order of the curve")
    return d


def encode_x509(point: Point) -> str:
    """The form every known decoder takes: 309 bytes with explicit parameters, 412 characters (contract §3.3)."""
    return _text(EXPLICIT_PREFIX + _bytes(point))


def encode_raw(point: Point) -> str:
    """04, x and y: 65 bytes, 88 characters."""
    return _text(UNCOMPRESSED + _bytes(point))


def encode_integer(d: int) -> str:
    """A private integer as base64 of 32 big-endian bytes. It is below 2^253, so Java reads it as positive."""
    return _text(d.to_bytes(COORDINATE_BYTES, "big"))


def encode_bytes(data: bytes) -> str:
    """Standard base64 with padding and without line breaks."""
    return _text(data)


def _coordinates(data: bytes) -> bytes | None:
    """x and y, 62 to 64 bytes, without what stands before them; None for an unknown layout."""
    for prefix in (EXPLICIT_PREFIX, NAMED_PREFIX):
        if data.startswith(prefix):
            rest = data[len(prefix) :]
            break
    else:
        point = data[-_POINT_BYTES:]
        if not point.startswith(UNCOMPRESSED):
            return None
        rest = point[1:]
    return rest if len(rest) in _SPLITS else None


def _bounded(text: str, field: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise KeyMaterialRefused(f"{field}: expected at most {_LONGEST_TEXT} characters")
    return text


def _bytes(point: Point) -> bytes:
    return point.x.to_bytes(COORDINATE_BYTES, "big") + point.y.to_bytes(COORDINATE_BYTES, "big")


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
