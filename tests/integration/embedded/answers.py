"""What the three servers say when asked through the clients that ``hip`` uses."""

import asyncio

import pymongo
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


def from_postgres(url: str, statement: str) -> object:
    """The single value of a query, or None of any other statement, which is committed."""

    async def answer() -> object:
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                result = await connection.execute(text(statement))
                return result.scalar_one() if result.returns_rows else None
        finally:
            await engine.dispose()

    return asyncio.run(answer())


def written_to_mongo(url: str) -> int:
    """Write one journaled document; how many there are now."""
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(url, serverSelectionTimeoutMS=5000)
    with client:
        client["ward"]["beds"].insert_one({"number": 7})
        return client["ward"]["beds"].count_documents({})


def from_redis(url: str) -> bool:
    """Whether it answers PING."""
    with redis.Redis.from_url(url) as client:
        return bool(client.ping())
