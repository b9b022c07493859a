"""``hip`` as its users run it: processes of their own, with no settings but those a test gives."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HIP = (sys.executable, "-m", "hip.entrypoints.cli.main")
_ENDS_WITHIN = 240.0  # seconds; the demonstration on a busy machine takes one minute
_GONE_WITHIN = 30.0
_LOOKS_EVERY = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that has ended. ``below`` are the processes seen under its mark, ``left`` those that outlived it."""

    code: int
    stdout: str
    stderr: str
    below: frozenset[int]
    left: frozenset[int]


def hip(*arguments: str, folder: Path, settings: Mapping[str, str] | None = None) -> Ended:
    """Run ``hip ARGUMENTS`` until it ends. It works in ``folder``, where no ``.env`` is, and marks its children by it.

    TMPDIR is the mark: it is among the few names that embedded servers keep of our environment.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HIP_")}
    out, err = folder / "stdout", folder / "stderr"
    below: set[int] = set()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            (*HIP, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**inherited, **(settings or {}), "TMPDIR": str(folder)},
            cwd=folder,
        )
        with process:
            deadline = time.monotonic() + _ENDS_WITHIN
            while process.poll() is None:
                below |= marked(folder) - {process.pid}
                if time.monotonic() > deadline:
                    process.kill()
                time.sleep(_LOOKS_EVERY)
    return Ended(
        code=process.returncode,
        stdout=out.read_text(encoding="utf-8"),
        stderr=err.read_text(encoding="utf-8"),
        below=frozenset(below),
        left=frozenset(_await_end(folder)),
    )


@contextmanager
def killed(*arguments: str, folder: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """``hip ARGUMENTS``, begun, and killed (SIGKILL) at the end of the block; it must still run then."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HIP_")}
    process = subprocess.Popen(
        (*HIP, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**inherited, **settings},
        cwd=folder,
    )
    try:
        yield
        assert process.poll() is None, "it ended by itself"
    finally:
        process.kill()
        process.wait()


@contextmanager
def staying(*arguments: str, folder: Path, until: str, within: float) -> Iterator[list[str]]:
    """``hip ARGUMENTS`` as it stays up, with what it printed until a line held ``until``; then SIGTERM and exit 0."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HIP_")}
    out, err = folder / "stdout", folder / "stderr"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            (*HIP, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env={**inherited, "TMPDIR": str(folder)},
            cwd=folder,
        )
    try:
        deadline = time.monotonic() + within
        while until not in (said := out.read_text(encoding="utf-8")):
            assert process.poll() is None, said + err.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, said
            time.sleep(_LOOKS_EVERY)
        yield said.splitlines()
        process.terminate()
        assert process.wait(_GONE_WITHIN) == 0, err.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()
        assert _await_end(folder) == set()


def marked(folder: Path) -> set[int]:
    """Every living process whose TMPDIR is ``folder``."""
    mark = f"TMPDIR={folder}".encode()
    found: set[int] = set()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environ.read_bytes().split(b"\0"):
                found.add(int(environ.parent.name))
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return found


def _await_end(folder: Path) -> set[int]:
    """A server that is told to stop may outlive whoever told it by a moment."""
    deadline = time.monotonic() + _GONE_WITHIN
    while (left := marked(folder)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
