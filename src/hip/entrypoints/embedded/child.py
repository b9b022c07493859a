"""A server process that cannot outlive us: its lock, its log, its readiness and its end."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hip.entrypoints.embedded import launch
from hip.entrypoints.embedded.account import Account
from hip.entrypoints.embedded.errors import FolderUnusable, ServerFailed

READY_WITHIN = 60.0  # seconds; a first start takes one, crash recovery on a slow disk many
GONE_WITHIN = 20.0  # seconds; a PostgreSQL told to quit at once kills its own after five
_POLL = 0.01  # seconds
_TAIL_LINES = 15
# What a server may see of our environment: never the settings, which hold secrets.
_ENVIRONMENT = ("LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR")


class Launcher:
    """Starts processes from one thread that lives as long as the servers do.

    The kernel sends the parent-death signal when the *thread* that forked ends, so a restart asked for by a
    short-lived thread must not fork there.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-servers")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def start(self, process: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Call ``process`` on the lasting thread."""
        return self._thread.submit(process).result()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How one kind of server is treated.

    ``stop`` lists signals with the seconds each is given before the next; SIGKILL follows the last.
    ``death`` is sent by the kernel when we die.
    """

    name: str
    stop: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0),)
    death: signal.Signals = signal.SIGKILL


class Child:
    """One server: at most one process (with its own children) at a time, restartable.

    Every process of the server inherits a locked file, so the lock is free exactly when all of them are gone,
    whoever started them and however they ended.
    """

    def __init__(self, *, conduct: Conduct, folder: Path, launcher: Launcher, account: Account | None = None) -> None:
        """``folder`` receives the lock and the log; the account, if any, needs no access to it."""
        self.conduct = conduct
        self.log = folder / f"{conduct.name.lower()}.log"
        self._lock = folder / f"{conduct.name.lower()}.lock"
        self._launcher = launcher
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def launch(self, command: tuple[str, ...], *, home: Path) -> None:
        """Start ``command`` without waiting for it. Raises ServerFailed when an earlier run still lives."""
        self.await_end_of_earlier_run()
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)
        uid, gid = (-1, -1) if self._account is None else (self._account.uid, self._account.gid)
        orders = (os.getpid(), int(self.conduct.death), uid, gid)
        lock = self._locked()
        self._asked = False
        try:
            with self.log.open("wb") as log:
                self._process = self._launcher.start(
                    lambda: subprocess.Popen(  # noqa: S603 - a list of arguments, never a shell
                        (sys.executable, "-I", "-S", launch.__file__, *map(str, orders), *command),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        cwd="/",
                        env=_environment(home),
                        pass_fds=(lock,),
                        start_new_session=True,  # Ctrl-C is for us; we then stop the servers in our own time
                    )
                )
        finally:
            os.close(lock)

    def await_end_of_earlier_run(self) -> None:
        """Wait until no process of an earlier run is left. Raises ServerFailed after GONE_WITHIN."""
        os.close(self._locked())

    def await_ready(self, ready: Callable[[], bool]) -> None:
        """Wait until ``ready()``. Raises ServerFailed when the process ends first or READY_WITHIN passes."""
        process = self._running()
        deadline = time.monotonic() + READY_WITHIN
        while not ready():
            if process.poll() is not None:
                raise ServerFailed(f"{self.conduct.name} ended with {process.returncode} while starting{self._tail()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.conduct.name} was not ready in {READY_WITHIN:.0f} s{self._tail()}")
            time.sleep(_POLL)

    def await_success(self) -> None:
        """Wait for a program that ends by itself. Raises ServerFailed unless it ends with 0 in READY_WITHIN."""
        process = self._running()
        try:
            code = process.wait(READY_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"{self.conduct.name} was not set up in {READY_WITHIN:.0f} s{self._tail()}") from None
        if code != 0:
            raise ServerFailed(f"{self.conduct.name} could not be set up, code {code}{self._tail()}")

    def ask_to_stop(self) -> None:
        """Send the first stop signal and return at once; harmless when nothing runs.

        Only once: SecantusDB's handler would be interrupted by itself.
        """
        if self._process is not None and not self._asked:
            _signal_main_thread(self._process, self.conduct.stop[0][0])
            self._asked = True

    def stop(self, *, nudge: Callable[[], object] = lambda: None) -> None:
        """Stop and wait until no process of the server is left; harmless when nothing runs.

        ``nudge`` is called while waiting, for a server that only looks up when something happens to it.
        """
        if self._process is None:
            return
        self.ask_to_stop()
        _wait(self._process, self.conduct.stop[0][1], nudge)
        for number, seconds in self.conduct.stop[1:]:
            _signal_main_thread(self._process, number)
            _wait(self._process, seconds, nudge)
        self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power cut would have it, and wait until no process of the server is left."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        self.await_end_of_earlier_run()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed(f"{self.conduct.name} was not started")
        return self._process

    def _locked(self) -> int:
        """The lock, taken, as an open file. Raises ServerFailed after GONE_WITHIN."""
        try:
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError:
            raise FolderUnusable(f"{self._lock} belongs to another user: use another data folder") from None
        deadline = time.monotonic() + GONE_WITHIN
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise ServerFailed(
                        f"{self.conduct.name} of an earlier run still works in {self._lock.parent.parent}"
                    ) from None
                time.sleep(_POLL)
            else:
                return lock

    def _tail(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join(["; its log ends:", *(f"  {line}" for line in lines)]) if lines else "; its log is empty"


def _signal_main_thread(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send to the main thread where libc can, else to the process.

    SecantusDB handles signals in its sleeping main thread, and one that another thread happened to take did not wake
    it in 1 of 10 stops of a busy server.
    """
    tgkill = getattr(ctypes.CDLL(None), "tgkill", None)
    if tgkill is None:  # a C library older than glibc 2.30, or not glibc
        process.send_signal(number)
    elif process.poll() is None:
        tgkill(process.pid, process.pid, int(number))


def _environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return kept | {"HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"}


def _wait(process: subprocess.Popen[bytes], seconds: float, nudge: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        nudge()
        time.sleep(_POLL)
