"""How an application of ours is served: by one uvicorn on one event loop, for as long as the process lives."""

import gc
import socket

import uvicorn
from litestar import Litestar


def configured(app: Litestar) -> uvicorn.Config:
    """Without logs of its own, and with h11 even where httptools is installed: only h11 bounds a request's head.

    What is above 64 KB is told 400 before anything of it is looked at.
    """
    return uvicorn.Config(app, log_config=None, access_log=False, server_header=False, loop="uvloop", http="h11")


def serve_on(listener: socket.socket, app: Litestar) -> None:
    """Answer on ``listener`` until told to stop (SIGTERM, SIGINT); what was begun is ended first."""
    # What was imported and built up to here lives as long as the process. To look through it for garbage, again and
    # again, would stop every request for a tenth of a second.
    gc.collect()
    gc.freeze()
    uvicorn.Server(configured(app)).run(sockets=[listener])
