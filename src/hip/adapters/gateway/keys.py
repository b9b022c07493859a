"""The gateway's signing keys: fetched when needed, kept for a while, asked again sparingly (contract §1.6, CB-01)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from hip.adapters.gateway.errors import Unauthenticated
from hip.domain.errors import HipError

ALGORITHMS = ("RS256", "RS512")

_SMALLEST_KEY = 2048  # bits
_AFTER_FAILURE = timedelta(seconds=5)

FetchKeys = Callable[[], Awaitable[Mapping[str, Any]]]
"""Fetches the JWK set; raises a HipError when it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An RSA key that may sign callbacks, with the one algorithm it states for itself."""

    kid: str
    alg: str
    key: RSAKey


class SigningKeys:
    """The set as last fetched. ``generation`` changes with every fetch: what older keys proved is to be proven anew."""

    def __init__(
        self, fetch: FetchKeys, *, cache_life: timedelta, stale_life: timedelta, refetch_after: timedelta
    ) -> None:
        self._fetch = fetch
        self._cache_life = cache_life
        self._stale_life = stale_life
        self._refetch_after = refetch_after
        self._keys: Mapping[tuple[str, str], SigningKey] = {}
        self._fetched_at: datetime | None = None
        self._not_before: datetime | None = None
        self._fetching = asyncio.Lock()
        self.generation = 0

    async def find(self, kid: str, alg: str, *, now: datetime) -> SigningKey:
        """The key with this id and algorithm; an unknown id asks the gateway, at most once per ``refetch_after``.

        Keys older than ``cache_life`` are renewed, and while the gateway cannot be asked they serve on until
        ``stale_life``. Raises Unauthenticated, also when there are no keys at all: it fails closed.
        """
        if self._age(now) >= self._cache_life or (kid, alg) not in self._keys:
            await self._renew(kid, alg, now)
        if self._age(now) >= self._stale_life:
            raise Unauthenticated("the gateway's signing keys are not at hand")
        found = self._keys.get((kid, alg))
        if found is None:
            raise Unauthenticated("signed with a key the gateway does not publish")
        return found

    @property
    def due(self) -> datetime:
        """When the keys at hand (there are some) are asked for again, UTC: a withdrawn one proves nothing after that.

        Past ``cache_life`` it is when the gateway, which was away, may be asked next; never past ``stale_life``.
        """
        fetched_at = self._fetched_at or datetime.min.replace(tzinfo=UTC)
        due = fetched_at + self._cache_life
        return min(max(due, self._not_before or due), fetched_at + self._stale_life)

    def _age(self, now: datetime) -> timedelta:
        return timedelta.max if self._fetched_at is None else now - self._fetched_at

    async def _renew(self, kid: str, alg: str, now: datetime) -> None:
        async with self._fetching:
            fresh = self._age(now) < self._cache_life
            if (fresh and (kid, alg) in self._keys) or (self._not_before is not None and now < self._not_before):
                return
            try:
                content = await self._fetch()
            except HipError:
                # With keys at hand nobody shall wait for a gateway that is down more than once a minute.
                self._not_before = now + (self._refetch_after if self._keys else _AFTER_FAILURE)
                return
            self._keys = {(key.kid, key.alg): key for key in usable_keys(content)}
            self._fetched_at = now
            self._not_before = now + self._refetch_after
            self.generation += 1


def usable_keys(content: Mapping[str, Any]) -> list[SigningKey]:
    """RSA keys of 2048 bits or more with an id and one of our algorithms; all others of the set are passed over."""
    listed = content.get("keys")
    found: list[SigningKey] = []
    for jwk in listed if isinstance(listed, list) else []:
        if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig":
            continue
        kid, alg, n, e = (jwk.get(name) for name in ("kid", "alg", "n", "e"))
        if not (isinstance(kid, str) and isinstance(n, str) and isinstance(e, str)) or alg not in ALGORITHMS:
            continue
        try:
            key = RSAKey.import_key({"kty": "RSA", "n": n, "e": e, "use": "sig", "alg": alg})
            size = key.public_key.key_size
        except (JoseError, ValueError, TypeError, AttributeError):
            continue
        if size >= _SMALLEST_KEY:
            found.append(SigningKey(kid=kid, alg=alg, key=key))
    return found
