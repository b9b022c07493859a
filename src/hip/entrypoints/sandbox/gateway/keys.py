"""The gateway's two signing keys and everything signed with them (contract §1.5, §1.6, §2.1, §2.9)."""

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc import jwt
from joserfc.jwk import RSAKey

CALLBACK_LIFE = timedelta(seconds=600)
LINK_TOKEN_LIFE = timedelta(days=182)


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """``unused`` (RS512) stands first in the JWKS and signs link tokens; ``signing`` (RS256), second, signs callbacks.

    That order is the trap for readers who take ``keys[0]`` instead of looking for the ``kid``.
    """

    unused: RSAKey = field(repr=False)
    signing: RSAKey = field(repr=False)

    @classmethod
    def generate(cls, *, bits: int = 2048) -> "GatewayKeys":
        """Two new RSA keys with random key ids."""
        return cls(_key("RS512", bits), _key("RS256", bits))

    def with_new_signing_key(self) -> "GatewayKeys":
        """The same set after the gateway changed the key it signs callbacks with."""
        return GatewayKeys(self.unused, _key("RS256", 2048))

    def jwks(self) -> dict[str, Any]:
        """The public halves."""
        return {"keys": [key.as_dict(private=False) for key in (self.unused, self.signing)]}

    def session_token(self, client_id: str, *, issuer: str, at: datetime, life: timedelta) -> str:
        """An access token. Its claims are those of the older gateway's tokens; the v3 set is not published."""
        return _signed(self.signing, "RS256", _claims(client_id, issuer=issuer, at=at, life=life))

    def callback_token(self, client_id: str, *, issuer: str, at: datetime) -> str:
        """What a callback carries in ``authorization``: 600 seconds of life, audience ``account``, role ``gateway``."""
        return _signed(self.signing, "RS256", _claims(client_id, issuer=issuer, at=at, life=CALLBACK_LIFE))

    def link_token(self, *, hip_id: str, abha_address: str, abha_number: str | None, at: datetime) -> str:
        """A link token of six months, bound to the facility, the address and, when it was given, the number."""
        claims: dict[str, Any] = {
            "sub": abha_address,
            "requesterType": "HIP",
            "requesterId": hip_id,
            "hipId": hip_id,
            "patientId": abha_address,
            "abhaAddress": abha_address,
            "sessionId": str(uuid.uuid4()),
            "iat": int(at.timestamp()),
            "exp": int((at + LINK_TOKEN_LIFE).timestamp()),
        }
        if abha_number is not None:
            claims["abhaNumber"] = abha_number
        return _signed(self.unused, "RS512", claims)

    def consent_signature(self, detail: Mapping[str, Any]) -> str:
        """RSA-SHA256 over the compact JSON with sorted keys. The real algorithm and byte form are not published."""
        data = msgspec.json.encode(detail, order="sorted")
        private = self.signing.private_key
        assert isinstance(private, RSAPrivateKey)
        return base64.b64encode(private.sign(data, padding.PKCS1v15(), hashes.SHA256())).decode()


def _key(alg: str, bits: int) -> RSAKey:
    return RSAKey.generate_key(bits, {"kid": str(uuid.uuid4()), "use": "sig", "alg": alg}, private=True)


def _claims(client_id: str, *, issuer: str, at: datetime, life: timedelta) -> dict[str, Any]:
    return {
        "iss": f"{issuer}/realms/central-registry",
        "aud": "account",
        "sub": str(uuid.uuid4()),
        "azp": client_id,
        "clientId": client_id,
        "typ": "Bearer",
        "jti": str(uuid.uuid4()),
        "realm_access": {"roles": ["gateway", "hip", "hiu"]},
        "iat": int(at.timestamp()),
        "exp": int((at + life).timestamp()),
    }


def _signed(key: RSAKey, alg: str, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": alg, "kid": str(key.kid)}, claims, key, algorithms=[alg])
