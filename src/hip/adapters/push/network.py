"""Connecting to the address that was checked, and to no other (PUSH-04, PUSH-05).

The name is resolved once per connection, every answer is checked, and the socket is opened to a checked address while
TLS and ``Host`` keep the name: no second look-up gives a rebinding name server its chance.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import cache
from typing import Any

import httpcore
import httpx

from hip.adapters.push.addresses import AddressRules
from hip.domain.errors import Transient

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Every address of a host, as text. Raises OSError."""

_TRIED = 4
"""Addresses of one host that are tried, in the resolver's order."""


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The operating system's answer."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@cache  # a worker reads the store once, before it forks for its batches
def system_trust() -> ssl.SSLContext:
    """TLS 1.2 or later against the system's certificate store."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # SSLKEYLOGFILE in the environment would have Python write every session key to a file.
    context.keylog_filename = None  # type: ignore[assignment]
    return context


class PinnedTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 to checked addresses only; no proxy, whatever the environment says. At most ``connections`` at once."""

    def __init__(
        self, rules: AddressRules, *, resolver: Resolver, trust: ssl.SSLContext, connections: int, idle: float
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=idle,
            network_backend=_CheckedNetwork(rules, resolver),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; its extension ``target`` is what stands on the request line."""
        try:
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except httpcore.TimeoutException:
            raise httpx.TimeoutException("the requester did not answer in time") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            raise httpx.TransportError("the connection to the requester failed") from None
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class CheckedTransport(httpx.AsyncBaseTransport):
    """Another transport behind the same rules: names are resolved and checked before each request it carries."""

    def __init__(self, rules: AddressRules, *, resolver: Resolver, inner: httpx.AsyncBaseTransport) -> None:
        self._rules = rules
        self._resolver = resolver
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Check, then hand on. Raises UnsafeUrl."""
        host = request.url.host
        if host not in self._rules.trusted_hosts:
            self._rules.check_answers(host, await _answers(self._resolver, host, request.url.port or 443))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    def __init__(self, rules: AddressRules, resolver: Resolver) -> None:
        self._rules = rules
        self._resolver = resolver
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        answers = await _answers(self._resolver, host, port)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in self._rules.check_answers(host, answers)[:_TRIED]:
            try:
                return await self._sockets.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                failure = refused
        raise failure or httpcore.ConnectError("no address")

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_stream():
                yield chunk
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
            raise httpx.ReadError("the requester's answer broke off") from None

    async def aclose(self) -> None:
        await self._response.aclose()


async def _answers(resolver: Resolver, host: str, port: int) -> Sequence[str]:
    try:
        answers = await resolver(host, port)
    except (OSError, UnicodeError):
        answers = ()
    if not answers:
        raise Transient("the requester's host name does not resolve")
    return answers
