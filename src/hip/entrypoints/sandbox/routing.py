"""Several ASGI apps in one process, reached by host name: the sandbox without sockets.

``httpx.ASGITransport`` neither runs lifespans nor honours time-outs: ``started`` does the first,
``RoutingTransport`` the second.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

Message = MutableMapping[str, Any]
AsgiApp = Callable[..., Awaitable[None]]
HttpClients = Callable[[], httpx.AsyncClient]


class RoutingTransport(httpx.AsyncBaseTransport):
    """Sends each request to the app mounted for its scheme, host and port; elsewhere nothing listens.

    Apps can be mounted, replaced and taken away at any time, so parties that need each other's address can be built in
    any order. ``transport.clients`` is a factory of clients which share the routes and may be closed freely.
    """

    def __init__(self, apps: Mapping[str, AsgiApp] | None = None) -> None:
        self._apps: dict[str, AsgiApp] = {}
        for base_url, app in (apps or {}).items():
            self.mount(base_url, app)

    def mount(self, base_url: str, app: AsgiApp) -> None:
        """Answer requests to ``base_url`` (such as ``http://hip.sandbox``) with ``app``, in place of an earlier one."""
        self._apps[_origin(httpx.URL(base_url))] = app

    def unmount(self, base_url: str) -> None:
        """Refuse connections to ``base_url`` from now on, as a server that went down does."""
        self._apps.pop(_origin(httpx.URL(base_url)), None)

    def clients(self) -> httpx.AsyncClient:
        """A new client over these routes; it follows no redirects and gives up after 10 seconds."""
        return httpx.AsyncClient(transport=self, timeout=10)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises ConnectError for an address nobody is mounted at, ReadTimeout when the app takes too long."""
        app = self._apps.get(_origin(request.url))
        if app is None:
            raise httpx.ConnectError(f"nothing is mounted at {_origin(request.url)}", request=request)
        patience = request.extensions.get("timeout", {}).get("read")
        try:
            async with asyncio.timeout(patience):
                return await httpx.ASGITransport(app, raise_app_exceptions=False).handle_async_request(request)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no answer within {patience} s", request=request) from None


def loopback_clients() -> httpx.AsyncClient:
    """A client for real sockets: no proxies of the environment, 10 seconds of patience."""
    return httpx.AsyncClient(trust_env=False, timeout=10)


@asynccontextmanager
async def started(*apps: AsgiApp) -> AsyncGenerator[None]:
    """Run the lifespans of ``apps``: start-up in the order given, shutdown in reverse. Raises StartFailed."""
    async with AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(_lifespan(app))
        yield


class StartFailed(RuntimeError):
    """An app reported that it could not start."""


@asynccontextmanager
async def _lifespan(app: AsgiApp) -> AsyncGenerator[None]:
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    outgoing: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    running = asyncio.ensure_future(app(scope, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    await _answer(running, outgoing)
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        await _answer(running, outgoing)
        await running


async def _answer(running: asyncio.Future[None], outgoing: asyncio.Queue[Message]) -> None:
    message = asyncio.ensure_future(outgoing.get())
    waited: set[asyncio.Future[Any]] = {running, message}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if not message.done():
        message.cancel()
        await running
        raise StartFailed("the app ended without an answer to its lifespan")
    if (kind := message.result()["type"]).endswith(".failed"):
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        raise StartFailed(f"{kind}: {message.result().get('message', '')}")


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"
