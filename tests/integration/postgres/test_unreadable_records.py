"""A record that was stored and cannot be read any more: sealed with a key that is lost, or changed behind our back."""

from datetime import timedelta

import pytest
from tests.builders.databases import connected
from tests.builders.flows import HIP, House, Stores
from tests.builders.visits import a_visit

from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.application.bundle_storage import ReceivedSpan
from hip.application.rebuilds import RebuildVisits
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.identifiers import VisitCode

pytestmark = pytest.mark.anyio
OTHERS_SOURCE = "UPDATE visits SET sealed_source = (SELECT sealed_source FROM visits WHERE visit_code = $1)"


async def spoil(url: str, code: VisitCode, other: VisitCode) -> None:
    connection = await connected(url)
    await connection.execute(f"{OTHERS_SOURCE} WHERE visit_code = $2", other, code)
    await connection.close()


async def test_a_record_that_cannot_be_read_keeps_no_other_of_its_batch_from_being_built(
    database: PostgresDatabase, url: str
) -> None:
    house = House(stores=Stores(database.unit, MemoryDocuments()))
    codes = [VisitCode(f"v-{number}") for number in range(5)]
    for code in codes:
        await house.take_in(a_visit(visit_code=code))
    await spoil(url, codes[3], codes[0])
    rows = await house.lease()
    await house.run_rows([(row.id, row.attempt) for row in rows])
    async with house.units() as uow:
        jobs = {code: await uow.bundle_jobs.of_visit(HIP, code) for code in codes}
    states = {code: {(job.state, job.error) for job in of_visit} for code, of_visit in jobs.items()}
    assert states.pop(codes[3]) == {(BundleJobState.FAILED, "Transient Unsealable")}
    assert set().union(*states.values()) == {(BundleJobState.VALID, None)}


async def test_a_record_that_cannot_be_read_is_named_and_the_others_of_a_span_are_built_anew(
    database: PostgresDatabase, url: str
) -> None:
    house = House(stores=Stores(database.unit, MemoryDocuments()))
    codes = [VisitCode(f"v-{number}") for number in range(5)]
    for code in codes:
        await house.take_in(a_visit(visit_code=code))
    await spoil(url, codes[3], codes[0])
    span = ReceivedSpan(since=house.clock(), until=house.clock() + timedelta(seconds=1))
    done = await RebuildVisits(house.units, house.clock)(HIP, span, actor="test")
    assert (done.visits, done.unread, done.last) == (4, (codes[3],), (house.clock(), codes[4]))
    async with house.units() as uow:
        versions = await uow.visits.lock_versions(HIP, codes)
    assert versions == {code: 1 if code == codes[3] else 2 for code in codes}
