"""A claim reads an index of the open rows and touches only what it claims, however many rows are closed.

The plan at ten million rows is the same: the partial index holds open rows only, and the limit ends the walk.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
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
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def url(servers: Servers) -> AsyncIterator[str]:
    name = f"amrit_plan_{servers.worker}"
    servers.databases.drop(name)
    servers.databases.create(name)
    yield servers.databases.url(name)
    servers.databases.drop(name)


async def _plan(url: str) -> list[dict[str, Any]]:
    say = TriggerStatements(trigger_table(NAMES, "postgresql"), NAMES, dialect="postgresql")
    due = say.due(after=None, until=datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=1), limit=CLAIMED)
    statement = str(due.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
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
