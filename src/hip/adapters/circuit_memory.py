"""``CircuitMemory`` in Redis."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hip.adapters.redis_failures import translated
from hip.domain.circuits import Circuit
from hip.domain.errors import StorageFailed

# Only whoever saw the newest value may replace it; an empty text stands for no value.
_REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""
_TURNS = 100
"""Each turn lost is a change that another process made; so many in a row are none of ours."""


class RedisCircuitMemory:
    """Circuits under ``hip:circuit:{SHA-256 of the client id}:{host}``, as long as they are held against the host.

    Nothing in them is secret. Two deployments on one Redis with different clients never see each other's. The client
    belongs to the event loop that first uses it. Every method raises StorageFailed when Redis is away.
    """

    def __init__(self, url: str, *, client_id: str, answered_within: timedelta = timedelta(seconds=2)) -> None:
        """Connects at first use. One retry, at once, for a connection that had gone stale.

        If the first try of a probe had arrived nevertheless, nobody probes before that probe is taken for lost.
        """
        seconds = answered_within.total_seconds()
        self._client = Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 1)
        )
        self._prefix = f"hip:circuit:{hashlib.sha256(client_id.encode()).hexdigest()}"

    async def read(self, host: str, *, now: datetime) -> Circuit:  # noqa: ARG002 - Redis forgets by its own clock
        """``CircuitMemory.read``. A value that is not ours is none, and the next change replaces it."""
        return _read(await self._stored(host))

    async def change(
        self, host: str, change: Callable[[Circuit], Circuit], *, now: datetime
    ) -> tuple[Circuit, Circuit]:
        """``CircuitMemory.change``. One round trip when there is nothing to change, else two."""
        for _ in range(_TURNS):
            stored = await self._stored(host)
            before = _read(stored)
            after = change(before)
            if after == before or await self._replaced(host, stored, after, now=now):
                return before, after
        raise StorageFailed("Redis changes too fast")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _stored(self, host: str) -> bytes:
        with translated():
            value = await self._client.get(f"{self._prefix}:{host}")
        return value if isinstance(value, bytes) else b""

    async def _replaced(self, host: str, stored: bytes, after: Circuit, *, now: datetime) -> bool:
        life = (after.kept_until(now) - now) // timedelta(milliseconds=1)
        with translated():
            done = self._client.eval(_REPLACE, 1, f"{self._prefix}:{host}", stored, _written(after), life)
            return bool(await cast("Awaitable[int]", done))


def _written(circuit: Circuit) -> bytes:
    if circuit == Circuit():
        return b""
    return json.dumps(
        {
            "failures": circuit.failures,
            "openUntil": circuit.open_until and circuit.open_until.isoformat(),
            "probeUntil": circuit.probe_until and circuit.probe_until.isoformat(),
        }
    ).encode()


def _read(stored: bytes) -> Circuit:
    try:
        value = json.loads(stored)
        return Circuit(
            failures=int(value["failures"]),
            open_until=_moment(value["openUntil"]),
            probe_until=_moment(value["probeUntil"]),
        )
    except (ValueError, TypeError, KeyError):
        return Circuit()


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment
