"""The line to the control APIs of the three apps: calls, and waits with a deadline that say what they waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import msgspec

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25  # seconds between looks


class NeverHappened(AssertionError):
    """The deadline passed. Says what was awaited and the state last seen."""

    def __init__(self, awaited: str, seconds: float, last: object) -> None:
        super().__init__(f"{awaited} did not happen within {seconds:g} s; last seen: {last!r}")


class Refused(RuntimeError):
    """A control call was answered with an error: the status and what the app said."""

    def __init__(self, method: str, path: str, response: httpx.Response) -> None:
        super().__init__(f"{method} {path}: {response.status_code} {response.text[:500]}")
        self.status = response.status_code


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLine:
    """``http`` reaches the three apps at their base URLs. ``deadline`` is in seconds, for each wait."""

    http: httpx.AsyncClient
    gateway_url: str = "http://gateway.sandbox"
    hiu_url: str = "http://hiu.sandbox"
    patient_url: str = "http://phr.sandbox"
    deadline: float = 30.0

    async def until(self, awaited: str, look: Callable[[], Awaitable[T]], enough: Callable[[T], object]) -> T:
        """Look until it is ``enough``. Raises NeverHappened after the deadline."""
        end, pause = time.monotonic() + self.deadline, FIRST_PAUSE
        while True:
            last = await look()
            if enough(last):
                return last
            if time.monotonic() > end:
                raise NeverHappened(awaited, self.deadline, last)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    async def get(self, base: str, path: str, kind: type[T], /, **params: Any) -> T:
        """What the app shows at ``path``, read as ``kind``. Raises Refused."""
        return msgspec.json.decode((await self.send("GET", base, path, params=params)).content, type=kind)

    async def post(self, base: str, path: str, body: Any, kind: type[T]) -> T:
        """What the app answers to ``body``, read as ``kind``. Raises Refused."""
        return msgspec.json.decode((await self.send("POST", base, path, body)).content, type=kind)

    async def send(
        self, method: str, base: str, path: str, body: Any = None, *, params: dict[str, Any] | None = None
    ) -> httpx.Response:
        """One call of the control API at ``base``. Raises Refused; httpx's errors pass."""
        content = msgspec.json.encode(body) if body is not None else None
        response = await self.http.request(method, f"{base}/sandbox{path}", content=content, params=params or None)
        if not response.is_success:
            raise Refused(method, path, response)
        return response
