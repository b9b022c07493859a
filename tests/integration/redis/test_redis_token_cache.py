"""What only Redis can show: how keys and values look, when they leave, and what foreign values do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.token_cache import RedisTokenCache
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, HipId
from hip.domain.links import LinkToken

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)
MEERA = AbhaAddress("meera.k01@sbx")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def cache(redis_url: str) -> AsyncIterator[RedisTokenCache]:
    cache = RedisTokenCache(redis_url, MemoryKeyVault())
    yield cache
    await cache.close()


@pytest.fixture
def token() -> LinkToken:
    return LinkToken(
        hip_id=HipId(f"IN{uuid4()}"),
        abha_address=MEERA,
        abha_number=None,
        value="header.canary-claims.signature",
        expires_at=NOW + timedelta(days=30),
    )


async def key_of(redis: Redis, token: LinkToken) -> bytes:
    (key,) = [key async for key in redis.scan_iter(f"hip:link-token:{token.hip_id}:*")]
    assert isinstance(key, bytes)
    return key


async def test_neither_key_nor_value_shows_patient_or_token(
    cache: RedisTokenCache, redis: Redis, token: LinkToken
) -> None:
    await cache.put(token, now=NOW)
    key = await key_of(redis, token)
    value = await redis.get(key)
    assert b"meera" not in key
    assert b"sbx" not in key
    assert b"canary" not in value
    assert b"expiresAt" not in value


async def test_redis_itself_forgets_the_token_when_it_expires(
    cache: RedisTokenCache, redis: Redis, token: LinkToken
) -> None:
    await cache.put(token, now=NOW)
    left = await redis.pexpiretime(await key_of(redis, token))
    ends = datetime.fromtimestamp(left / 1000, UTC)
    assert abs(ends - token.expires_at) < timedelta(minutes=5)  # the test's now is a little older than Redis's


@pytest.mark.parametrize("foreign", [b"", b"plain text", bytes(60)])
async def test_a_value_that_is_not_ours_is_no_token(
    cache: RedisTokenCache, redis: Redis, token: LinkToken, foreign: bytes
) -> None:
    await cache.put(token, now=NOW)
    await redis.set(await key_of(redis, token), foreign)
    assert await cache.get(token.hip_id, MEERA, now=NOW) is None


async def test_a_value_moved_to_another_address_is_no_token(
    cache: RedisTokenCache, redis: Redis, token: LinkToken
) -> None:
    """DATA-01: the sealed value opens under its own key name only."""
    await cache.put(token, now=NOW)
    key = (await key_of(redis, token)).decode()
    other = AbhaAddress("asha.d@sbx")
    await cache.put(
        LinkToken(
            hip_id=token.hip_id, abha_address=other, abha_number=None, value="x.y.z", expires_at=token.expires_at
        ),
        now=NOW,
    )
    for moved in [k async for k in redis.scan_iter(f"hip:link-token:{token.hip_id}:*") if k != key.encode()]:
        await redis.copy(key, moved, replace=True)
    assert await cache.get(token.hip_id, other, now=NOW) is None
    assert await cache.get(token.hip_id, MEERA, now=NOW) == token


async def test_a_flushed_redis_is_a_cache_without_tokens(
    cache: RedisTokenCache, redis: Redis, token: LinkToken
) -> None:
    await cache.put(token, now=NOW)
    await redis.delete(await key_of(redis, token))
    assert await cache.get(token.hip_id, MEERA, now=NOW) is None
    await cache.put(token, now=NOW)
    assert await cache.get(token.hip_id, MEERA, now=NOW) == token


async def test_a_connection_that_broke_is_made_again(cache: RedisTokenCache, redis: Redis, token: LinkToken) -> None:
    await cache.put(token, now=NOW)
    mine = await redis.client_id()
    for client in await redis.client_list():
        if int(client["id"]) != mine and client["db"] == (await redis.client_info())["db"]:
            await redis.client_kill_filter(_id=client["id"])
    assert await cache.get(token.hip_id, MEERA, now=NOW) == token


async def test_a_value_of_another_kind_is_one_kind_of_failure(
    cache: RedisTokenCache, redis: Redis, token: LinkToken
) -> None:
    await cache.put(token, now=NOW)
    key = await key_of(redis, token)
    await redis.delete(key)
    await redis.lpush(key, "not a string")
    with pytest.raises(StorageFailed, match="Redis did not answer"):
        await cache.get(token.hip_id, MEERA, now=NOW)


async def test_it_answers_a_ping(cache: RedisTokenCache) -> None:
    await cache.ping()
