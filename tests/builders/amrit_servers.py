"""A MariaDB for tests of the MySQL dialect, if one is on the path: no wheel carries a server."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISSING = (
    "NOT TESTED on MySQL/MariaDB: no mariadbd or mysqld on the path (no wheel carries one; Debian has it in "
    "mariadb-server-core). The statements of this dialect are only checked as text."
)


def mariadb_program() -> str | None:
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin:/usr/libexec")


@contextmanager
def a_mariadb(folder: Path) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database ``amrit``, on a Unix socket; ended by its own process."""
    program = mariadb_program()
    if program is None:
        raise RuntimeError(MISSING)
    socket = folder / "s"
    (folder / "data").mkdir()
    arguments = ["--no-defaults", f"--datadir={folder / 'data'}", f"--socket={socket}", "--skip-networking"]
    arguments += ["--skip-grant-tables", f"--pid-file={folder / 'pid'}"]
    share = Path(program).resolve().parent.parent / "share" / "mysql"
    arguments += [f"--lc-messages-dir={share}"] if share.exists() else []
    arguments += ["--user=root"] if os.geteuid() == 0 else []
    with (folder / "log").open("wb") as log, subprocess.Popen([program, *arguments], stdout=log, stderr=log) as server:
        try:
            for _ in range(600):
                if socket.exists() or server.poll() is not None:
                    break
                time.sleep(0.1)
            yield f"mysql+asyncmy://root@localhost/?unix_socket={socket}"
        finally:
            server.terminate()
