"""How the server's failures reach the application: one kind, without values, and nothing half-done."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.builders.conversations import an_audit_entry
from tests.builders.databases import a_postgres_database, connected, cut_off
from tests.builders.links import HIP, a_care_context
from tests.builders.moments import NOW
from tests.builders.transfers import a_transfer
from tests.builders.visits import MEERA
from tests.servers import Servers

from hip.adapters.postgres.units import PostgresDatabase
from hip.application.storage import Listing, Topic
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import CareContextReference, TransactionId

pytestmark = pytest.mark.anyio
TRANSFER = TransactionId("transfer-1")
SHORT = timedelta(milliseconds=50)
_ALL = Listing()


@pytest.fixture
def schemaless_url(servers: Servers) -> Iterator[str]:
    with servers.scratch_database() as url:
        yield url


async def test_a_server_that_is_not_there_is_storage_failed(url: str) -> None:
    away = a_postgres_database(url.replace("?host=", "?host=/nowhere"))
    with pytest.raises(StorageFailed):
        async with away.unit():
            pass
    with pytest.raises(StorageFailed):
        await away.ping()
    await away.close()


async def test_a_database_that_is_not_there_is_storage_failed(url: str) -> None:
    away = a_postgres_database(url.replace("/test_", "/no_such_"))
    with pytest.raises(StorageFailed, match="3D000"):
        async with away.unit():
            pass
    await away.close()


async def test_nothing_is_connected_before_the_first_unit(url: str) -> None:
    never_used = a_postgres_database(url.replace("?host=", "?host=/nowhere"))
    await never_used.close()


async def test_a_schema_that_is_behind_says_what_to_do(schemaless_url: str) -> None:
    database = a_postgres_database(schemaless_url)
    async with database.unit() as uow:
        with pytest.raises(StorageFailed, match="hip db upgrade"):
            await uow.outbox.waiting()
    await database.close()


async def test_a_pooled_connection_that_the_server_closed_is_replaced_unnoticed(
    database: PostgresDatabase, url: str
) -> None:
    async with database.unit() as uow:
        await uow.outbox.waiting()
    await cut_off(url)
    await asyncio.sleep(0.05)  # the end of the connection reaches this process
    async with database.unit() as uow:
        assert await uow.outbox.waiting() == 0


async def test_a_row_that_another_holds_too_long_is_storage_failed(database: PostgresDatabase, url: str) -> None:
    impatient = a_postgres_database(url, lock_timeout=SHORT)
    async with database.unit() as uow:
        await uow.transfers.add(a_transfer())
        await uow.commit()

    async def wait_for_it() -> None:
        async with impatient.unit() as uow:
            with pytest.raises(StorageFailed, match="55P03"):
                await uow.transfers.lock(HIP, TRANSFER)

    async with database.unit() as uow:
        await uow.transfers.lock(HIP, TRANSFER)
        await asyncio.create_task(wait_for_it())
    await impatient.close()


async def test_a_statement_that_takes_too_long_is_storage_failed(database: PostgresDatabase, url: str) -> None:
    impatient = a_postgres_database(url, statement_timeout=SHORT)
    holder = await connected(url)
    try:
        await holder.execute("BEGIN; LOCK TABLE consents")
        async with impatient.unit() as uow:
            with pytest.raises(StorageFailed, match="57014"):
                await uow.consents.list(_ALL)
    finally:
        await holder.close()
        await impatient.close()


async def test_a_pool_without_a_free_connection_is_storage_failed(url: str) -> None:
    small = a_postgres_database(url, pool_size=1, pool_timeout=SHORT)

    async def another() -> None:
        async with small.unit():
            pass

    async with small.unit():
        with pytest.raises(StorageFailed):
            await asyncio.create_task(another())
    await another()
    await small.close()


async def test_without_a_pool_each_unit_has_a_connection_of_its_own(url: str) -> None:
    unpooled = a_postgres_database(url, pool_size=0)

    async def another() -> int:
        async with unpooled.unit() as uow:
            return await uow.outbox.waiting()

    async with unpooled.unit() as uow:
        await uow.outbox.waiting()
        assert await asyncio.create_task(another()) == 0
    await unpooled.close()


async def test_of_two_that_wait_for_each_other_one_is_storage_failed(database: PostgresDatabase) -> None:
    references = [CareContextReference("1"), CareContextReference("2")]
    async with database.unit() as uow:
        for reference in references:
            await uow.care_contexts.save(a_care_context(reference=reference))
        await uow.commit()
    both_hold = asyncio.Barrier(2)

    async def lock(first: CareContextReference, second: CareContextReference) -> bool:
        async with database.unit() as uow:
            await uow.care_contexts.lock(HIP, first)
            await both_hold.wait()
            try:
                await uow.care_contexts.lock(HIP, second)
            except StorageFailed:
                return False
            return True

    outcomes = await asyncio.gather(lock(*references), lock(*references[::-1]))
    assert sorted(outcomes) == [False, True]


async def test_cancellation_stops_the_query_and_gives_the_connection_back(url: str) -> None:
    one = a_postgres_database(url, pool_size=1)
    holder = await connected(url)
    await holder.execute("BEGIN; LOCK TABLE consents")
    asking = asyncio.Event()

    async def ask() -> None:
        async with one.unit() as uow:
            asking.set()
            await uow.consents.list(_ALL)

    task = asyncio.create_task(ask())
    await asking.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with one.unit() as uow:
        assert await uow.outbox.waiting() == 0
    await one.close()
    await holder.close()


async def test_no_failure_shows_a_statement_a_value_or_its_cause(database: PostgresDatabase, url: str) -> None:
    """A name with a NUL cannot be stored; whoever let it in is wrong, and learns no more than the SQLSTATE."""
    canary = "canary\x00name"
    async with database.unit() as uow:
        await uow.audit.append(an_audit_entry(subject=canary))
        with pytest.raises(RuntimeError) as bug:
            await uow.commit()
    assert str(bug.value) == "the database refused a statement (SQLSTATE 22021)"
    assert bug.value.__cause__ is None
    assert bug.value.__suppress_context__
    async with database.unit() as uow:
        await uow.patients.save(MEERA, hip_id=HIP)
        await cut_off(url)
        with pytest.raises(StorageFailed) as outage:
            await uow.patients.save(MEERA, hip_id=HIP)
    assert str(outage.value) in {
        "the connection to the database broke off",
        "the database could not serve (SQLSTATE 57P01)",
    }
    assert outage.value.__suppress_context__


async def test_the_relay_is_woken_again_after_the_server_came_back(database: PostgresDatabase, url: str) -> None:
    async with database.wakeups() as wait:
        assert await wait(30)
        await cut_off(url)
        async with asyncio.timeout(30):
            while not await wait(1):  # returns early when the connection is lost, then listens anew
                pass
        async with database.unit() as uow:
            await uow.outbox.add(HIP, Topic.LINK, "88120", run_at=NOW)
            await uow.commit()
        assert await wait(30)


async def test_waiting_without_a_server_is_only_waiting(url: str) -> None:
    away = a_postgres_database(url.replace("?host=", "?host=/nowhere"))
    async with away.wakeups() as wait:
        assert not await wait(0.05)
        assert not await wait(0.05)
    await away.close()
