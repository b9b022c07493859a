"""One HTTP call to the gateway: standard headers out, any 2xx or an error of our own back (contract §1.2, §1.10)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from hip.adapters.gateway.errors import refused
from hip.adapters.gateway.settings import GatewaySettings
from hip.application.circuits import Circuits, Passage, passage
from hip.domain.errors import NOT_SENT, LinkTokenRefused, Transient
from hip.domain.identifiers import HipId

LONGEST_REPLY = 4 * 1024 * 1024
"""Bytes; no reply of the contract comes near, and an endless one must not fill the memory."""


def timestamp(moment: datetime) -> str:
    """UTC with exactly three decimals and ``Z``; the gateway refuses anything else (contract §1.2)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A 2xx reply."""

    status: int
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """The body as plain JSON, None when there is none. Raises Transient when it is something else."""
        if not self.body.strip():
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError, ValueError):
            raise Transient("the gateway's reply is not JSON", code="not-json") from None


@dataclass(frozen=True, slots=True)
class GatewayConnection:
    """``http`` is used as it is given: it decides on proxies, TLS and transport. ``circuits`` spare a failing host."""

    http: httpx.AsyncClient
    settings: GatewaySettings
    circuits: Circuits | None = None

    async def request(
        self,
        call: str,
        method: str,
        path: str,
        *,
        request_id: str,
        now: datetime,
        token: str | None = None,
        hip_id: HipId | None = None,
        link_token: str | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send once. ``call`` names it in errors, which never hold URL, body or token.

        Raises SessionRefused (only when ``token`` was sent), GatewayRefused, and Transient: with code ``not-sent``
        when the call cannot have left (CircuitOpen: because it was not tried), without a code when its fate is unknown.
        """
        headers = self._headers(request_id=request_id, now=now, token=token, hip_id=hip_id, link_token=link_token)
        if body is not None:
            headers["Content-Type"] = "application/json"
        async with passage(self.circuits, self.settings.host) as passed:
            status, answered, content = await self._sent(call, method, path, headers, body, passed)
        if 200 <= status < 300:
            return Reply(status=status, body=content)
        refusal = refused(
            call=call,
            status=status,
            headers=answered,
            body=content,
            with_session=token is not None,
            now=now,
            throttle_wait=self.settings.throttle_wait,
        )
        if isinstance(refusal, Transient):
            refusal.counted = not passed.probe
        raise refusal

    async def _sent(
        self, call: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None, passage: Passage
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and content of the reply; ``passage`` is told whether the host lives."""
        limit = self.settings.timeout.total_seconds()
        try:
            async with (
                asyncio.timeout(limit),
                self.http.stream(
                    method,
                    self.settings.url(path),
                    headers=headers,
                    content=body,
                    timeout=limit,
                    follow_redirects=False,
                ) as response,
            ):
                content = await _limited(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol):
            passage.failed()
            lost = Transient(f"{call}: the gateway cannot be reached", code=NOT_SENT)
            lost.counted = False  # nothing was said to anybody
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
            passage.failed()
            lost = Transient(f"{call}: no reply from the gateway")
        else:
            passage.answered(response.status_code)
            return response.status_code, response.headers, content
        lost.counted = lost.counted and not passage.probe
        raise lost

    def _headers(
        self, *, request_id: str, now: datetime, token: str | None, hip_id: HipId | None, link_token: str | None
    ) -> dict[str, str]:
        headers: Mapping[str, str | None] = {
            "Accept": "application/json",
            "REQUEST-ID": request_id,
            "TIMESTAMP": timestamp(now),
            "X-CM-ID": self.settings.cm_id,
            "X-HIP-ID": hip_id,
            "Authorization": None if token is None else f"Bearer {token}",
            "X-LINK-TOKEN": None if link_token is None else _header_text(link_token),
        }
        return {name: value for name, value in headers.items() if value is not None}


def _header_text(link_token: str) -> str:
    # Checked here because the HTTP library would quote the whole token in its own error.
    if not (link_token.isascii() and link_token.isprintable() and " " not in link_token):
        raise LinkTokenRefused("the link token cannot be a header")
    return link_token


async def _limited(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > LONGEST_REPLY:
            raise httpx.ReadError("the reply is too long")
    return bytes(content)
