"""A MariaDB or MySQL for tests of that dialect, if one is on the path: no wheel carries a server.

It keeps India's time, as AMRIT's does, and has its own tables of rights: routines are kept there too.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MISSING = (
    "NOT TESTED on MySQL/MariaDB: no mariadbd or mysqld on the path (no wheel carries one; Debian has it in "
    "mariadb-server-core). The statements of this dialect are only checked as text."
)
_PLACES = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/libexec"


@dataclass(frozen=True, slots=True)
class Program:
    """The executable, and the folder of its messages and its own SQL."""

    path: Path
    share: Path

    @property
    def is_mariadb(self) -> bool:
        return self.path.name == "mariadbd"

    @property
    def arguments(self) -> list[str]:
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        return [str(self.path), "--no-defaults", f"--lc-messages-dir={self.share}", *as_root]


def mysql_program() -> Program | None:
    for name in ("mariadbd", "mysqld"):
        found = shutil.which(name, path=_PLACES)
        if found is None:
            continue
        path = Path(found).resolve()
        shares = [path.parent.parent / "share" / folder for folder in ("mariadb", "mysql")]
        return next((Program(path, share) for share in shares if share.is_dir()), None)
    return None


@contextmanager
def a_mysql(folder: Path, *options: str) -> Iterator[str]:
    """The SQLAlchemy URL of a server without databases, on a Unix socket; ended by its own process."""
    program = mysql_program()
    if program is None:
        raise RuntimeError(MISSING)
    data, socket = folder / "data", folder / "s"
    _lay_out(program, data, *options)
    arguments = [f"--datadir={data}", f"--socket={socket}", "--skip-networking", f"--pid-file={folder / 'pid'}"]
    arguments += ["--default-time-zone=+05:30", *options]
    arguments += [] if program.is_mariadb else ["--mysqlx=OFF", "--secure-file-priv="]
    started = [*program.arguments, *arguments]
    with (folder / "log").open("wb") as log, subprocess.Popen(started, stdout=log, stderr=log) as server:
        try:
            for _ in range(600):
                if socket.exists() or server.poll() is not None:
                    break
                time.sleep(0.1)
            yield f"mysql+asyncmy://root@localhost/?unix_socket={socket}"
        finally:
            server.terminate()


def _lay_out(program: Program, data: Path, *options: str) -> None:
    """The server's own tables."""
    if not program.is_mariadb:
        arguments = ["--initialize-insecure", f"--datadir={data}", *options]
        subprocess.run([*program.arguments, *arguments], check=True, capture_output=True)
        return
    data.mkdir()
    statements = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket=NULL;"]
    for part in ("system_tables", "performance_tables", "system_tables_data"):
        text = (program.share / f"{program.share.name}_{part}.sql").read_text()
        statements += [line for line in text.splitlines() if "@current_hostname" not in line]
    arguments = ["--bootstrap", f"--datadir={data}", *options]
    subprocess.run(
        [*program.arguments, *arguments], input="\n".join(statements).encode(), check=True, capture_output=True
    )
