"""One HTTP call to the gateway, after its headers were found good, and what an endpoint makes of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from hip.entrypoints.sandbox.gateway.callbacks import Callback
from hip.entrypoints.sandbox.gateway.refusals import Shape, bad
from hip.entrypoints.sandbox.parties import Client

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """``tail`` is what follows the endpoint's path when the endpoint ends in a parameter."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    raw: bytes = field(repr=False)
    request_id: str = ""
    client: Client | None = None
    hip_id: str = ""
    tail: str = ""

    @property
    def caller(self) -> Client:
        """The client of the session. Every endpoint but sessions has one."""
        if self.client is None:
            raise RuntimeError("an endpoint without a session asked for its client")
        return self.client

    def json(self) -> Any:
        """The body as plain JSON. Raises Refusal ABDM-1064 when there is none, ABDM-1006 when it is no JSON."""
        if not self.raw:
            raise bad("ABDM-1064", "Request body is missing")
        try:
            return msgspec.json.decode(self.raw)
        except msgspec.DecodeError:
            raise bad("ABDM-1006", "Bad request, the body is not JSON") from None

    def body(self, kind: type[T], *, code: str = "ABDM-1006") -> T:
        """The body as ``kind``. Raises Refusal with ``code`` naming the field, unknown fields are let pass."""
        try:
            return msgspec.convert(self.json(), kind)
        except msgspec.ValidationError as problem:
            raise bad(code, f"Bad request, invalid body: {problem}") from None


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx reply, and the callback that follows it."""

    status: int = 202
    body: Any = None
    then: Callback | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A path of the gateway: what it demands of the headers, and the form its refusals take."""

    handle: Callable[[Call], Awaitable[Reply]]
    session: bool = True
    facility: bool = False
    shape: Shape = Shape.WRAPPED


Routes = dict[tuple[str, str], Endpoint]
