"""A record that was stored and cannot be read any more: sealed with a key that is lost, or changed behind our back."""

import pytest
from tests.builders.databases import connected
from tests.builders.flows import HIP, House, Stores
from tests.builders.visits import a_visit

from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.domain.bundle_jobs import BundleJobState
from hip.domain.identifiers import VisitCode

pytestmark = pytest.mark.anyio
OTHERS_SOURCE = "UPDATE visits SET sealed_source = (SELECT sealed_source FROM visits WHERE visit_code = $1)"


async def test_a_record_that_cannot_be_read_keeps_no_other_of_its_batch_from_being_built(
    database: PostgresDatabase, url: str
) -> None:
    house = House(stores=Stores(database.unit, MemoryDocuments()))
    codes = [VisitCode(f"v-{number}") for number in range(5)]
    for code in codes:
        await house.take_in(a_visit(visit_code=code))
    connection = await connected(url)
    await connection.execute(f"{OTHERS_SOURCE} WHERE visit_code = $2", codes[0], codes[3])
    await connection.close()
    rows = await house.lease()
    await house.run_rows([(row.id, row.attempt) for row in rows])
    async with house.units() as uow:
        jobs = {code: await uow.bundle_jobs.of_visit(HIP, code) for code in codes}
    states = {code: {(job.state, job.error) for job in of_visit} for code, of_visit in jobs.items()}
    assert states.pop(codes[3]) == {(BundleJobState.FAILED, "Transient Unsealable")}
    assert set().union(*states.values()) == {(BundleJobState.VALID, None)}
