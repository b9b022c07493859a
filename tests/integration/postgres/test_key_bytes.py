"""PUSH-10: no row, document, log or job holds a byte of what a page was sealed with.

Transfers run on PostgreSQL, MongoDB and Redis with a sealer that gets its keys and nonces from a source which
remembers: private keys, shared secrets and AES keys are then looked for in every form everywhere.
"""

import asyncio
import base64
import logging
from collections.abc import Iterable
from datetime import timedelta

import pytest
from redis import Redis
from tests.builders.flows import HIP, PEER, House, Stores, an_artefact
from tests.builders.key_sources import RememberingSource, forms_of
from tests.builders.releases import transfer_of
from tests.e2e.resting_places import RedisWatch, Resting, documents, readings, rows

from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.adapters.rq_jobs import RqJobQueue
from hip.adapters.sealing.sealer import CryptographySealer
from hip.domain.audit import AuditEntry
from hip.domain.errors import PushRefused, Transient
from hip.domain.transfers import TransferState

pytestmark = pytest.mark.anyio


def held(source: RememberingSource, resting: Iterable[Resting]) -> set[str]:
    """Where a secret can be read: the place, its kind and its form."""
    sought = [(name, form, text) for name, secret in source.secrets.items() for form, text in forms_of(secret)]
    return {
        f"{each.place}: {name} as {form}"
        for each in resting
        for reading in readings(each.content, layers=1)
        for name, form, text in sought
        if text in reading
    }


def a_source() -> RememberingSource:
    return RememberingSource(base64.b64decode(PEER.nonce))


@pytest.mark.parametrize("link_above", [10**9, 1], ids=["pushed", "left to be fetched"])
async def test_push_10_no_row_document_job_or_log_holds_key_bytes_of_a_page(
    link_above: int,
    database: PostgresDatabase,
    mongo: MongoDocuments,
    url: str,
    mongo_url: str,
    mongo_database: str,
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    source, jobs = a_source(), RqJobQueue(redis_url)
    with Redis.from_url(redis_url) as client:
        client.flushdb()
    house = House(
        link_above=link_above,
        stores=Stores(database.unit, mongo),
        sealer=CryptographySealer(generate=source.generate, nonce=source.nonce),
    )
    await house.link()
    artefact = an_artefact()
    await house.grant(artefact)
    for number in range(3):
        house.pusher.errors = [Transient("503", code="503"), PushRefused(status=410)]
        await house.ask(artefact, transaction=f"t-{number}")
        due = await house.lease()
        await jobs.enqueue(due)
        await house.run_rows([(row.id, row.attempt) for row in due])
        house.clock.advance(timedelta(seconds=2))
        await house.work()
        assert (await transfer_of(house, f"t-{number}")).state is TransferState.DONE
    await jobs.close()
    await database.close()
    await asyncio.sleep(0)
    said = [Resting(place="logs", content=caplog.text.encode())]
    said += [Resting(place="reports", content=str(each).encode()) for each in (*house.reports, *house.alarms)]
    left = [*await rows(url), *documents(mongo_url, mongo_database), *RedisWatch(redis_url).look(), *said]
    assert source.pages > 9
    assert source.alive == 0, "PUSH-10: a private key outlived its page"
    assert {"health_information.data"} <= {one.place for one in left} or link_above > 1
    assert any(one.place.startswith("Redis rq:job") for one in left)
    assert held(source, left) == set()


async def test_what_looks_for_key_bytes_finds_them_in_every_form(database: PostgresDatabase, url: str) -> None:
    source = a_source()
    CryptographySealer(generate=source.generate, nonce=source.nonce).seal(
        [b"a page"], peer=PEER, expires_at=PEER.expires_at or House().clock()
    )
    names = list(source.secrets)
    assert {name.rstrip("0123456789 ") for name in names} >= {"private key", "shared secret", "shared x", "AES key"}
    secret = source.secrets[names[-1]]
    entries = [
        AuditEntry(
            hip_id=HIP,
            at=House().clock(),
            actor="test",
            action="planted",
            subject=form,
            detail=(("text", f"~~{text.decode()}~~"),),
        )
        for form, text in forms_of(secret)
        if form != "raw"
    ]
    async with database.unit() as uow:
        for entry in entries:
            await uow.audit.append(entry)
        await uow.commit()
    found = held(source, [*await rows(url), Resting(place="raw", content=b"before" + secret + b"after")])
    assert {line.rpartition(" as ")[2] for line in found} == {form for form, _ in forms_of(secret)}
    assert held(source, [Resting(place="shifted", content=base64.b64encode(b"xy" + secret + b"z"))])
