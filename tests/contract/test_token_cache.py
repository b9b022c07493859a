"""``TokenCache`` in memory and in Redis: a token by HIP and ABHA address, for as long as it lives."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.memory.token_cache import MemoryTokenCache
from hip.adapters.token_cache import RedisTokenCache
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId
from hip.domain.links import LinkToken

pytestmark = pytest.mark.anyio
# Redis counts by its own clock, so the tests' now is about the real one.
NOW = datetime.now(UTC)
MEERA, ASHA = AbhaAddress("meera.k01@sbx"), AbhaAddress("asha.d@sbx")
Cache = MemoryTokenCache | RedisTokenCache


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryTokenCache()
        return
    redis = RedisTokenCache(request.getfixturevalue("redis_url"), MemoryKeyVault())
    yield redis
    await redis.close()


@pytest.fixture
def token() -> LinkToken:
    """A token of a HIP that no other test uses."""
    return LinkToken(
        hip_id=HipId(f"IN{uuid4()}"),
        abha_address=MEERA,
        abha_number=AbhaNumber("91123456789012"),
        value="header.claims.signature",
        expires_at=NOW + timedelta(days=175, microseconds=123456),
    )


async def test_a_token_comes_back_as_it_was_put(cache: Cache, token: LinkToken) -> None:
    await cache.put(token, now=NOW)
    assert await cache.get(token.hip_id, MEERA, now=NOW) == token
    without_number = replace(token, abha_number=None)
    await cache.put(without_number, now=NOW)
    assert await cache.get(token.hip_id, MEERA, now=NOW) == without_number


async def test_a_token_is_found_under_its_own_hip_and_address_only(cache: Cache, token: LinkToken) -> None:
    assert await cache.get(token.hip_id, MEERA, now=NOW) is None
    await cache.put(token, now=NOW)
    assert await cache.get(token.hip_id, ASHA, now=NOW) is None
    assert await cache.get(HipId("IN0000000000"), MEERA, now=NOW) is None


async def test_an_expired_token_is_none(cache: Cache, token: LinkToken) -> None:
    """LINK-01: the expiry is exclusive."""
    await cache.put(token, now=NOW)
    assert await cache.get(token.hip_id, MEERA, now=token.expires_at - timedelta(microseconds=1)) == token
    assert await cache.get(token.hip_id, MEERA, now=token.expires_at) is None


async def test_putting_an_expired_token_leaves_none(cache: Cache, token: LinkToken) -> None:
    await cache.put(token, now=NOW)
    await cache.put(replace(token, expires_at=NOW), now=NOW)
    assert await cache.get(token.hip_id, MEERA, now=NOW) is None


async def test_a_dropped_token_is_gone_and_dropping_again_is_harmless(cache: Cache, token: LinkToken) -> None:
    other = replace(token, abha_address=ASHA)
    await cache.put(token, now=NOW)
    await cache.put(other, now=NOW)
    for _ in range(2):
        await cache.drop(token.hip_id, MEERA)
        assert await cache.get(token.hip_id, MEERA, now=NOW) is None
    assert await cache.get(token.hip_id, ASHA, now=NOW) == other


async def test_a_cache_that_is_away_is_transient(token: LinkToken) -> None:
    memory = MemoryTokenCache()
    memory.down = True
    redis = RedisTokenCache("redis://127.0.0.1:9/0", MemoryKeyVault(), answered_within=timedelta(milliseconds=200))
    try:
        for cache in (memory, redis):
            with pytest.raises(StorageFailed) as failure:
                await cache.put(token, now=NOW)
            assert token.value not in str(failure.value)
            with pytest.raises(StorageFailed):
                await cache.get(token.hip_id, MEERA, now=NOW)
            with pytest.raises(StorageFailed):
                await cache.drop(token.hip_id, MEERA)
    finally:
        await redis.close()
