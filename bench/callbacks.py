"""Acknowledging callbacks: authenticated, stored, deduplicated, against a bare handler that does one insert.

    .venv/bin/python bench/callbacks.py [--seconds 10] [--connections 64]

Both are litestar applications in a process of their own, served as `hip serve` does, on the same Postgres, and are
asked in turns by the same client over kept connections. Every third callback is a repeat. The processor time is that of
the web process alone. Exit code 1 when our throughput is under half of the bare handler's, or our 99th percentile over
four times its.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any
from uuid import uuid4

import asyncpg
from litestar import Litestar, Request, post

from hip.adapters.postgres import schema
from hip.adapters.postgres.dsn import engine_url
from hip.entrypoints.container import adapters_for
from hip.entrypoints.demo.stages import CLIENT_ID, CLIENT_SECRET, HIP_ID, HIP_NAME, settings_of
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.embedded.servers import ServerUrls, embedded_servers
from hip.entrypoints.http.app import create_app
from hip.entrypoints.http.serving import serve_on
from hip.entrypoints.sandbox.gateway.app import create_app as create_gateway
from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.parties import Client, Register, Service
from hip.entrypoints.sandbox.routing import RoutingTransport

ISSUER = "http://gateway.sandbox"
PATH = "/api/v3/hip/patient/care-context/discover"
LEAST_OF_BARE, MOST_OF_P99 = 0.5, 4.0
POOL = 10


def serve_ours(listener: socket.socket, urls: ServerUrls, folder: str, told: Any) -> None:
    """The real application on server storage, its gateway inside the process; a good token is told first."""
    routes, keys = RoutingTransport(), GatewayKeys.generate()
    settings = settings_of(
        {
            "HIP_STORAGE": "server",
            "HIP_DATABASE_URL": urls.database_url,
            "HIP_MONGO_URL": urls.mongo_url,
            "HIP_REDIS_URL": urls.redis_url,
            "HIP_KEY_FILE": f"{folder}/hip.keys",
            "HIP_GATEWAY_URL": f"{ISSUER}/api/hiecm",
            "HIP_CLIENT_ID": CLIENT_ID,
            "HIP_CLIENT_SECRET": CLIENT_SECRET,
            "HIP_FACILITIES": json.dumps([{"id": HIP_ID, "name": HIP_NAME}]),
        }
    )
    client = Client(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, services=(Service(id=HIP_ID, name=HIP_NAME),))
    routes.mount(ISSUER, create_gateway(GatewayConfig(register=Register(clients=(client,)), keys=keys), routes.clients))
    told.send(keys.callback_token(CLIENT_ID, issuer=ISSUER, at=datetime.now(UTC)))
    serve_on(listener, create_app(settings, adapters=adapters_for(settings, transport=routes)))


def serve_bare(listener: socket.socket, urls: ServerUrls, _folder: str, told: Any) -> None:
    """One handler, one insert, a pool as large as ours, no framework between it and Postgres."""
    pools: list[asyncpg.Pool] = []

    async def opened() -> None:
        pools.append(await asyncpg.create_pool(**_connection(urls), min_size=POOL, max_size=POOL))

    @post(PATH, status_code=202)
    async def store(request: Request[Any, Any, Any]) -> None:
        await pools[0].execute("INSERT INTO bare (id, body) VALUES ($1, $2)", str(uuid4()), await request.body())

    told.send("")
    serve_on(listener, Litestar([store], on_startup=[opened]))


def _connection(urls: ServerUrls) -> dict[str, Any]:
    url = engine_url(urls.database_url)
    return {"host": url.query.get("host", url.host), "user": url.username, "database": url.database}


async def _asked(port: int, token: str, seconds: float, connections: int) -> list[float]:
    """Milliseconds of each answer. Raises RuntimeError for one that is no 202."""
    body = json.dumps(
        {
            "transactionId": str(uuid4()),
            "patient": {"id": "meera.k01@sbx", "name": "Meera Kulkarni", "gender": "F", "yearOfBirth": 1984},
        }
    ).encode()
    until = monotonic() + seconds
    times: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request_id, count = "", 0
        while monotonic() < until:
            request_id = request_id if count % 3 == 2 else str(uuid4())
            count += 1
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            head = (
                f"POST {PATH} HTTP/1.1\r\nHost: hip\r\nAuthorization: Bearer {token}\r\nREQUEST-ID: {request_id}\r\n"
                f"TIMESTAMP: {now}\r\nX-HIP-ID: {HIP_ID}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            begun = perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length")), b":0")
            await reader.readexactly(int(length.split(b":")[1]))
            if not answer.startswith(b"HTTP/1.1 202"):
                raise RuntimeError(answer[:80].decode())
            times.append((perf_counter() - begun) * 1000)
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return sorted(times)


def _processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def _prepared(urls: ServerUrls) -> None:
    connection = await asyncpg.connect(**_connection(urls))
    await connection.execute("CREATE TABLE bare (id text PRIMARY KEY, body bytea NOT NULL)")
    await connection.close()


def _started(serve: Callable[..., None], urls: ServerUrls, folder: str) -> tuple[Any, int, str]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=serve, args=(listener, urls, folder, theirs), daemon=True
    )
    process.start()
    return process, listener.getsockname()[1], ours.recv()


def main() -> int:
    """Servers of its own, gone afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=64)
    wanted = parser.parse_args()
    with fresh_folder() as folder, embedded_servers(folder) as servers:
        schema.upgrade(servers.urls.database_url)
        asyncio.run(_prepared(servers.urls))
        running = {name: _started(serve, servers.urls, str(folder)) for name, serve in _CANDIDATES.items()}
        times: dict[str, list[float]] = {name: [] for name in running}
        spent = dict.fromkeys(running, 0.0)
        for _, port, token in running.values():
            asyncio.run(_asked(port, token, 2.0, wanted.connections))  # warm
        for _ in range(4):
            for name, (process, port, token) in running.items():
                spent[name] -= _processor_seconds(process.pid)
                times[name] += asyncio.run(_asked(port, token, wanted.seconds / 4, wanted.connections))
                spent[name] += _processor_seconds(process.pid)
        for process, _, _ in running.values():
            process.terminate()
            process.join()
    rate = {name: len(found) / wanted.seconds for name, found in times.items()}
    p99 = {name: sorted(found)[int(len(found) * 0.99)] for name, found in times.items()}
    for name, found in times.items():
        each = spent[name] / len(found) * 1e6
        print(f"{name:5} {rate[name]:8.0f} a second, p99 {p99[name]:7.1f} ms, processor {each:5.0f} µs each")
    share, slower = rate["ours"] / rate["bare"], p99["ours"] / p99["bare"]
    print(f"throughput {share:.2f} of bare (least {LEAST_OF_BARE}), p99 {slower:.2f} times its (most {MOST_OF_P99})")
    return int(share < LEAST_OF_BARE or slower > MOST_OF_P99)


_CANDIDATES: dict[str, Callable[..., None]] = {"bare": serve_bare, "ours": serve_ours}

if __name__ == "__main__":
    sys.exit(main())
