"""A claim reads an index of the open rows and touches only what it claims, however many rows are closed.

The plan at ten million rows is the same: the partial index holds open rows only, and the limit ends the walk.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Executable, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import create_async_engine
from tests.builders.amrit import NAMES, TRIGGER, asked
from tests.servers import Servers

from hip.adapters.amrit.sample_database import make
from hip.adapters.amrit.statements import TriggerStatements
from hip.adapters.amrit.tables import preparation, trigger_table

pytestmark = pytest.mark.anyio

CLAIMED = 50


@pytest.fixture
async def url(servers: Servers) -> AsyncIterator[str]:
    name = f"amrit_plan_{servers.worker}"
    servers.databases.drop(name)
    servers.databases.create(name)
    yield servers.databases.url(name)
    servers.databases.drop(name)


SAY = TriggerStatements(trigger_table(NAMES, "postgresql"), NAMES, dialect="postgresql")
NOW = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)


async def _plan(url: str, asked_for: Executable | None = None) -> list[dict[str, Any]]:
    """Of the claim's query, or of another; ANALYZE carries it out."""
    wanted = SAY.due(after=None, until=NOW, limit=CLAIMED) if asked_for is None else asked_for
    statement = str(wanted.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
    engine = create_async_engine(url)
    nodes: list[dict[str, Any]] = []
    async with engine.connect() as connection:
        explained = await connection.execute(text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"))
        waiting = [explained.scalar_one()[0]["Plan"]]
    await engine.dispose()
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


async def _fill(url: str, *, closed: int) -> None:
    await asked(
        url,
        f"INSERT INTO {TRIGGER} (visitcode, processed_flag) "
        f"SELECT n, n > 2000 FROM generate_series(1, {closed + 2000}) n",
    )
    await asked(url, f"ANALYZE {TRIGGER}")


async def test_a_claim_touches_only_what_it_claims(url: str) -> None:
    await make(url, NAMES)
    await _fill(url, closed=60_000)
    nodes = await _plan(url)
    (scan,) = [node for node in nodes if "Scan" in node["Node Type"]]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "ix_hip_open")
    assert scan["Actual Rows"] == CLAIMED
    assert scan.get("Rows Removed by Filter", 0) == 0
    assert "Sort" not in {node["Node Type"] for node in nodes}


def _blocks(nodes: list[dict[str, Any]]) -> int:
    """Of 8 KB, that the whole statement touched."""
    return int(nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"])


async def test_a_claim_touches_as_much_with_many_closed_rows_as_with_few(url: str, servers: Servers) -> None:
    """What is leased and closed is found by its key, and both are written in as many blocks."""
    await make(url, NAMES)
    await _fill(url, closed=100_000)
    with servers.scratch_database() as other:
        await make(other, NAMES)
        await _fill(other, closed=1_000)
        ids = list(range(1, CLAIMED + 1))
        for statement in (
            None,
            SAY.lease(ids, until=NOW, read_at=NOW),
            SAY.close(ids, 0).values({SAY.table.c.hip_done_at: NOW}),
        ):
            many, few = await _plan(url, statement), await _plan(other, statement)
            # A row may stand on a page of its own, and its index entry too; the closed ones fill a thousand pages.
            assert _blocks(many) <= 1.2 * _blocks(few) + 2 * CLAIMED
            assert not {node["Node Type"] for node in many} & {"Seq Scan", "Bitmap Heap Scan"}
            assert {node["Actual Rows"] for node in many if "Scan" in node["Node Type"]} == {CLAIMED}


async def test_late_results_are_found_by_their_date_and_their_visits_by_their_code(url: str) -> None:
    """The age of what is looked through does not count, only how much came since."""
    await make(url, NAMES)
    await _fill(url, closed=60_000)
    await asked(
        url,
        f"UPDATE {TRIGGER} SET hip_read_at = '2026-01-02' WHERE processed_flag",
        "INSERT INTO t_lab_testresult (source_key, procedureid, testresultvalue, createddate) "
        "SELECT 2000 + n, 1, '7', CASE WHEN n > 59_970 THEN timestamp '2026-01-03' ELSE timestamp '2026-01-01' END "
        "FROM generate_series(1, 60000) n",
        "ANALYZE",
    )
    nodes = await _plan(url, SAY.late(since=datetime.fromisoformat("2026-01-02T12:00"), limit=200))
    assert nodes[0]["Actual Rows"] == 30
    assert "Seq Scan" not in {node["Node Type"] for node in nodes}
    assert _blocks(nodes) < 300


async def test_an_amrit_table_that_exists_is_prepared_for_the_same_plan(url: str) -> None:
    """Its old open rows are due since their visit; a row that its own writer adds afterwards is due at once."""
    await asked(
        url,
        f"CREATE TABLE {TRIGGER} (id bigserial PRIMARY KEY, beneficiaryregid bigint, visitcode bigint, "
        "visit_category text, visitdate timestamp, created_date timestamp, processed_flag boolean)",
        f"INSERT INTO {TRIGGER} (visitcode, visitdate) VALUES (1, '2024-01-01 10:00')",
    )
    for statement in preparation(NAMES, "postgresql").rstrip().rstrip(";").split(";\n"):
        await asked(url, statement, alone=True)
    (old,) = await asked(url, f"SELECT hip_due_at FROM {TRIGGER}")
    assert old["hip_due_at"] == datetime.fromisoformat("2024-01-01 10:00")
    await _fill(url, closed=60_000)
    assert "ix_hip_open" in {node.get("Index Name") for node in await _plan(url)}
    await asked(
        url,
        "CREATE TABLE fhir_r_diagnosticreportlab AS SELECT n AS source_key, timestamp '2026-01-03' AS createddate "
        "FROM generate_series(3001, 3030) n",
        "ANALYZE",
    )
    late = SAY.late(since=datetime.fromisoformat("2026-01-02T12:00"), limit=200)
    assert "ix_hip_visit" in {node.get("Index Name") for node in await _plan(url, late)}
