"""The service's own processes, as an operator would run them, started for the length of a block."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hip.domain.errors import DomainError
from hip.entrypoints.embedded import launch
from hip.entrypoints.embedded.child import Launcher

_LISTENING = "listening "
READY_WITHIN = 30.0  # seconds; importing the stack costs about one, on a busy machine ten
STOPPED_WITHIN = 15.0  # seconds, before SIGKILL
_TAIL_LINES = 15


class ProcessFailed(DomainError):
    """A process of the demonstration ended, or was not ready, in the middle of it."""


class ServiceProcess:
    """One child: it dies with us, logs to a file, and is stopped by SIGTERM."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], logs: Path, launcher: Launcher
    ) -> None:
        """``environment`` replaces every HIP_ setting of ours, and ``logs`` is where it runs: no ``.env`` is read."""
        self.name = name
        self.log = logs / f"{name}.log"
        orders = (str(os.getpid()), str(int(signal.SIGTERM)), "-1", "-1")
        with self.log.open("ab") as log:
            self._process = launcher.start(
                lambda: subprocess.Popen(  # noqa: S603 - a list of arguments, never a shell
                    (sys.executable, "-I", "-S", launch.__file__, *orders, *command),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**_inherited(), **environment},
                    cwd=logs,
                    start_new_session=True,
                )
            )

    @property
    def pid(self) -> int:
        """The process id; its process group has the same."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def address(self) -> str:
        """The URL of the line ``listening URL`` on its standard output. Raises ProcessFailed."""
        stdout = self._process.stdout
        if stdout is None:
            raise ProcessFailed(f"{self.name} has no output")
        deadline = time.monotonic() + READY_WITHIN
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([stdout], [], [], left)
            if not ready:
                break
            line = stdout.readline().decode("utf-8", "replace").strip()
            if line.startswith(_LISTENING):
                return line.removeprefix(_LISTENING)
            if not line and not self.running:
                break
        raise ProcessFailed(f"{self.name} did not come up{self.tail()}")

    def finish(self) -> None:
        """Wait for a process that ends by itself. Raises ProcessFailed unless it ends well."""
        try:
            code = self._process.wait(READY_WITHIN)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(f"{self.name} did not end{self.tail()}") from None
        self.stop()
        if code != 0:
            raise ProcessFailed(f"{self.name} ended with {code}{self.tail()}")

    def require_running(self) -> None:
        """Raises ProcessFailed with the end of its log when it has ended."""
        if not self.running:
            raise ProcessFailed(f"{self.name} ended with {self._process.returncode}{self.tail()}")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL to what is left of its process group."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self.kill_family()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def kill(self) -> None:
        """SIGKILL to the process alone; what it forked goes on without it."""
        self._process.kill()
        self._process.wait()

    def kill_family(self) -> None:
        """SIGKILL to the process and everything below it, as a power cut would have it.

        RQ's work-horses lead process groups of their own and would otherwise finish as orphans (style.md §6).
        """
        for pid in (self._process.pid, *descendants(self._process.pid)):
            kill(pid)
        self._process.wait()

    def tail(self) -> str:
        """The last lines of its log, on lines of their own."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join(["; its log ends:", *(f"  {line}" for line in lines)]) if lines else "; its log is empty"


def descendants(pid: int) -> list[int]:
    """The process ids below ``pid``, nearest first, as /proc has them now."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(0), [])
        found += below
        waiting += below
    return found


def kill(pid: int) -> None:
    """SIGKILL; a process that has ended already is fine."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HIP_")}


class Service:
    """A group of processes that are stopped together, in reverse order of their start."""

    def __init__(self, *, logs: Path, launcher: Launcher) -> None:
        self._logs = logs
        self._launcher = launcher
        self.processes: dict[str, ServiceProcess] = {}
        self._environments: dict[str, Mapping[str, str]] = {}

    def start(self, name: str, *arguments: str, module: str, environment: Mapping[str, str]) -> ServiceProcess:
        """Run ``python -m module arguments`` under ``name``; a name that ran before is started anew."""
        command = (sys.executable, "-m", module, *arguments)
        process = ServiceProcess(name, command, environment=environment, logs=self._logs, launcher=self._launcher)
        self.processes[name] = process
        self._environments[name] = environment
        return process

    def environment_of(self, name: str) -> Mapping[str, str]:
        """The settings ``name`` was started with, to start another like it."""
        return self._environments[name]

    def require_running(self) -> None:
        """Raises ProcessFailed when any process has ended."""
        for process in self.processes.values():
            process.require_running()

    def stop(self) -> None:
        """Everything, newest first."""
        for process in reversed(self.processes.values()):
            process.stop()


@contextmanager
def service(logs: Path) -> Iterator[Service]:
    """Processes that live as long as the block, and never longer than this process."""
    logs.mkdir(parents=True, exist_ok=True)
    with Launcher() as launcher:
        group = Service(logs=logs, launcher=launcher)
        try:
            yield group
        finally:
            group.stop()
