"""Pages to the requester over HTTP: safely addressed, verified, bounded, and without anything of ours in them."""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

import httpx

from hip.adapters.push import pages
from hip.adapters.push.addresses import AddressRules, PushTarget
from hip.adapters.push.network import CheckedTransport, PinnedTransport, Resolver, system_resolver, system_trust
from hip.application.circuits import Circuits, passage
from hip.application.ports import PushedPage
from hip.domain.errors import DomainError, PushRefused, Transient, UnsafeUrl

_NOT_YET_KNOWN = frozenset({400, 404})
_BUSY = frozenset({408, 425, 429})
# What a proxy says of a host behind it. Other 5xx may be about one page, and must not hold up those of others.
_AWAY = frozenset({502, 503, 504})
_UNAUTHORISED = 401
_LONGEST_ANSWER = 64 * 1024  # bytes; nobody reads them, but a drained connection can be used again
_DRAINED_WITHIN = 1.0  # seconds
_LONGEST_WAIT = 20 * 60  # seconds: the deadline of a whole transfer (PUSH-07)


class Bearer(Protocol):
    """Where the gateway's session token comes from, for the hosts that may have it."""

    async def token(self) -> str:
        """One that is good now. Raises GatewayRefused and Transient."""

    async def drop(self, token: str) -> None:
        """Somebody refused ``token``: the next one is asked for anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """``timeout`` bounds one whole push, name look-up included; ``first_page`` is the number of the first page.

    ``connections`` bounds those open at once, ``idle`` how long an unused one stays open. ``token_hosts`` are the
    requesters, by exact host name in lower case, that are sent our session token (contract §2.11); no other ever is.
    """

    rules: AddressRules = field(default_factory=AddressRules)
    timeout: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=10)
    first_page: int = 1
    connections: int = 16
    idle: timedelta = timedelta(seconds=15)
    token_hosts: frozenset[str] = frozenset()


class HttpPusher:
    """The ``Pusher`` port.

    ``transport`` replaces the network (an ASGI application in memory mode); the address rules hold all the same, and
    only their ``trusted_hosts`` escape them. ``trust`` replaces the system's certificate store. ``circuits`` spare a
    host that does not answer, and the worker that waits for it (without: it is always tried).
    """

    def __init__(
        self,
        settings: PushSettings,
        *,
        resolver: Resolver = system_resolver,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: ssl.SSLContext | None = None,
        bearer: Bearer | None = None,
        circuits: Circuits | None = None,
    ) -> None:
        self._settings = settings
        self._bearer = bearer
        self._circuits = circuits
        self._transport: httpx.AsyncBaseTransport = (
            PinnedTransport(
                settings.rules,
                resolver=resolver,
                trust=trust or system_trust(),
                connections=settings.connections,
                idle=settings.idle.total_seconds(),
            )
            if transport is None
            else CheckedTransport(settings.rules, resolver=resolver, inner=transport)
        )

    def check(self, url: str) -> None:
        """See the port: the text alone, no name is looked up."""
        self._settings.rules.check(url)

    async def away(self, url: str) -> timedelta | None:
        """See the port. None as well for an address that may not be called: ``push`` says so."""
        if self._circuits is None:
            return None
        try:
            target = self._settings.rules.check(url)
        except UnsafeUrl:
            return None
        return await self._circuits.wait(_name_of(target))

    async def push(self, page: PushedPage, *, url: str, hiu_id: str | None) -> int:  # noqa: ARG002 - the port's
        """One POST; see the port. A redirect is a refusal.

        A 401 from a host that was sent our token costs one more POST with a fresh one.

        Transient carries the HTTP status as its code: ``400`` and ``404`` may mean that the requester does not know
        the transaction yet (contract §2.10). No code means that no answer was seen: the page may have arrived.
        CircuitOpen means that nothing was sent.
        """
        target = self._settings.rules.check(url)
        content = pages.body(page, first_page=self._settings.first_page)
        token = await self._token_for(target)
        try:
            return await self._post(target, content, token)
        except PushRefused as refusal:
            if token is None or refusal.status != _UNAUTHORISED or self._bearer is None:
                raise
            await self._bearer.drop(token)
        return await self._post(target, content, await _token(self._bearer))

    async def _token_for(self, target: PushTarget) -> str | None:
        """PUSH-03: our token, for a host that the operator named, and never in the clear over a network."""
        if self._bearer is None or target.host not in self._settings.token_hosts:
            return None
        if target.scheme != "https" and not target.loopback:
            return None
        return await _token(self._bearer)

    async def _post(self, target: PushTarget, content: bytes, token: str | None) -> int:
        request = self._request(target, content, token)
        limit = self._settings.timeout.total_seconds()
        async with passage(self._circuits, _name_of(target)) as passed:
            try:
                async with asyncio.timeout(limit):
                    response = await self._transport.handle_async_request(request)
            except (httpx.HTTPError, TimeoutError, OSError):
                passed.alive = False
                raise Transient("the requester did not answer") from None
            passed.alive = response.status_code not in _AWAY
        await _dispose(response)
        return _judged(response)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def _request(self, target: PushTarget, content: bytes, token: str | None) -> httpx.Request:
        # Built by hand and given to the transport itself: a client would add cookies, redirects and its own headers.
        patience = self._settings.timeout.total_seconds()
        return httpx.Request(
            "POST",
            httpx.URL(scheme=target.scheme, host=target.host, port=target.port, raw_path=target.request.encode()),
            headers={
                "Content-Type": "application/json",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "User-Agent": "hip",
                **({} if token is None else {"Authorization": f"Bearer {token}"}),
            },
            content=content,
            extensions={
                "target": target.request.encode(),
                "timeout": {
                    "connect": self._settings.connect_timeout.total_seconds(),
                    "read": patience,
                    "write": patience,
                    "pool": patience,
                },
            },
        )


def _name_of(target: PushTarget) -> str:
    """Whose circuit it is: a requester may stand at the gateway's own address, and each has its own."""
    return f"push:{target.host}:{target.port}"


async def _token(bearer: Bearer) -> str:
    try:
        return await bearer.token()
    except DomainError:
        raise Transient("there is no session token for the requester") from None


def _judged(response: httpx.Response) -> int:
    """PUSH-06: any 2xx is delivered; what may change is Transient; the rest is PushRefused."""
    status = response.status_code
    if 200 <= status < 300:
        return status
    if status in _NOT_YET_KNOWN or status in _BUSY or status >= 500:
        raise Transient(
            f"the requester answered HTTP {status}",
            code=str(status),
            retry_after=_retry_after(response.headers.get("retry-after")),
        )
    raise PushRefused(status=status)


def _retry_after(value: str | None) -> timedelta | None:
    """Seconds only: a date would need the requester's clock to agree with ours."""
    if value is None or not (value.isascii() and value.strip().isdigit()):
        return None
    return timedelta(seconds=min(int(value.strip()[:9]), _LONGEST_WAIT))


async def _dispose(response: httpx.Response) -> None:
    """Read what is left, within limits, then let go. The status has been said: nothing here can change it."""
    try:
        async with asyncio.timeout(_DRAINED_WITHIN):
            read = 0
            async for chunk in response.aiter_raw():
                read += len(chunk)
                if read > _LONGEST_ANSWER:
                    break
    except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError):
        pass
    finally:
        await response.aclose()
