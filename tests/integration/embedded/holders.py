"""Processes of their own that run the embedded servers, and the proof that nothing of them is left."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_HOLD = """
import json, sys
from pathlib import Path
from hip.entrypoints.embedded.servers import embedded_servers

reports = []
with embedded_servers(Path(sys.argv[1]), report=reports.append) as servers:
    print(json.dumps({"urls": [servers.urls.database_url, servers.urls.mongo_url, servers.urls.redis_url],
                      "pids": servers.pids, "reports": reports, "modules": sorted(sys.modules)}), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that holds running servers until its standard input is closed."""

    process: subprocess.Popen[bytes]
    urls: list[str]
    pids: dict[str, int]
    reports: list[str]
    modules: list[str]


@contextmanager
def holder(
    folder: Path, *, cwd: Path | None = None, prefix: tuple[str, ...] = (), **environment: str
) -> Iterator[Holder]:
    """Start a holder by a command that becomes it (``prefix``, if any); it has ended when the block has."""
    process = subprocess.Popen(
        (*prefix, sys.executable, "-W", "error", "-c", _HOLD, str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=cwd,
        env=os.environ | environment,
    )
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the holder ended with {process.wait()}"
        yield Holder(process=process, **json.loads(line))


@contextmanager
def heir_of_orphans() -> Iterator[set[int]]:
    """Become the parent of processes below us whose parent ends, and ask for the exit codes of those added at the end.

    Until then each that ends stays a zombie, as where process 1 is slow to ask.
    """
    orphans: set[int] = set()
    _take_orphans(yes=True)
    try:
        yield orphans
    finally:
        for pid in orphans:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        _take_orphans(yes=False)


def processes_below(pid: int) -> set[int]:
    """``pid`` and every process it started, directly or not."""
    found = {pid}
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for number in child.read_text(encoding="ascii").split():
            found |= processes_below(int(number))
    return found


def await_end(pids: set[int]) -> set[int]:
    """Wait until none of ``pids`` lives, or give up after 30 s; returns those still alive."""
    deadline = time.monotonic() + 30.0
    while (left := {pid for pid in pids if _lives(pid)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"  # a zombie has ended; only nobody has asked for its exit code yet


def _take_orphans(*, yes: bool) -> None:
    assert ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0) == 0
