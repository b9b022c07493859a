"""The session token: asked for once, shared by every call, renewed before it runs out (contract §1.5)."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from hip.adapters.gateway.connection import GatewayConnection
from hip.application.ports import Ids, SessionCache
from hip.domain.errors import NO_SESSION, NOT_SENT, SESSIONS, CircuitOpen, HipError, StorageFailed, Transient

RENEWED_BEFORE = timedelta(seconds=60)
"""A token is not used in its last minute, or in the second half of a life shorter than two."""

_UNSTATED_LIFE = timedelta(seconds=300)  # the shortest any source reports
_LONGEST_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    good_until: datetime


class GatewaySession:
    """Keeps one token in memory. However many calls need one at once, the gateway is asked once."""

    def __init__(self, connection: GatewayConnection, ids: Ids, shared: SessionCache | None = None) -> None:
        """``shared`` holds the token for every process of the deployment; while it is away each asks for itself."""
        self._connection = connection
        self._ids = ids
        self._shared = shared
        self._token: _Token | None = None
        self._asking = asyncio.Lock()
        self._failures = 0
        self._failure: HipError | None = None

    async def token(self, *, now: datetime) -> str:
        """A token that is good at ``now``.

        Raises GatewayRefused (call ``sessions``) for a wrong client id or secret, Transient with a code otherwise:
        whatever the token was wanted for has not been sent.
        """
        if (kept := self._kept(now)) is not None:
            return kept
        failures = self._failures
        async with self._asking:
            if (kept := self._kept(now)) is not None:
                return kept
            if self._failure is not None and self._failures != failures:
                # Those who waited share the failure: a queue of time-outs would hold them all up.
                raise self._failure.with_traceback(None)
            if (known := await self._known_elsewhere(now)) is not None:
                self._token = known
                return known.value
            try:
                self._token, self._failure = await self._ask(now), None
            except HipError as failure:
                self._failure, self._failures = failure, self._failures + 1
                raise
            await self._share(self._token, now)
            return self._token.value

    async def drop(self, token: str, *, now: datetime) -> None:
        """The gateway refused ``token``; a newer one stays."""
        if self._token is not None and self._token.value == token:
            self._token = None
        if self._shared is not None:
            with suppress(StorageFailed):
                known = await self._shared.get(now=now)
                if known is not None and known[0] == token:
                    await self._shared.drop()

    async def _known_elsewhere(self, now: datetime) -> _Token | None:
        if self._shared is None:
            return None
        with suppress(StorageFailed):
            known = await self._shared.get(now=now)
            if known is not None and now < known[1]:
                return _Token(*known)
        return None

    async def _share(self, token: _Token, now: datetime) -> None:
        if self._shared is not None:
            with suppress(StorageFailed):
                await self._shared.put(token.value, good_until=token.good_until, now=now)

    def _kept(self, now: datetime) -> str | None:
        return self._token.value if self._token is not None and now < self._token.good_until else None

    async def _ask(self, now: datetime) -> _Token:
        settings = self._connection.settings
        body = msgspec.json.encode(
            {
                "clientId": settings.client_id,
                "clientSecret": settings.client_secret,
                "grantType": "client_credentials",
            }
        )
        try:
            reply = await self._connection.request(
                SESSIONS, "POST", settings.path(SESSIONS), request_id=self._ids(), now=now, body=body
            )
            answer = reply.json()
        except CircuitOpen:
            raise  # nothing was sent, of the session either, and whoever waits is to know for what
        except Transient as failure:
            # Whatever the session was wanted for has not been sent, and is to be told from a call that was.
            code = failure.code if failure.code == NOT_SENT else NO_SESSION
            lost = Transient(str(failure), retry_after=failure.retry_after, code=code)
            lost.counted = failure.counted
            raise lost from None
        value = answer.get("accessToken") if isinstance(answer, dict) else None
        if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value or not value:
            raise Transient("sessions: the gateway's reply holds no token", code=NO_SESSION)
        life = _life(answer.get("expiresIn"))
        return _Token(value, now + life - min(RENEWED_BEFORE, life / 2))


def _life(stated: object) -> timedelta:
    if isinstance(stated, str) and stated.strip().isascii() and stated.strip().isdigit():
        stated = int(stated.strip()[:9])
    if (
        isinstance(stated, bool)
        or not isinstance(stated, int | float)
        or not 0 < stated < _LONGEST_LIFE.total_seconds()
    ):
        return _UNSTATED_LIFE
    return timedelta(seconds=stated)
