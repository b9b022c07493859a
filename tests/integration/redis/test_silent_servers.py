"""A server that takes the connection and then says nothing is away like any other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.rq_jobs import RqJobQueue
from hip.adapters.token_cache import RedisTokenCache
from hip.application.storage import OutboxRow, Topic
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, HipId

pytestmark = pytest.mark.anyio
SOON = timedelta(milliseconds=100)
HIP = HipId("IN0410000123")


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    writers: list[asyncio.StreamWriter] = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()


async def test_a_silent_mongodb_is_transient(silent_port: int) -> None:
    documents = MongoDocuments(f"mongodb://127.0.0.1:{silent_port}/", "away", found_within=SOON, answered_within=SOON)
    try:
        with pytest.raises(StorageFailed):
            await documents.patient_contexts(HIP, "PAT-1")
    finally:
        await documents.close()


async def test_a_silent_redis_is_transient_for_the_cache_and_the_queue(silent_port: int) -> None:
    url = f"redis://127.0.0.1:{silent_port}/0"
    cache, jobs = RedisTokenCache(url, MemoryKeyVault(), answered_within=SOON), RqJobQueue(url, answered_within=SOON)
    now = datetime(2026, 3, 12, tzinfo=UTC)
    row = OutboxRow(id=1, hip_id=HIP, topic=Topic.SMS, key="k", attempt=1, lease_until=now)
    try:
        with pytest.raises(StorageFailed):
            await cache.get(HIP, AbhaAddress("meera.k01@sbx"), now=now)
        with pytest.raises(StorageFailed):
            await jobs.enqueue([row])
    finally:
        await cache.close()
        await jobs.close()
