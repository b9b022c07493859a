"""The far side of ``transfer.py``: a gateway that says yes and a requester that stores, in a process of their own.

While a transfer runs it parses no JSON and opens nothing: it keeps bodies and the moments they came. What they hold is
looked at afterwards, when it is asked for ``proof``.
"""

import asyncio
import hashlib
import json
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from hip.adapters.sealing.opener import open_page
from hip.domain.key_material import KeyMaterial, SealedPage

_SESSION = b'{"accessToken":"session-of-the-bench","expiresIn":1200,"tokenType":"bearer"}'
_PUSH, _NOTIFY = "/push/", "/data-flow/v3/health-information/notify"


class FarSide:
    """``pages`` are the bodies pushed to each path; ``first`` and ``notified`` are on the machine's monotonic clock."""

    def __init__(self) -> None:
        self.pages: dict[str, list[bytes]] = {}
        self.first: dict[str, float] = {}
        self.notices: list[tuple[float, bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
                body = await reader.readexactly(int(lengths[0])) if lengths else b""
                writer.write(self._answer(lines[0].split(" ")[1], body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, body: bytes) -> bytes:
        if path.startswith(_PUSH):
            self.first.setdefault(path, time.monotonic())
            self.pages.setdefault(path, []).append(body)
            return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
        if path.endswith(_NOTIFY):
            self.notices.append((time.monotonic(), body))
        reply = _SESSION if path.endswith("/sessions") else b"{}"
        status = b"200 OK" if reply is _SESSION or "on-request" in path else b"202 Accepted"
        return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            status,
            len(reply),
            reply,
        )

    def notified(self, transaction: str) -> tuple[float, Any] | None:
        """When the account of a transfer came, and what it says; None before."""
        for at, body in self.notices:
            notification = json.loads(body)["notification"]
            if notification["transactionId"] == transaction:
                return at, notification
        return None

    def proof(self, path: str, private_key: str, nonce: str) -> dict[str, list[str]]:
        """By care context, the SHA-256 of every bundle that was pushed to ``path``; the bodies are dropped."""
        found: dict[str, list[str]] = {}
        for body in self.pages.pop(path, []):
            page = json.loads(body)
            [entry], material = page["entries"], page["keyMaterial"]
            sealed = SealedPage(
                contents=(entry["content"],),
                key_material=KeyMaterial(
                    public_key=material["dhPublicKey"]["keyValue"], nonce=material["nonce"], expires_at=None
                ),
            )
            [content] = open_page(sealed, private_key=private_key, nonce=nonce)
            found.setdefault(entry["careContextReference"], []).append(hashlib.sha256(content).hexdigest())
        return found


def serve(orders: Connection) -> None:
    """Say the port, then answer ``(method, arguments)`` until told ``None``."""
    side, loop = FarSide(), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(side.serve, "127.0.0.1", 0, limit=4 * 1024 * 1024))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    orders.send(server.sockets[0].getsockname()[1])
    while (order := orders.recv()) is not None:
        name, arguments = order
        member = getattr(side, name)
        orders.send(member(*arguments) if callable(member) else member)
    loop.call_soon_threadsafe(loop.stop)
