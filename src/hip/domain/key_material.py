"""Key material as it travels between a HIP and a requester (contract §2.10, §2.11, §3)."""

from dataclasses import dataclass, field
from datetime import datetime

from hip.domain.errors import KeyMaterialRefused

ALGORITHM = "ECDH"
CURVE = "Curve25519"
PARAMETERS = "Curve25519/32byte random key"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMaterial:
    """One side's ephemeral public key and nonce, both base64 text exactly as received or to be sent.

    ``expires_at`` is UTC; None when the other side wrote something that is no date. Only public values are here,
    yet they are kept out of ``repr``: a log must not tie a person's transfer to a key.
    """

    public_key: str = field(repr=False)
    nonce: str = field(repr=False)
    expires_at: datetime | None
    algorithm: str = ALGORITHM
    curve: str = CURVE
    parameters: str = PARAMETERS

    def require_usable(self, *, now: datetime) -> None:
        """REL-14 and REL-15 as far as the standard library can tell. Raises KeyMaterialRefused.

        The point and the nonce are checked by the sealer.
        """
        self.require_suite()
        self.require_unexpired(now=now)

    def require_suite(self) -> None:
        """REL-14: the algorithm must be ECDH, the curve Curve25519 (any case). Raises KeyMaterialRefused."""
        if self.algorithm.strip().upper() != ALGORITHM:
            raise KeyMaterialRefused("keyMaterial.cryptoAlg: expected ECDH")
        if self.curve.strip().lower() != CURVE.lower():
            raise KeyMaterialRefused("keyMaterial.curve: expected Curve25519")

    def require_unexpired(self, *, now: datetime) -> None:
        """REL-15: the expiry, which fails closed when absent, must be after ``now``. Raises KeyMaterialRefused."""
        if self.expires_at is None:
            raise KeyMaterialRefused("keyMaterial.dhPublicKey.expiry: expected a date and time")
        if self.expires_at <= now:
            raise KeyMaterialRefused("keyMaterial.dhPublicKey.expiry: expected a time in the future")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPage:
    """The ciphertexts of one page, in the order of its plaintexts, with the key material that opens them.

    ``contents`` are standard base64 with padding of ciphertext and 16-byte tag.
    """

    contents: tuple[str, ...] = field(repr=False)
    key_material: KeyMaterial
