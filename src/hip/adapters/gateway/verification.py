"""Is this callback from the gateway? Its JWT says so, or nothing does (contract §1.6, CB-01, CB-02)."""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from hip.adapters.gateway.errors import Unauthenticated
from hip.adapters.gateway.keys import ALGORITHMS, FetchKeys, SigningKey, SigningKeys
from hip.application.ports import Clock

LONGEST_TOKEN = 16 * 1024
"""Characters; the gateway's are about 1,500."""

_REMEMBERED = 1024

CheckSignature = Callable[[str, SigningKey], Mapping[str, Any]]
"""The claims of a token that this key signed; raises a JoseError or ValueError for any other token."""


def signed_claims(token: str, signing: SigningKey) -> Mapping[str, Any]:
    """The signature check itself: the one costly thing about a callback's header. See ``CheckSignature``."""
    return jwt.decode(token, signing.key, algorithms=[signing.alg]).claims


class JwksVerifier:
    """Checks a bearer token against the gateway's published keys.

    Only RS256 and RS512 are known, and only as the algorithm the key with the token's ``kid`` states for itself: so
    neither ``none``, nor an HMAC made with a public key, nor a key of another algorithm can pass. ``audience`` None
    and ``issuers`` None switch those two checks off.
    """

    def __init__(
        self,
        fetch: FetchKeys,
        clock: Clock,
        *,
        audience: str | None = "account",
        issuers: frozenset[str] | None = None,
        leeway: timedelta = timedelta(seconds=60),
        cache_life: timedelta = timedelta(hours=1),
        stale_life: timedelta = timedelta(hours=24),
        refetch_after: timedelta = timedelta(seconds=60),
        check: CheckSignature = signed_claims,
    ) -> None:
        self._keys = SigningKeys(fetch, cache_life=cache_life, stale_life=stale_life, refetch_after=refetch_after)
        self._clock = clock
        self._audience = audience
        self._issuers = issuers
        self._leeway = leeway
        self._check = check
        self._proven: OrderedDict[bytes, float] = OrderedDict()
        self._generation = 0

    async def verify(self, authorization: str | None) -> None:
        """Return when the header proves the gateway; raise Unauthenticated otherwise, without any part of the token.

        A proven token is remembered by its hash, so that a busy gateway costs one signature check: until it expires,
        until the keys change, and no longer than until they are asked for again.
        """
        if authorization is None or not authorization.strip():
            raise Unauthenticated("no Authorization header", code="ABDM-2501")
        token = _bearer(authorization)
        now = self._clock()
        digest = hashlib.sha256(token.encode()).digest()
        if self._remembers(digest, now):
            return
        kid, alg = _named_key(token)
        signing = await self._keys.find(kid, alg, now=now)
        if self._remembers(digest, now):
            return  # proven by another callback while this one waited for the keys
        try:
            claims = dict(self._check(token, signing))
            self._registry(now).validate(claims)
            expiry = float(claims["exp"])
        except (JoseError, ValueError, TypeError, RecursionError, OverflowError):
            raise Unauthenticated("the token does not hold") from None
        self._remember(digest, min(expiry, self._keys.due.timestamp()))

    def _registry(self, now: datetime) -> jwt.JWTClaimsRegistry:
        wanted: dict[str, jwt.ClaimsOption] = {"exp": {"essential": True}}
        if self._audience is not None:
            wanted["aud"] = {"essential": True, "value": self._audience}
        if self._issuers is not None:
            wanted["iss"] = {"essential": True, "values": sorted(self._issuers)}
        return jwt.JWTClaimsRegistry(
            now=math.floor(now.timestamp()), leeway=math.floor(self._leeway.total_seconds()), **wanted
        )

    def _remembers(self, digest: bytes, now: datetime) -> bool:
        self._forget_older_keys()
        expiry = self._proven.get(digest)
        if expiry is None or now.timestamp() >= expiry:
            return False
        self._proven.move_to_end(digest)
        return True

    def _remember(self, digest: bytes, expiry: float) -> None:
        self._forget_older_keys()
        self._proven[digest] = expiry
        while len(self._proven) > _REMEMBERED:
            self._proven.popitem(last=False)

    def _forget_older_keys(self) -> None:
        if self._generation != self._keys.generation:
            self._proven.clear()
            self._generation = self._keys.generation


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAuth:
    """What to make of a callback's Authorization header (CB-02).

    With ``enforce`` every callback must be proven; without it one that carries no header passes as unverified. A
    header that is present and wrong is refused either way.
    """

    verifier: JwksVerifier
    enforce: bool = True

    async def check(self, authorization: str | None) -> bool:
        """True when proven, False for an absent header that is let pass. Raises Unauthenticated."""
        if not self.enforce and (authorization is None or not authorization.strip()):
            return False
        await self.verifier.verify(authorization)
        return True


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token.isascii() or not 0 < len(token) <= LONGEST_TOKEN:
        raise Unauthenticated("the Authorization header holds no bearer token")
    return token


def _named_key(token: str) -> tuple[str, str]:
    """The ``kid`` and ``alg`` of the token's header, which nothing vouches for yet."""
    try:
        header: dict[str, Any] = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError, RecursionError, AttributeError):
        raise Unauthenticated("the bearer token is no JWT") from None
    kid, alg = header.get("kid"), header.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise Unauthenticated("the token's algorithm is not allowed")
    if not isinstance(kid, str) or not kid:
        raise Unauthenticated("the token names no key")
    return kid, alg
