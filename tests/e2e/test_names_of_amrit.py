"""The demonstration's whole story, from visits to pushed pages, in tables and collections with AMRIT's names."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dependency_injector.providers import List, Object
from pymongo import MongoClient
from tests.builders.databases import connected, migrated
from tests.builders.processes import hip
from tests.e2e.test_demo import folder, hold, needs_the_extra
from tests.servers import Servers

from hip.adapters.postgres.names import Names
from hip.entrypoints import wiring
from hip.entrypoints.container import AnyAdapters
from hip.entrypoints.demo.stages import memory_stage, settings_of
from hip.entrypoints.demo.story import Story
from hip.entrypoints.settings import Settings

__all__ = ["folder"]

COLLECTIONS = {"AMRIT_Resource", "NDHMResponses", "GenerateTokenAbdmResponses", "PatientCareContexts"}
OF_THE_SEED = {"Amrit_Resource", "NDHMResponse", "GenerateLinkTokenResponse"}


@pytest.fixture
def settings(servers: Servers) -> Iterator[Settings]:
    """Those of real stores with AMRIT's names, empty."""
    database = f"{servers.mongo_database}_names"
    with servers.scratch_database() as url:
        yield settings_of(
            {
                "HIP_NAMES": "amrit",
                "HIP_DATABASE_URL": migrated(url, names=Names.called("amrit")),
                "HIP_MONGO_URL": servers.mongo_url,
                "HIP_MONGO_DATABASE": database,
                "HIP_REDIS_URL": servers.redis_url,
            }
        )
        with MongoClient[dict[str, Any]](servers.mongo_url) as client:
            client.drop_database(database)


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    async def read() -> list[tuple[Any, ...]]:
        assert settings.database_url is not None
        connection = await connected(settings.database_url.get_secret_value())
        try:
            return [tuple(row.values()) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(read())


@pytest.mark.servers
def test_the_main_job_from_visit_to_pushed_page_holds_under_amrits_names(settings: Settings, servers: Servers) -> None:
    def arrange(adapters: AnyAdapters) -> None:
        """The stores are real, and all else is in this process."""
        documents = wiring.mongo(settings)
        adapters.database.override(Object(wiring.postgres(settings, adapters.vault(), adapters.records())))
        adapters.bundles.override(Object(documents))
        adapters.projections.override(Object(documents))
        adapters.closers.override(List(Object(documents.close)))

    async def play() -> list[tuple[str, str, bool]]:
        async with memory_stage(wait_scale=0.02, arrange=arrange) as stage:
            story = Story(stage=stage, tell=lambda _: None)
            await story.play()
        return [(result.step, result.outcome, result.held) for result in story.results]

    told = asyncio.run(play())
    assert [step for step in told if not step[2]] == []
    assert len(told) == 14
    assert rows(settings, 'SELECT DISTINCT "Processed_Flag" FROM ndhm_trg_visitdata') == [(True,)]
    assert rows(settings, "SELECT to_regclass('ndhm_trigger_visit_data')") == [(None,)]
    assert rows(settings, "SELECT count(*) > 3 FROM pages WHERE state = 'delivered'") == [(True,)]
    with MongoClient[dict[str, Any]](servers.mongo_url) as client:
        database = client[settings.mongo_database]
        counts = {name: database[name].count_documents({}) for name in database.list_collection_names()}
    assert {name for name, count in counts.items() if count} == COLLECTIONS
    assert OF_THE_SEED.isdisjoint(counts)
    assert counts["AMRIT_Resource"] == rows(settings, "SELECT count(*) FROM bundles")[0][0]


@needs_the_extra
@pytest.mark.soak
@pytest.mark.servers
def test_the_demonstration_itself_holds_under_amrits_names(folder: Path) -> None:
    ended = hip("demo", "--names", "amrit", "--json", folder=folder)
    assert (ended.code, ended.stderr) == (0, ""), ended.stdout
    hold(json.loads(ended.stdout), mode="server")


def test_memory_has_no_names() -> None:
    from typer.testing import CliRunner

    from hip.entrypoints.cli.main import app

    ended = CliRunner().invoke(app, ["demo", "--memory", "--names", "amrit"])
    assert ended.exit_code == 2
