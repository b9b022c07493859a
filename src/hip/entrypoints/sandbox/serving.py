"""Serves one app on loopback until SIGTERM, and says where once it answers."""

import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from litestar import Litestar


class _Announcing(uvicorn.Server):
    """Prints ``listening http://127.0.0.1:PORT`` after start-up."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            sys.stdout.write(f"listening {url_of(sockets[0])}\n")
            sys.stdout.flush()


def url_of(listener: socket.socket) -> str:
    """The base URL of a listening socket."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def serve(build: Callable[[str], Litestar], *, port: int) -> int:
    """Bind loopback (``port`` 0: a free one), build the app for its own URL, serve. Returns the exit status.

    The socket is bound first, so that an app can give its URL to the gateway before it answers anybody.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    # Uvicorn raises the signal again when it has shut down: that is the moment to leave with status 0.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    config = uvicorn.Config(
        build(url_of(listener)),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=2,
    )
    server = _Announcing(config)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
