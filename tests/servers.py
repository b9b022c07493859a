"""One set of embedded servers for a whole test run, shared by its pytest-xdist workers.

The first process that needs them starts a supervisor (this file, run as a script), which holds the servers. Every
process that uses them keeps a shared lock on one file for as long as it lives; the supervisor waits for that lock
alone, so it stops the servers when the last user has gone, also when that user was killed. If the supervisor itself is
killed, the kernel ends the servers.

Fixtures for every test (see ``tests/conftest.py``): ``servers``, ``database_url``, ``mongo_url``, ``mongo_database``,
``redis_url``. A test that stops or kills a server starts a set of its own:
``with fresh_folder(inside=quick_disk()) as folder, embedded_servers(folder) as own``.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType

from hip.entrypoints.embedded.databases import Databases
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.embedded.servers import embedded_servers

_START_WITHIN = 120.0  # seconds; on a busy machine a first start takes long
_ROOM = 2 * 1024**3  # bytes; a container's usual 64 MiB would not do
_scratch_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The servers of this test run, as one worker sees them."""

    worker: str
    sockets: str
    mongo_url: str
    redis_base_url: str

    @property
    def databases(self) -> Databases:
        """Create, drop and address PostgreSQL databases."""
        return Databases(sockets=Path(self.sockets))

    @property
    def mongo_database(self) -> str:
        """The name of this worker's MongoDB database."""
        return f"hip_test_{self.worker}"

    @property
    def redis_url(self) -> str:
        """This worker's Redis database: ``main`` has 0, ``gw0`` has 1, and so on."""
        number = 0 if self.worker == "main" else int(self.worker.removeprefix("gw")) + 1
        return f"{self.redis_base_url}?db={number}"

    @contextmanager
    def scratch_database(self, *, template: str = "template1") -> Iterator[str]:
        """The URL of a new PostgreSQL database, dropped afterwards (about 40 ms to make, more to drop)."""
        name = f"scratch_{self.worker}_{next(_scratch_numbers)}"
        self.databases.create(name, template=template)
        try:
            yield self.databases.url(name)
        finally:
            self.databases.drop(name)


@contextmanager
def shared_servers() -> Iterator[Servers]:
    """The servers of this test run, started by whoever comes first."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}-{time.time_ns()}")
    rendezvous = Path(tempfile.gettempdir()) / f"hip-tests-{os.getuid()}-{run}"
    users = _join(rendezvous)
    try:
        yield Servers(worker=worker, **json.loads((rendezvous / "servers.json").read_text(encoding="utf-8")))
    finally:
        os.close(users)


def _join(rendezvous: Path) -> int:
    """Become a user of the run's servers, starting them if nobody did; returns the shared lock, an open file."""
    while True:
        rendezvous.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):  # a supervisor that nobody needed any more removed the folder just now
            users = os.open(rendezvous / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(users, fcntl.LOCK_SH)  # waits while such a supervisor is stopping
            if _is_still(rendezvous / "users", users):
                with (rendezvous / "start").open("w") as start:
                    fcntl.flock(start, fcntl.LOCK_EX)
                    if not (rendezvous / "servers.json").exists():
                        _start_supervisor(rendezvous)
                return users
            os.close(users)


def _is_still(path: Path, opened: int) -> bool:
    return path.exists() and os.path.samestat(path.stat(), os.fstat(opened))


def _start_supervisor(rendezvous: Path) -> None:
    with (rendezvous / "log").open("wb") as log:
        supervisor = subprocess.Popen(
            (sys.executable, __file__, str(rendezvous)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for pytest; the supervisor then sees its users leave
        )
    deadline = time.monotonic() + _START_WITHIN
    while not (rendezvous / "servers.json").exists():
        if supervisor.poll() is not None or time.monotonic() > deadline:
            supervisor.kill()
            raise RuntimeError(f"no servers for the tests:\n{(rendezvous / 'log').read_text(encoding='utf-8')}")
        time.sleep(0.01)
    supervisor.returncode = 0  # it outlives us on purpose: no ResourceWarning


def _supervise(rendezvous: Path) -> None:
    """Hold the servers until no process uses them."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        with fresh_folder(inside=quick_disk()) as folder, embedded_servers(folder, report=_say) as running:
            addresses = {
                "sockets": str(running.postgres.databases.sockets),
                "mongo_url": running.urls.mongo_url,
                "redis_base_url": running.urls.redis_url.partition("?")[0],
            }
            draft = rendezvous / "servers.draft"
            draft.write_text(json.dumps(addresses), encoding="utf-8")
            draft.rename(rendezvous / "servers.json")
            users = os.open(rendezvous / "users", os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(users, fcntl.LOCK_EX)  # granted when the last user has gone, however it went
    finally:
        if (rendezvous / "servers.json").exists():  # else a user is waiting to read our log
            shutil.rmtree(rendezvous, ignore_errors=True)


def quick_disk() -> Path | None:
    """A file system in memory with room for the servers, if this machine has one: fsync costs nothing there.

    It keeps what it is told when processes are killed, which is all that tests can do to it.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM:
        return memory
    return None


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    _supervise(Path(sys.argv[1]))
