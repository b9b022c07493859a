"""The databases of one PostgreSQL server, reached over its Unix socket."""

import asyncio
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

SUPERUSER = "postgres"
PORT = 5432  # names the socket file; nothing listens on TCP
_T = TypeVar("_T")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Databases of the server whose socket is in ``sockets``. Callable with or without a running event loop."""

    sockets: Path

    def url(self, name: str) -> str:
        """The SQLAlchemy URL (asyncpg) of the database ``name``; the port keeps PGPORT out of it."""
        return f"postgresql+asyncpg://{SUPERUSER}@:{PORT}/{_checked(name)}?host={quote(str(self.sockets))}"

    def create(self, name: str, *, template: str = "template1") -> None:
        """Create ``name`` as a copy of ``template``, which nobody may be connected to."""
        self._run(f'CREATE DATABASE "{_checked(name)}" TEMPLATE "{_checked(template)}"')

    def drop(self, name: str) -> None:
        """Drop ``name`` if it exists, closing the connections it has."""
        self._run(f'DROP DATABASE IF EXISTS "{_checked(name)}" WITH (FORCE)')

    def names(self) -> frozenset[str]:
        """Every database a connection can be made to."""
        return _outside_any_loop(self._names())

    def _run(self, statement: str) -> None:
        _outside_any_loop(self._execute(statement))

    async def _execute(self, statement: str) -> None:
        import asyncpg

        connection = await asyncpg.connect(host=str(self.sockets), port=PORT, user=SUPERUSER, database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _names(self) -> frozenset[str]:
        import asyncpg

        connection = await asyncpg.connect(host=str(self.sockets), port=PORT, user=SUPERUSER, database="postgres")
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database WHERE datallowconn")
        finally:
            await connection.close()
        return frozenset(row["datname"] for row in rows)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a database name is lower-case letters, digits and _, at most 63: {name!r}")
    return name


def _outside_any_loop(coroutine: Coroutine[object, object, _T]) -> _T:
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
