"""Pages to the requester over HTTP: safely addressed, verified, bounded, and without anything of ours in them."""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from hip.adapters.push import pages
from hip.adapters.push.addresses import AddressRules
from hip.adapters.push.network import CheckedTransport, PinnedTransport, Resolver, system_resolver, system_trust
from hip.application.ports import PushedPage
from hip.domain.errors import PushRefused, Transient

_NOT_YET_KNOWN = frozenset({400, 404})
_BUSY = frozenset({408, 425, 429})
_LONGEST_ANSWER = 64 * 1024  # bytes; nobody reads them, but a drained connection can be used again
_DRAINED_WITHIN = 1.0  # seconds
_LONGEST_WAIT = 20 * 60  # seconds: the deadline of a whole transfer (PUSH-07)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """``timeout`` bounds one whole push, name look-up included; ``first_page`` is the number of the first page.

    ``connections`` bounds those open at once, ``idle`` how long an unused one stays open.
    """

    rules: AddressRules = field(default_factory=AddressRules)
    timeout: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=10)
    first_page: int = 1
    connections: int = 16
    idle: timedelta = timedelta(seconds=15)


class HttpPusher:
    """The ``Pusher`` port.

    ``transport`` replaces the network (an ASGI application in memory mode); the address rules hold all the same, and
    only their ``trusted_hosts`` escape them. ``trust`` replaces the system's certificate store.
    """

    def __init__(
        self,
        settings: PushSettings,
        *,
        resolver: Resolver = system_resolver,
        transport: httpx.AsyncBaseTransport | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
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

    async def push(self, page: PushedPage, *, url: str, hiu_id: str | None) -> int:  # noqa: ARG002 - the port's
        """One POST; see the port. A redirect is a refusal.

        Transient carries the HTTP status as its code: ``400`` and ``404`` may mean that the requester does not know
        the transaction yet (contract §2.10). No code means that no answer was seen: the page may have arrived.
        """
        request = self._request(page, url)
        limit = self._settings.timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                response = await self._transport.handle_async_request(request)
        except (httpx.HTTPError, TimeoutError, OSError):
            raise Transient("the requester did not answer") from None
        await _dispose(response)
        return _judged(response)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def _request(self, page: PushedPage, url: str) -> httpx.Request:
        # Built by hand and given to the transport itself: a client would add cookies, redirects and its own headers.
        target = self._settings.rules.check(url)
        patience = self._settings.timeout.total_seconds()
        return httpx.Request(
            "POST",
            httpx.URL(scheme=target.scheme, host=target.host, port=target.port, raw_path=target.request.encode()),
            headers={
                "Content-Type": "application/json",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "User-Agent": "hip",
            },
            content=pages.body(page, first_page=self._settings.first_page),
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
