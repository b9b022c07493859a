"""``TokenCache`` in Redis."""

import hashlib
import json
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hip.adapters.redis_failures import translated
from hip.application.ports import KeyVault
from hip.domain.errors import Unsealable
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId
from hip.domain.links import LinkToken


class RedisTokenCache:
    """Link tokens, sealed, under ``hip:link-token:{HIP}:{SHA-256 of the ABHA address}``, as long as they live.

    The client belongs to the event loop that first uses it. Every method raises StorageFailed when Redis is away; the
    caller then goes on without a cache.
    """

    def __init__(self, url: str, vault: KeyVault, *, answered_within: timedelta = timedelta(seconds=2)) -> None:
        """Connects at first use. One retry, at once, for a connection that had gone stale."""
        seconds = answered_within.total_seconds()
        self._client = Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 1)
        )
        self._vault = vault

    async def get(self, hip_id: HipId, abha_address: AbhaAddress, *, now: datetime) -> LinkToken | None:
        """``TokenCache.get``. A value that does not open with our keys is none: Postgres has the token."""
        key = _key(hip_id, abha_address)
        with translated():
            sealed = await self._client.get(key)
        if not isinstance(sealed, bytes):
            return None
        try:
            token = _read(self._vault.unseal(sealed, context=key), hip_id=hip_id, abha_address=abha_address)
        except Unsealable:
            return None
        return token if now < token.expires_at else None

    async def put(self, token: LinkToken, *, now: datetime) -> None:
        """``TokenCache.put``. An expired token only removes what was there."""
        key = _key(token.hip_id, token.abha_address)
        life = token.life(now=now) // timedelta(milliseconds=1)
        with translated():
            if life > 0:
                await self._client.set(key, self._vault.seal(_written(token), context=key), px=life)
            else:
                await self._client.delete(key)

    async def drop(self, hip_id: HipId, abha_address: AbhaAddress) -> None:
        """``TokenCache.drop``."""
        with translated():
            await self._client.delete(_key(hip_id, abha_address))

    async def ping(self) -> None:
        """Raises StorageFailed unless Redis answers."""
        with translated():
            await self._client.ping()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _key(hip_id: HipId, abha_address: AbhaAddress) -> str:
    return f"hip:link-token:{hip_id}:{hashlib.sha256(abha_address.text.encode()).hexdigest()}"


def _written(token: LinkToken) -> bytes:
    number = None if token.abha_number is None else token.abha_number.digits
    value = {"value": token.value, "abhaNumber": number, "expiresAt": token.expires_at.isoformat()}
    return json.dumps(value).encode()


def _read(content: bytes, *, hip_id: HipId, abha_address: AbhaAddress) -> LinkToken:
    value = json.loads(content)
    number = value["abhaNumber"]
    return LinkToken(
        hip_id=hip_id,
        abha_address=abha_address,
        abha_number=None if number is None else AbhaNumber(number),
        value=value["value"],
        expires_at=datetime.fromisoformat(value["expiresAt"]),
    )
