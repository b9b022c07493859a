"""``SessionCache`` in Redis."""

import hashlib
import json
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hip.adapters.redis_failures import translated
from hip.application.ports import KeyVault
from hip.domain.errors import Unsealable


class RedisSessionCache:
    """The session token, sealed, under ``hip:gateway-session:{SHA-256 of gateway and client id}``, while it is good.

    Two deployments on one Redis with different clients never see each other's. The client belongs to the event loop
    that first uses it. Every method raises StorageFailed when Redis is away.
    """

    def __init__(
        self,
        url: str,
        vault: KeyVault,
        *,
        gateway_url: str,
        client_id: str,
        answered_within: timedelta = timedelta(seconds=2),
    ) -> None:
        seconds = answered_within.total_seconds()
        self._client = Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 1)
        )
        self._vault = vault
        whose = hashlib.sha256(f"{gateway_url}|{client_id}".encode()).hexdigest()
        self._key = f"hip:gateway-session:{whose}"

    async def get(self, *, now: datetime) -> tuple[str, datetime] | None:
        """``SessionCache.get``. A value that does not open with our keys is none."""
        with translated():
            sealed = await self._client.get(self._key)
        if not isinstance(sealed, bytes):
            return None
        try:
            kept = json.loads(self._vault.unseal(sealed, context=self._key))
        except Unsealable:
            return None
        good_until = datetime.fromisoformat(kept["goodUntil"])
        return (kept["token"], good_until) if now < good_until else None

    async def put(self, token: str, *, good_until: datetime, now: datetime) -> None:
        """``SessionCache.put``; gone when it is no longer good."""
        life = (good_until - now) // timedelta(milliseconds=1)
        if life <= 0:
            return
        value = json.dumps({"token": token, "goodUntil": good_until.isoformat()}).encode()
        with translated():
            await self._client.set(self._key, self._vault.seal(value, context=self._key), px=life)

    async def drop(self) -> None:
        """``SessionCache.drop``."""
        with translated():
            await self._client.delete(self._key)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
