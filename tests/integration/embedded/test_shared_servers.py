"""The servers that the whole test run shares answer, and each worker has its own corner of them."""

import asyncio

import asyncpg
import pymongo
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.servers import Servers


async def _selected(url: str, statement: str) -> object:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return (await connection.execute(text(statement))).scalar_one()
    finally:
        await engine.dispose()


def test_the_workers_own_postgres_database_answers_in_utc(servers: Servers, database_url: str) -> None:
    assert asyncio.run(_selected(database_url, "SELECT current_database()")) == f"test_{servers.worker}"
    assert asyncio.run(_selected(database_url, "SHOW timezone")) == "UTC"


def test_a_scratch_database_is_gone_afterwards(servers: Servers) -> None:
    with servers.scratch_database() as url:
        name = asyncio.run(_selected(url, "SELECT current_database()"))
        assert name in servers.databases.names()
    assert name not in servers.databases.names()


def test_a_scratch_database_can_start_as_a_copy_of_another(servers: Servers) -> None:
    async def filled() -> None:
        connection = await asyncpg.connect(host=servers.sockets, port=5432, user="postgres", database="pattern")
        await connection.execute("CREATE TABLE wards AS SELECT 7 AS beds")
        await connection.close()

    servers.databases.create("pattern")
    try:
        asyncio.run(filled())
        with servers.scratch_database(template="pattern") as url:
            assert asyncio.run(_selected(url, "SELECT beds FROM wards")) == 7
    finally:
        servers.databases.drop("pattern")


def test_the_workers_own_redis_database_keeps_what_it_is_told(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("ward", "7")
        assert client.get("ward") == b"7"


def test_the_workers_own_mongo_database_takes_a_journaled_write(mongo_url: str, mongo_database: str) -> None:
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(mongo_url)
    with client:
        assert client.write_concern.document == {"w": "majority", "j": True}
        client[mongo_database]["wards"].insert_one({"_id": 7})
        assert client[mongo_database]["wards"].count_documents({}) == 1
