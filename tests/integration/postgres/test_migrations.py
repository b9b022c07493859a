"""The migrations: up and down again, and amounting to what the tables say."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine
from tests.builders.conversations import an_audit_entry
from tests.builders.databases import a_postgres_database, connected
from tests.builders.links import HIP
from tests.builders.stored_visits import a_trigger
from tests.servers import Servers

from hip.adapters.postgres import schema
from hip.adapters.postgres.dsn import engine_url
from hip.adapters.postgres.names import Names
from hip.adapters.postgres.tables.columns import METADATA
from hip.adapters.postgres.units import PostgresDatabase
from hip.domain.errors import InvalidValue, StorageFailed
from hip.domain.identifiers import VisitCode

AMRIT = Names.called("amrit")


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    with servers.scratch_database() as url:
        yield url


def revisions() -> list[str]:
    """Oldest first."""
    scripts = ScriptDirectory(str(schema.MIGRATIONS))
    return [script.revision for script in scripts.walk_revisions()][::-1]


async def _rows(url: str, query: str) -> list[Any]:
    connection = await connected(url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def rows(url: str, query: str) -> list[Any]:
    return asyncio.run(_rows(url, query))


def differences(url: str, expected: list[MetaData]) -> list[Any]:
    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, expected))  # type: ignore[arg-type]

    async def run() -> list[Any]:
        engine = create_async_engine(url)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(compare)
        finally:
            await engine.dispose()

    return asyncio.run(run())


@pytest.mark.parametrize("names", [Names(), AMRIT], ids=["seed", "amrit"])
def test_every_revision_goes_up_down_and_up_again(empty_url: str, names: Names) -> None:
    before: str | None = None
    for revision in revisions():
        schema.upgrade(empty_url, revision=revision, names=names)
        assert schema.current(empty_url) == revision
        schema.downgrade(empty_url, before or "base", names=names)
        assert schema.current(empty_url) == before
        schema.upgrade(empty_url, revision=revision, names=names)
        before = revision
    assert schema.current(empty_url) == schema.head()
    schema.downgrade(empty_url, "base", names=names)
    left = rows(empty_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert [row["tablename"] for row in left] == ["alembic_version"]
    assert rows(empty_url, "SELECT 1 FROM pg_proc WHERE pronamespace = 'public'::regnamespace") == []


@pytest.mark.parametrize("names", [Names(), AMRIT], ids=["seed", "amrit"])
def test_the_migrations_amount_to_the_tables(empty_url: str, names: Names) -> None:
    schema.upgrade(empty_url, names=names)
    assert differences(empty_url, schema.expected_tables(names)) == []
    assert differences(empty_url, [METADATA]) != []  # the comparison sees a table too many


def test_a_database_without_a_schema_has_no_revision(empty_url: str) -> None:
    assert schema.current(empty_url) is None


def test_upgrading_twice_changes_nothing(empty_url: str) -> None:
    schema.upgrade(empty_url)
    schema.upgrade(empty_url)
    assert schema.current(empty_url) == schema.head()


def test_two_upgrades_at_once_take_turns(empty_url: str) -> None:
    with ThreadPoolExecutor(max_workers=2) as threads:
        for done in [threads.submit(schema.upgrade, empty_url) for _ in range(2)]:
            done.result()
    assert schema.current(empty_url) == schema.head()


def test_two_machines_that_upgrade_at_once_take_turns(empty_url: str) -> None:
    program = f"from hip.adapters.postgres.schema import upgrade; upgrade({empty_url!r})"
    machines = [subprocess.Popen((sys.executable, "-c", program)) for _ in range(2)]
    assert [machine.wait(timeout=120) for machine in machines] == [0, 0]
    assert schema.current(empty_url) == schema.head()


def test_hip_id_leads_every_key_and_every_index_that_serves_one_hip(empty_url: str) -> None:
    schema.upgrade(empty_url)
    found = rows(
        empty_url,
        """
        SELECT c.relname AS index, a.attname AS leads FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'alembic%'
        """,
    )
    assert len(found) > 30
    # The relay, the sweeps and the clearing of old pages go through every HIP's rows.
    of_all_hips = {
        "ix_outbox_due",
        "uq_outbox_id",
        "ix_exchanges_overdue",
        "ix_attempts_wrong_clock",
        "ix_ndhm_trigger_visit_data_processed_at",
        "ix_health_information_created_at",
        "uq_health_information_id",
        "ix_consents_data_erase_at",
        "ix_data_flow_request_alert_at",
        "ix_link_attempts_waiting",
    }
    assert {row["index"] for row in found if row["leads"] != "hip_id"} == of_all_hips


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("initiated_link_request", "request_id txn_id link_reference_number status created_at"),
        ("generate_token_response", "request_id abha_address link_token expires_at error_code created_at"),
        ("care_context", "care_context_number link_reference_number visit_code display facility_id"),
        ("discovery_request", "transaction_id consent_manager_user_id patient_reference_number timestamp"),
        ("data_flow_request", "transaction_id health_information_request status"),
        ("health_information", "information_id data token created_at"),
        ("ndhm_trigger_visit_data", "process_flag"),
    ],
)
def test_the_names_of_the_seed_are_kept(table: str, columns: str) -> None:
    found = next(metadata.tables[table] for metadata in schema.expected_tables(Names()) if table in metadata.tables)
    assert set(columns.split()) <= {column.name for column in found.columns}


def test_under_amrits_names_the_trigger_table_is_amrits(empty_url: str) -> None:
    schema.upgrade(empty_url, names=AMRIT)

    async def save() -> None:
        database = a_postgres_database(empty_url, names=AMRIT)
        async with database.unit() as uow:
            await uow.triggers.save(a_trigger())
            await uow.triggers.save(a_trigger().process(now=a_trigger().created_at))
            assert await uow.triggers.get(HIP, VisitCode("88120")) == a_trigger().process(now=a_trigger().created_at)
            await uow.commit()
        await database.close()

    asyncio.run(save())
    (row,) = rows(empty_url, 'SELECT "Processed_Flag" AS flag, visit_code FROM ndhm_trg_visitdata')
    assert (row["flag"], row["visit_code"]) == (True, "88120")


def test_names_are_the_seeds_or_amrits() -> None:
    assert Names.called("seed") == Names()
    with pytest.raises(InvalidValue, match="HIP_NAMES"):
        Names.called("AMRIT")


def test_a_server_that_is_away_is_storage_failed(empty_url: str) -> None:
    away = empty_url.replace("?host=", "?host=/nowhere")
    for call in (schema.current, schema.upgrade):
        with pytest.raises(StorageFailed):
            call(away)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_an_address_may_be_spelt_in_three_ways(scheme: str) -> None:
    url = engine_url(f"{scheme}://hip:secret@db.example:5433/hip?sslmode=require&application_name=x")
    assert url.drivername == "postgresql+asyncpg"
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "hip",
        "secret",
        "db.example",
        5433,
        "hip",
    )
    assert dict(url.query) == {"ssl": "require", "application_name": "x"}


@pytest.mark.parametrize("dsn", ["mysql://root:secret@db/hip", "secret", "postgresql://u:secret@db:port/hip"])
def test_another_address_is_refused_without_repeating_it(dsn: str) -> None:
    with pytest.raises(InvalidValue, match="HIP_DATABASE_URL") as refusal:
        engine_url(dsn)
    assert "secret" not in str(refusal.value)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"],
    ids=["update", "delete", "truncate"],
)
async def test_aud_01_the_server_itself_refuses_to_change_the_audit(
    database: PostgresDatabase, url: str, change: str
) -> None:
    async with database.unit() as uow:
        await uow.audit.append(an_audit_entry())
        await uow.commit()
    connection = await connected(url)  # as the owner of the table
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await connection.execute(change)
        assert await connection.fetchval("SELECT actor FROM audit") == "worker"
    finally:
        await connection.close()
