"""Result sets read from views, for all visits of a claim together."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.builders.amrit import HIP, asked
from tests.builders.amrit_places import an_empty_place

from hip.adapters.amrit.sample_database import fill, make
from hip.adapters.amrit.source import AmritVisitSource

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC) + timedelta(hours=1)
FIRST = 30_000_000_001
"""The first visit of the sample."""


@pytest.mark.servers
async def test_a_visit_at_which_a_view_fails_spoils_no_other(request: pytest.FixtureRequest) -> None:
    """A hospital's own view may cast what AMRIT keeps as text, and one visit has text that is none."""
    place = await an_empty_place("postgres views", request.getfixturevalue, database="amrit_views")
    await make(place.url, place.names)
    await fill(place.url, place.names, count=6, seed=5, facility=HIP, odd=0)
    view = f"{place.names.views}chiefcomplaints"
    columns = "chiefcomplaint, sctcode, duration, unitofduration"
    rest = "createddate, createdby, source_key"
    failing = f"CASE WHEN source_key = {FIRST} THEN CAST(unitofduration AS date)::text ELSE description END"
    await asked(
        place.url,
        f"ALTER VIEW {view} RENAME TO plain",
        f"CREATE VIEW {view} AS SELECT {columns}, {failing} AS description, {rest} FROM plain",
    )
    source = AmritVisitSource(place.url, place.names)
    try:
        await source.check()
        rows = await source.claim(now=NOW, until=NOW, limit=100)
        read = {visit.row.visit_code: visit for visit in await source.read(rows)}
    finally:
        await source.close()
    failed = read.pop(rows[0].visit_code)
    assert failed.record is None
    assert failed.fault == f"view {view}: expected to succeed; it gave error 22007"
    assert len(read) == 5
    assert all(visit.record is not None for visit in read.values())
