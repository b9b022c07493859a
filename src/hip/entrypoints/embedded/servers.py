"""PostgreSQL, Valkey and a MongoDB-wire server together, living in one data folder for the length of a block."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hip.entrypoints.embedded import places
from hip.entrypoints.embedded.account import Account
from hip.entrypoints.embedded.child import Launcher
from hip.entrypoints.embedded.mongo import MongoServer
from hip.entrypoints.embedded.postgres import DATABASE, PostgresServer
from hip.entrypoints.embedded.valkey import ValkeyServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUrls:
    """What HIP_DATABASE_URL, HIP_MONGO_URL and HIP_REDIS_URL would hold; valid over restarts of the servers."""

    database_url: str
    mongo_url: str
    redis_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServers:
    """Three running servers. Each has ``start``, ``stop``, ``kill`` (SIGKILL), ``restart`` and ``pid``."""

    folder: Path
    postgres: PostgresServer
    valkey: ValkeyServer
    mongo: MongoServer

    @property
    def urls(self) -> ServerUrls:
        """The URLs of the database ``hip``, of MongoDB, and of Redis database 0."""
        return ServerUrls(
            database_url=self.database_url(DATABASE), mongo_url=self.mongo.url, redis_url=self.valkey.url()
        )

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each running server, by the names ``postgres``, ``valkey`` and ``mongo``."""
        pids = {"postgres": self.postgres.pid, "valkey": self.valkey.pid, "mongo": self.mongo.pid}
        return {name: pid for name, pid in pids.items() if pid is not None}

    def database_url(self, name: str) -> str:
        """The SQLAlchemy URL of the PostgreSQL database ``name``."""
        return self.postgres.databases.url(name)

    def redis_url(self, database: int) -> str:
        """The redis-py URL of a numbered Redis database."""
        return self.valkey.url(database)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Create a PostgreSQL database as a copy of ``template``."""
        self.postgres.databases.create(name, template=template)

    def drop_database(self, name: str) -> None:
        """Drop a PostgreSQL database if it exists, closing its connections."""
        self.postgres.databases.drop(name)

    def restart_postgres(self) -> None:
        """Stop PostgreSQL, if it runs, and start it again under the same URL."""
        self.postgres.restart()

    def restart_valkey(self) -> None:
        """Stop Valkey, if it runs, and start it again, empty, under the same URL."""
        self.valkey.restart()

    def restart_mongo(self) -> None:
        """Stop the MongoDB-wire server, if it runs, and start it again under the same URL."""
        self.mongo.restart()


@contextmanager
def embedded_servers(folder: Path, *, report: Callable[[str], None] = lambda _: None) -> Iterator[EmbeddedServers]:
    """Run the three servers in ``folder``, made if missing, and stop them afterwards; their data stays.

    They end with this process, however it ends. ``report`` receives a line for each long step and each surprise.
    Raises EmbeddedServersError: WheelMissing, FolderInUse, FolderUnusable or ServerFailed.
    """
    with ExitStack() as stack:
        root = stack.enter_context(places.claimed(folder))
        launcher = stack.enter_context(Launcher())
        servers = _laid_out(root, launcher, stack, report)
        stack.callback(_stop, servers)
        servers.mongo.launch()
        servers.valkey.launch()
        servers.postgres.launch(report)
        servers.valkey.await_ready()
        servers.postgres.await_ready()
        servers.mongo.await_ready()
        yield servers


def _laid_out(root: Path, launcher: Launcher, stack: ExitStack, report: Callable[[str], None]) -> EmbeddedServers:
    run = places.private_folder(root, "run")
    home = places.postgres_home(root, Account.for_postgres(), report)
    account = Account.owning(home) if os.geteuid() == 0 else None
    postgres_sockets = stack.enter_context(places.socket_folder(root, "postgres", home, account))
    valkey_home = places.private_folder(root, "valkey")
    valkey_sockets = stack.enter_context(places.socket_folder(root, "valkey", valkey_home, None))
    return EmbeddedServers(
        folder=root,
        postgres=PostgresServer(home=home, sockets=postgres_sockets, run=run, account=account, launcher=launcher),
        valkey=ValkeyServer(home=valkey_home, sockets=valkey_sockets, run=run, launcher=launcher),
        mongo=MongoServer(home=places.private_folder(root, "mongo"), run=run, launcher=launcher),
    )


def _stop(servers: EmbeddedServers) -> None:
    """Ask all at once, then wait for each; an error of one does not keep the others running."""
    together = (servers.postgres, servers.valkey, servers.mongo)
    for server in together:
        server.ask_to_stop()
    with ExitStack() as stack:
        for server in together:
            stack.callback(server.stop)
