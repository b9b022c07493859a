"""The gateway as a litestar app."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.params import FromPath

from hip.entrypoints.sandbox.gateway.config import GatewayConfig
from hip.entrypoints.sandbox.gateway.control_api import control_handlers
from hip.entrypoints.sandbox.gateway.front import PREFIX
from hip.entrypoints.sandbox.gateway.network import Gateway
from hip.entrypoints.sandbox.routing import HttpClients, loopback_clients

METHODS = [HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE]


def create_app(config: GatewayConfig, clients: HttpClients = loopback_clients) -> Litestar:
    """A gateway of its own: all state is in this app. Callbacks go out through one client of ``clients``."""
    gateway = Gateway(config, clients)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        async with clients() as http:
            gateway.http = http
            try:
                yield
            finally:
                await gateway.background.aclose()
                gateway.http = None

    @route(f"{PREFIX}/{{path:path}}", http_method=METHODS)
    async def front(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes]:  # noqa: ARG001
        return await gateway.front.serve(request)

    return Litestar(
        [front, *control_handlers(gateway)],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=10 * 1024 * 1024,
    )
