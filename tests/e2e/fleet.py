"""Sources, relays and workers as an operator runs them, any number of each, over embedded servers; struck at random."""

import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from tests.e2e.own_gateway import Reply, Request, listening

from hip.entrypoints.demo.processes import Service, service
from hip.entrypoints.embedded.servers import EmbeddedServers, embedded_servers

HIP_ID, NAME = "IN0410000123", "Demo Clinic"
_MODULE = "hip.entrypoints.cli.main"
_COMMANDS = {"source": ("source", "run")}
_SMS = "/api/hiecm/hip/v3/link/patient/links/sms/notify2"


@dataclass
class Telephones:
    """A gateway that opens sessions and takes text messages, and answers nothing later; which numbers it was given."""

    rung: list[str] = field(default_factory=list)
    _one: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/sessions"):
            return 200, {"accessToken": "session", "expiresIn": 1200, "tokenType": "bearer"}
        if request.path != _SMS or request.body is None:
            return 404, None
        with self._one:
            self.rung.append(request.body["notification"]["phoneNo"])
        return 202, None


@dataclass
class Fleet:
    """``disturbances`` counts what may have hidden the fate of a text message: one for each worker it hit."""

    servers: EmbeddedServers
    group: Service
    environment: dict[str, str]
    telephones: Telephones
    chance: random.Random
    names: list[str] = field(default_factory=list)
    kills: int = 0
    disturbances: int = 0

    def start(self, *, relays: int = 0, workers: int = 0, sources: int = 0) -> None:
        """Beside what runs already; each kind once."""
        counts = {"source": sources, "relay": relays, "worker": workers}
        begun = [f"{kind}-{number}" for kind, count in counts.items() for number in range(count)]
        self.names += begun
        for name in begun:
            self._start(name)

    def _start(self, name: str) -> None:
        kind = name.partition("-")[0]
        arguments = _COMMANDS.get(kind, (kind,))
        self.group.start(name, *arguments, module=_MODULE, environment=self.environment)

    def kill_one(self) -> None:
        """SIGKILL to one at random and everything below it; it is started again."""
        name = self.chance.choice(self.names)
        process = self.group.processes[name]
        process.kill_family()
        process.stop()
        self.kills += 1
        self.disturbances += name.startswith("worker")
        self._start(name)

    def stop_one_worker(self) -> None:
        """SIGTERM to a worker, which must end well; it is started again."""
        self.restart(next(name for name in self.names if name.startswith("worker")))

    def restart(self, name: str) -> None:
        """SIGTERM, and another in its place."""
        self.stop(name)
        self.names.append(name)
        self._start(name)

    def stop(self, name: str) -> int | None:
        """SIGTERM, to which it must end well, and nobody in its place; its exit code."""
        process = self.group.processes[name]
        while not _minds_sigterm(process.pid):
            process.require_running()
            time.sleep(0.05)
        process.stop()
        assert "Traceback" not in process.log.read_text(encoding="utf-8", errors="replace")
        self.names.remove(name)
        return process.exit_code

    def flush_redis(self) -> None:
        with Redis.from_url(self.servers.urls.redis_url) as client:
            try:
                client.flushall()
            except RedisError as failure:
                raise AssertionError("Redis is not there to be flushed") from failure

    def restart_postgres(self) -> None:
        self.servers.restart_postgres()
        self.disturbances += sum(name.startswith("worker") for name in self.names)

    def restart_mongo(self) -> None:
        self.servers.restart_mongo()

    def tails(self) -> str:
        return "".join(self.group.processes[name].tail() for name in self.names)


def _minds_sigterm(pid: int) -> bool:
    """Whether it has come so far: one that is still starting just ends."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@contextmanager
def fleet(folder: Path, *, seed: int, wait_scale: float) -> Iterator[Fleet]:
    """Servers with the schema in place, a gateway, and no process of ours yet."""
    telephones = Telephones()
    with (
        listening(telephones.answer) as gateway,
        embedded_servers(folder) as servers,
        service(servers.folder / "run") as group,
    ):
        environment = {
            "HIP_GATEWAY_URL": f"{gateway.url}/api/hiecm",
            "HIP_CLIENT_ID": "fleet",
            "HIP_CLIENT_SECRET": "fleet",
            "HIP_CM_ID": "sbx",
            "HIP_FACILITIES": json.dumps([{"id": HIP_ID, "name": NAME}]),
            "HIP_DATABASE_URL": servers.urls.database_url,
            "HIP_MONGO_URL": servers.urls.mongo_url,
            "HIP_REDIS_URL": servers.urls.redis_url,
            "HIP_KEY_FILE": str(servers.folder / "hip.keys"),
            "HIP_WAIT_SCALE": str(wait_scale),
        }
        group.start("upgrade", "db", "upgrade", module=_MODULE, environment=environment).finish()
        del group.processes["upgrade"]
        yield Fleet(servers, group, environment, telephones, random.Random(seed))
