"""Everywhere a word could come to rest, read from outside: rows, documents, keys, queued jobs, logs."""

import base64
import os
import re
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from redis import Redis
from tests.builders.databases import connected

from hip.entrypoints.demo.processes import Service

_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_OFTEN = 0.05  # seconds between two looks at Redis


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """Something that lies somewhere. ``place`` is a table.column, Collection.field, or the name of a log."""

    place: str
    content: bytes


def readings(content: bytes, *, layers: int = 2) -> Iterator[bytes]:
    """The bytes, and what they are when they are compressed (as RQ does) or hold base64: neither hides a word."""
    yield content
    if not layers:
        return
    with suppress(zlib.error):
        yield from readings(zlib.decompress(content), layers=layers - 1)
    for found in _ENCODED.findall(content):
        plain = found.translate(_URL_SAFE)
        for start in range(4):  # something may stand before it that looks the same
            decoded = base64.b64decode(plain[start:][: (len(plain) - start) // 4 * 4])
            yield from readings(decoded, layers=layers - 1)


def places_of(words: Iterable[str], resting: Iterable[Resting]) -> set[str]:
    """Where any of ``words`` can be read, in whatever case."""
    sought = [word.encode().lower() for word in words]
    return {
        each.place
        for each in resting
        if any(word in reading.lower() for reading in readings(each.content) for word in sought)
    }


async def rows(url: str) -> list[Resting]:
    """Every value of every table of a PostgreSQL database, alembic's as well."""
    connection = await connected(url)
    try:
        tables = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        return [
            Resting(place=f"{table}.{column}", content=value if isinstance(value, bytes) else str(value).encode())
            for (table,) in tables
            for row in await connection.fetch(f'SELECT * FROM "{table}"')
            for column, value in row.items()
        ]
    finally:
        await connection.close()


def documents(url: str, database: str) -> list[Resting]:
    """Every field of every document of a MongoDB database, indexes aside."""
    with MongoClient[dict[str, Any]](url) as client:
        found = client[database]
        return [
            Resting(place=f"{name}.{path}", content=content)
            for name in found.list_collection_names()
            for document in found[name].find()
            for path, content in _fields(document)
        ]


def _fields(value: object, path: str = "") -> Iterator[tuple[str, bytes]]:
    match value:
        case Mapping():
            for name, inner in value.items():
                yield from _fields(inner, f"{path}.{name}" if path else str(name))
        case list():
            for inner in value:
                yield from _fields(inner, path)
        case bytes():
            yield path, value
        case _:
            yield path, str(value).encode()


@dataclass
class RedisWatch:
    """Looks at every key again and again: jobs are gone within milliseconds of being done."""

    url: str
    seen: set[Resting] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._stop = threading.Event()

    @contextmanager
    def watching(self) -> Iterator["RedisWatch"]:
        """For the length of the block."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def look(self) -> set[Resting]:
        """Every key and value there is now."""
        with Redis.from_url(self.url) as client:
            return self._look(client)

    def _watch(self) -> None:
        with Redis.from_url(self.url) as client:
            while not self._stop.wait(_OFTEN):
                self._look(client)

    def _look(self, client: "Redis") -> set[Resting]:
        now: set[Resting] = set()
        for key in client.scan_iter(count=1000):
            now.add(Resting(place="Redis keys", content=key))
            now |= {Resting(place=f"Redis {_kind(key)}", content=value) for value in _values(client, key)}
        self.seen |= now
        return now


def _kind(key: bytes) -> str:
    """The key without what is particular: ``rq:job``, ``hip:link-token``."""
    return b":".join(key.split(b":")[:2]).decode()


def _values(client: Any, key: bytes) -> Iterator[bytes]:
    match client.type(key):
        case b"string":
            yield client.get(key) or b""
        case b"hash":
            for name, value in client.hgetall(key).items():
                yield name
                yield value
        case b"list":
            yield from client.lrange(key, 0, -1)
        case b"set":
            yield from client.smembers(key)
        case b"zset":
            yield from client.zrange(key, 0, -1)
        case b"stream":
            yield from (part for _, entry in client.xrange(key) for pair in entry.items() for part in pair)


def said(service: Service) -> list[Resting]:
    """What each process wrote to its log and its standard output, and the command line it can be seen by."""
    found: list[Resting] = []
    for name, process in service.processes.items():
        found.append(Resting(place=f"{name}'s log", content=process.log.read_bytes()))
        stdout = process._process.stdout
        if stdout is not None and not stdout.closed:
            os.set_blocking(stdout.fileno(), False)
            found.append(Resting(place=f"{name}'s output", content=stdout.read() or b""))
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        found.append(Resting(place=f"{name}'s command line", content=command))
    return found
