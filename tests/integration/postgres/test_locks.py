"""Who waits for whom: relays and sweeps pass by what another holds, lockers wait for it."""

import asyncio
from datetime import timedelta

import pytest
from tests.builders.conversations import an_exchange
from tests.builders.databases import a_postgres_database, connected
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import DAY, NOW, SECOND
from tests.builders.stored_visits import a_bundle_key
from tests.builders.transfers import a_transfer

from hip.adapters.postgres.units import PostgresDatabase
from hip.application.gateway_events import Delivery, HealthInformationAsked
from hip.application.requests import ReceiveHealthInformationRequest
from hip.application.storage import Topic
from hip.application.waits import Waits
from hip.domain.errors import StorageFailed
from hip.domain.exchanges import ExchangeId, Flow
from hip.domain.identifiers import ConsentId, HipId, RequestId, TransactionId, VisitCode

pytestmark = pytest.mark.anyio
KEY = "meera.k01@sbx"
CONSENT = ConsentId("consent-1")


async def test_a_relay_passes_by_the_rows_another_is_about_to_take(database: PostgresDatabase) -> None:
    async with database.unit() as uow:
        for number in range(4):
            await uow.outbox.add(HIP, Topic.LINK, str(number), run_at=NOW)
        await uow.commit()

    async def lease() -> list[str]:
        async with database.unit() as uow:
            rows = await uow.outbox.lease(now=NOW, until=NOW + SECOND, limit=50)
            await uow.commit()
            return [row.key for row in rows]

    async with database.unit() as uow:
        taken = await uow.outbox.lease(now=NOW, until=NOW + SECOND, limit=2)
        assert [row.key for row in taken] == ["0", "1"]
        assert await asyncio.create_task(lease()) == ["2", "3"]  # before this unit commits


async def test_a_sweep_passes_by_an_exchange_that_is_being_answered(database: PostgresDatabase) -> None:
    other = an_exchange(id_=ExchangeId("exchange-2"), request_id=RequestId("attempt-2"))
    async with database.unit() as uow:
        await uow.exchanges.save(an_exchange())
        await uow.exchanges.save(other)
        await uow.commit()

    async def sweep() -> list[str]:
        async with database.unit() as uow:
            return [exchange.id for exchange in await uow.exchanges.lapsed(now=NOW + DAY, limit=50)]

    async with database.unit() as uow:
        await uow.exchanges.lock_by_request_id(HIP, RequestId("attempt-1"))
        assert await asyncio.create_task(sweep()) == ["exchange-2"]


@pytest.mark.parametrize(
    ("hip_id", "flow", "key", "waits"),
    [
        (HIP, Flow.GENERATE_TOKEN, KEY, True),
        (OTHER_HIP, Flow.GENERATE_TOKEN, KEY, False),
        (HIP, Flow.SMS_NOTIFY, KEY, False),
        (HIP, Flow.GENERATE_TOKEN, "ravi@sbx", False),
    ],
    ids=["the same", "another HIP", "another flow", "another key"],
)
async def test_lock_latest_makes_only_those_wait_who_ask_for_the_same(
    database: PostgresDatabase, url: str, hip_id: HipId, flow: Flow, key: str, waits: bool
) -> None:
    impatient = a_postgres_database(url, lock_timeout=timedelta(milliseconds=50))

    async def ask() -> bool:
        async with impatient.unit() as uow:
            try:
                await uow.exchanges.lock_latest(hip_id, flow, key)
            except StorageFailed:
                return True
            return False

    async with database.unit() as uow:
        assert await uow.exchanges.lock_latest(HIP, Flow.GENERATE_TOKEN, KEY) is None
        assert await asyncio.create_task(ask()) is waits
    await impatient.close()


@pytest.mark.parametrize("consent", [CONSENT, ConsentId("another")])
async def test_rel_23_a_request_waits_for_a_consent_that_is_ending_so_that_one_is_surely_before_the_other(
    database: PostgresDatabase, url: str, consent: ConsentId
) -> None:
    impatient = a_postgres_database(url, lock_timeout=timedelta(milliseconds=50))
    receive = ReceiveHealthInformationRequest(impatient.unit, lambda: NOW, Waits())
    request = a_transfer().request
    event = HealthInformationAsked(transaction_id=TransactionId("t-1"), consent_id=consent, request=request)

    async def ask() -> bool:
        try:
            await receive(Delivery(hip_id=HIP, request_id=RequestId("request-1"), received_at=NOW), event)
        except StorageFailed:
            return True
        return False

    async with database.unit() as uow:
        await uow.consents.lock(HIP, CONSENT)
        assert await asyncio.create_task(ask()) is (consent == CONSENT)
    await impatient.close()


async def test_documents_that_are_begun_never_wait_in_a_circle_with_visits_that_come_in(
    database: PostgresDatabase, url: str
) -> None:
    first, second = (a_bundle_key(visit_code=VisitCode(code)) for code in ("1", "2"))
    async with database.unit() as uow:
        await uow.bundle_jobs.ask_all({first: 1, second: 1}, now=NOW)
        await uow.commit()

    async def begin() -> int:
        async with database.unit() as uow:
            begun = await uow.bundle_jobs.begin([second, first], now=NOW)
            await uow.commit()
        return len(begun)

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    onlooker = await connected(url)
    async with database.unit() as uow:
        await uow.bundle_jobs.ask_all({first: 2}, now=NOW)
        beginning = asyncio.create_task(begin())
        async with asyncio.timeout(60):
            while not await onlooker.fetchval(waiting):
                await asyncio.sleep(0.01)
        await uow.bundle_jobs.ask_all({second: 2}, now=NOW)
        await uow.commit()
    assert await beginning == 2
    await onlooker.close()
