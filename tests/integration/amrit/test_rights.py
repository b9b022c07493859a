"""The rights that docs/amrit-source.md names are enough for a source; and the script that it prints runs as it is."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.builders.amrit import HIP, TRIGGER, asked
from tests.builders.amrit_places import ALL_PLACES, Place, an_empty_place

from hip.adapters.amrit.names import Form
from hip.adapters.amrit.result_sets import ALL
from hip.adapters.amrit.sample_database import fill
from hip.adapters.amrit.sample_layout import script
from hip.adapters.amrit.source import AmritVisitSource
from hip.domain.errors import InvalidValue

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC) + timedelta(hours=1)
LATER = NOW + timedelta(minutes=10)
OURS = "processed_flag, hip_due_at, hip_attempts, hip_reason, hip_read_at, hip_done_at"


@pytest.fixture(params=ALL_PLACES)
async def place(request: pytest.FixtureRequest) -> Place:
    made = await an_empty_place(request.param, request.getfixturevalue, database="amrit_rights")
    statements = script(made.names, "mysql" if made.is_mysql else "postgresql").rstrip().rstrip(";").split(";\n")
    await asked(made.url, *statements)
    await fill(made.url, made.names, count=3, seed=5, facility=HIP, odd=0)
    return made


@pytest.fixture
async def reader(place: Place) -> AsyncIterator[str]:
    """The name of a user who may do nothing yet."""
    name = f"reader_of_{place.url.partition('?')[0].rpartition('/')[2]}"
    who = f"{name}@localhost" if place.is_mysql else name
    await asked(place.url, f"DROP {'USER' if place.is_mysql else 'ROLE'} IF EXISTS {who}")
    await asked(place.url, f"CREATE USER {who}")
    yield who
    await asked(place.url, *([] if place.is_mysql else [f"DROP OWNED BY {who}"]), f"DROP USER {who}")


def _as(place: Place, who: str) -> Place:
    user = who.partition("@")[0]
    return replace(place, url=place.url.replace("://root@", f"://{user}@").replace("://postgres@", f"://{user}@"))


async def _grant(place: Place, who: str) -> None:
    granted = [f"GRANT SELECT, UPDATE ({OURS}) ON {TRIGGER} TO {who}"]
    if place.names.form is Form.VIEWS:
        granted += [f"GRANT SELECT ON fhir_r_{each.name} TO {who}" for each in ALL]
    else:
        granted += [f"GRANT SELECT (visitcode, createddate) ON t_lab_testresult TO {who}"]
        if place.is_mysql:
            granted += [f"GRANT EXECUTE ON PROCEDURE fhir_r_{each.name} TO {who}" for each in ALL]
        else:  # a function of PostgreSQL reads with the rights of whoever calls it
            granted += [f"GRANT SELECT ON {each.table} TO {who}" for each in ALL]
    await asked(place.url, *granted)


async def test_the_rights_that_are_documented_are_enough(place: Place, reader: str) -> None:
    await _grant(place, reader)
    source = AmritVisitSource(_as(place, reader).url, place.names)
    try:
        await source.check()
        rows = await source.claim(now=NOW, until=LATER, limit=10)
        assert all(visit.record is not None for visit in await source.read(rows))
        await source.put_off(rows[:1], until=LATER, reason="-")
        await source.put_back(rows[1:2], now=NOW)
        assert await source.done(rows[2:], now=NOW) == 1
        assert await source.reopen_late(since=NOW - timedelta(days=1), limit=10) == 0
    finally:
        await source.close()


async def test_a_right_that_is_missing_is_named(place: Place, reader: str) -> None:
    await _grant(place, reader)
    if place.kind == "VIEW":
        await asked(place.url, f"REVOKE SELECT ON fhir_r_immunization FROM {reader}")
    elif place.kind == "PROCEDURE":
        await asked(place.url, f"REVOKE EXECUTE ON PROCEDURE fhir_r_immunization FROM {reader}")
    else:
        await asked(place.url, "REVOKE EXECUTE ON FUNCTION fhir_r_immunization FROM PUBLIC")
    source = AmritVisitSource(_as(place, reader).url, place.names)
    try:
        with pytest.raises(InvalidValue, match="fhir_r_immunization"):
            await source.check()
    finally:
        await source.close()
