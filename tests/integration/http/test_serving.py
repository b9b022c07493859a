"""The service on a real socket: what is refused before the application sees anything of it."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from tests.builders.edge import settings_in_memory

from hip.entrypoints.demo.stages import settings_of
from hip.entrypoints.http.app import create_app
from hip.entrypoints.http.serving import configured


@asynccontextmanager
async def _served() -> AsyncGenerator[int]:
    """Our application in memory on a port."""
    server = uvicorn.Server(configured(create_app(settings_of(settings_in_memory()))))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def _answer(port: int, head: bytes) -> bytes:
    """The first line that comes back; none when the connection is only closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head)
        async with asyncio.timeout(30):
            return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_a_head_of_no_end_is_refused_and_the_next_request_is_served() -> None:
    async def story() -> None:
        async with _served() as port:
            begun = b"POST /api/v3/hip/patient/share HTTP/1.1\r\nHost: hip\r\n"
            endless = await _answer(port, begun + b"X-HIU-ID: " + b"x" * 2_000_000)
            assert b" 400 " in endless or not endless
            many = await _answer(port, begun + b"X-More: 1\r\n" * 100_000)
            assert b" 400 " in many or not many
            whole = await _answer(port, b"GET /api/v3/heartbeat HTTP/1.1\r\nHost: hip\r\n\r\n")
            assert b" 200 " in whole

    asyncio.run(story())
