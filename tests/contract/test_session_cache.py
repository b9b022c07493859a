"""``SessionCache``: one contract over memory and Redis, and the session that uses it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from hip.adapters.gateway.client import HttpGateway
from hip.adapters.gateway.settings import GatewaySettings
from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.memory.session_cache import MemorySessionCache
from hip.adapters.session_cache import RedisSessionCache
from hip.domain.errors import StorageFailed

NOW = datetime.now(UTC)
VAULT = MemoryKeyVault()


@asynccontextmanager
async def _cache(request: pytest.FixtureRequest, kind: str) -> AsyncGenerator[Any]:
    cache: Any = MemorySessionCache()
    if kind == "redis":
        url = request.getfixturevalue("redis_url")
        cache = RedisSessionCache(url, VAULT, gateway_url="http://gw", client_id=f"c-{request.node.name}")
    try:
        yield cache
    finally:
        await cache.close()


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_what_was_put_is_there_until_it_is_no_longer_good_or_dropped(request: pytest.FixtureRequest, kind: str):
    async def story() -> None:
        async with _cache(request, kind) as cache:
            assert await cache.get(now=NOW) is None
            until = NOW + timedelta(minutes=5)
            await cache.put("token-1", good_until=until, now=NOW)
            assert await cache.get(now=NOW) == ("token-1", until)
            assert await cache.get(now=until) is None
            await cache.drop()
            assert await cache.get(now=NOW) is None

    asyncio.run(story())


def test_data_02_redis_holds_no_token_in_clear_and_another_clients_is_not_seen(redis_url: str):
    async def story() -> None:
        from redis.asyncio import Redis

        one = RedisSessionCache(redis_url, VAULT, gateway_url="http://gw", client_id="one")
        two = RedisSessionCache(redis_url, VAULT, gateway_url="http://gw", client_id="two")
        raw = Redis.from_url(redis_url)
        try:
            await one.put("canary-token", good_until=NOW + timedelta(minutes=5), now=NOW)
            assert await two.get(now=NOW) is None
            keys = [key async for key in raw.scan_iter("hip:gateway-session:*")]
            assert keys
            values = [await raw.get(key) for key in keys]
            assert all(b"canary" not in value for value in values)
            assert all(b"one" not in key for key in keys)
        finally:
            await raw.aclose()
            await one.close()
            await two.close()

    asyncio.run(story())


def test_a_redis_that_is_away_is_a_transient_failure():
    async def story() -> None:
        cache = RedisSessionCache("redis://127.0.0.1:1/0", VAULT, gateway_url="http://gw", client_id="c")
        with pytest.raises(StorageFailed):
            await cache.get(now=NOW)
        await cache.close()

    asyncio.run(story())


@pytest.mark.parametrize("down", [False, True])
def test_two_processes_ask_the_gateway_for_one_session_unless_the_cache_is_away(down: bool):
    asked: list[str] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/sessions"):
            return httpx.Response(200, json={"accessToken": f"t{len(asked)}", "expiresIn": 1200})
        return httpx.Response(200, json={"keys": []})

    async def story() -> None:
        cache = MemorySessionCache()
        cache.down = down
        settings = GatewaySettings(base_url="http://gw", cm_id="sbx", client_id="c", client_secret="s")
        for number in range(2):
            async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
                client = HttpGateway(
                    http, settings, clock=lambda: NOW, ids=lambda n=number: f"id-{n}-{len(asked)}", sessions=cache
                )
                await client.jwks()
        sessions = [path for path in asked if path.endswith("/sessions")]
        assert len(sessions) == (2 if down else 1)

    asyncio.run(story())


def test_a_shared_session_that_the_gateway_refuses_is_dropped_for_everybody():
    async def story() -> None:
        cache = MemorySessionCache()
        await cache.put("stale", good_until=NOW + timedelta(minutes=5), now=NOW)

        def gateway(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/sessions"):
                return httpx.Response(200, json={"accessToken": "fresh", "expiresIn": 1200})
            good = request.headers["Authorization"] == "Bearer fresh"
            return httpx.Response(200, json={"keys": []}) if good else httpx.Response(401)

        settings = GatewaySettings(base_url="http://gw", cm_id="sbx", client_id="c", client_secret="s")
        async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
            ids = iter(range(100))
            client = HttpGateway(http, settings, clock=lambda: NOW, ids=lambda: f"id-{next(ids)}", sessions=cache)
            assert await client.jwks() == {"keys": []}
        kept = await cache.get(now=NOW)
        assert kept is not None
        assert kept[0] == "fresh"

    asyncio.run(story())
