"""The requester's key material, as far as the standard library can judge it (REL-14, REL-15)."""

from datetime import datetime, timedelta

import pytest
from tests.builders.moments import DAY, NOW

from hip.domain.errors import KeyMaterialRefused
from hip.domain.key_material import KeyMaterial

TICK = timedelta(microseconds=1)


def material(**changes: object) -> KeyMaterial:
    values: dict[str, object] = {"public_key": "BFBVQklU", "nonce": "bm9uY2U=", "expires_at": NOW + DAY}
    return KeyMaterial(**(values | changes))  # type: ignore[arg-type]


def refused(usable: KeyMaterial) -> str | None:
    """The field that is named, None when it may be used."""
    try:
        usable.require_usable(now=NOW)
    except KeyMaterialRefused as refusal:
        return str(refusal).partition(":")[0]
    return None


@pytest.mark.parametrize("algorithm", ["ECDH", "ecdh", " Ecdh "])
@pytest.mark.parametrize("curve", ["Curve25519", "curve25519", "CURVE25519 "])
def test_rel_14_ecdh_on_curve25519_is_usable_in_any_case(algorithm: str, curve: str) -> None:
    assert refused(material(algorithm=algorithm, curve=curve)) is None


@pytest.mark.parametrize("algorithm", ["", "RSA", "ECDHE", "EC DH"])
def test_rel_14_another_algorithm_is_refused(algorithm: str) -> None:
    assert refused(material(algorithm=algorithm)) == "keyMaterial.cryptoAlg"


@pytest.mark.parametrize("curve", ["", "P-256", "X25519", "Curve448", "Curve 25519"])
def test_rel_14_another_curve_is_refused(curve: str) -> None:
    assert refused(material(curve=curve)) == "keyMaterial.curve"


@pytest.mark.parametrize(
    ("expires_at", "usable"),
    [
        (NOW + TICK, True),
        (datetime(2124, 1, 1, tzinfo=NOW.tzinfo), True),
        (NOW, False),
        (NOW - TICK, False),
        # Still the same date in UTC, yet over: times are compared, not dates.
        (NOW.replace(hour=0), False),
        (None, False),
    ],
)
def test_rel_15_the_key_must_outlive_the_moment(expires_at: datetime | None, usable: bool) -> None:
    """An expiry that is no date fails closed."""
    assert refused(material(expires_at=expires_at)) == (None if usable else "keyMaterial.dhPublicKey.expiry")


def test_what_is_sent_names_the_algorithm_curve_and_parameters() -> None:
    """Contract §2.11."""
    ours = material()
    assert (ours.algorithm, ours.curve, ours.parameters) == ("ECDH", "Curve25519", "Curve25519/32byte random key")
