"""Fixtures every test may ask for; the servers start only when the first test that needs them runs."""

from collections.abc import Iterator

import pytest
from tests.builders.amrit_servers import MISSING, a_mysql, mysql_program
from tests.servers import Servers, quick_disk, shared_servers

from hip.entrypoints.embedded.places import fresh_folder


@pytest.hookimpl(tryfirst=True)  # before -m deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs the servers is marked so: ``-m "not servers"`` leaves it out. A soak may take its 20 minutes."""
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.servers)
        if item.get_closest_marker("soak") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(1_200))


@pytest.fixture
def anyio_backend() -> str:
    """Coroutine tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL, Valkey and the MongoDB-wire server, one set for the whole run."""
    with shared_servers() as running:
        yield running


@pytest.fixture(scope="session")
def database_url(servers: Servers) -> str:
    """The SQLAlchemy URL of this worker's own PostgreSQL database, empty when the run begins."""
    servers.databases.create(f"test_{servers.worker}")
    return servers.databases.url(f"test_{servers.worker}")


@pytest.fixture(scope="session")
def mongo_url(servers: Servers) -> str:
    """The pymongo URL; keep to the database named by ``mongo_database``."""
    return servers.mongo_url


@pytest.fixture(scope="session")
def mongo_database(servers: Servers) -> str:
    """The name of this worker's own MongoDB database."""
    return servers.mongo_database


@pytest.fixture(scope="session")
def redis_url(servers: Servers) -> str:
    """The redis-py URL of this worker's own Redis database."""
    return servers.redis_url


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    """The SQLAlchemy URL of this worker's own MariaDB or MySQL, without a database in it; skipped if there is none."""
    if mysql_program() is None:
        pytest.skip(MISSING)
    with fresh_folder(inside=quick_disk()) as folder, a_mysql(folder) as url:
        yield url
