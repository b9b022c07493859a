"""A stand-in for HashiCorp Vault, NOT Vault: an HTTP server on loopback that answers the few endpoints we use.

It keeps KV version 2 secrets with versions and check-and-set, wraps with a transit key in real AES-256-GCM
(``vault:vN:`` and base64 of nonce and ciphertext, as Vault writes them), gives AppRole tokens a life that its own
clock counts, checks tokens, paths and the namespace, and can be sealed or made to fail. It knows nothing of storage,
unsealing, leases of secrets, real policies or TLS; what it answers was taken from Vault's API documentation. The
opt-in test in tests/integration/vault speaks to a real one.
"""

import base64
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hip.adapters.key_vault.vault_session import VaultSettings

ROOT, ROLE, SECRET = "hvs.root-canary", "role-1", "secret-id-canary"
Answer = tuple[int, dict[str, Any]]


class Refusal(Exception):
    """An HTTP status with Vault's ``errors``."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status)
        self.status, self.errors = status, list(errors)


@dataclass
class Token:
    """``ttl`` is in seconds; 0 lasts for ever. ``life`` bounds what renewals can reach."""

    ttl: float
    expires_at: float
    life_ends_at: float
    renewable: bool = True


@dataclass
class VaultServer:
    """State that a test may set, and ``calls``, the paths that were asked, in order."""

    url: str = ""
    now: float = 0.0
    sealed: bool = False
    initialised: bool = True
    failing: int = 0
    namespace: str | None = None
    denied: set[str] = field(default_factory=set)
    token_ttl: float = 3600.0
    token_life: float = 86400.0
    calls: list[str] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=lambda: {ROOT: Token(0, 0, 0, renewable=False)})
    secrets: dict[str, list[dict[str, Any] | None]] = field(default_factory=dict)
    transit: dict[str, list[bytes]] = field(default_factory=lambda: {"hip": [os.urandom(32)]})
    before_write: Callable[[], None] | None = None

    def settings(self, **changes: Any) -> VaultSettings:
        """How to reach it with the root token; ``role_id`` among the changes leaves the token out."""
        values: dict[str, Any] = {"url": self.url, "timeout": 5.0}
        values |= {"secret_id": SECRET} if "role_id" in changes else {"token": ROOT}
        return VaultSettings(**(values | changes))

    def clock(self) -> float:
        return self.now

    def answer(self, method: str, path: str, headers: Any, body: dict[str, Any]) -> Answer:
        """Raises Refusal."""
        self.calls.append(path)
        self._require_service(headers)
        if (method, path) == ("POST", "auth/approle/login"):
            return self._log_in(body)
        token = self.tokens.get(headers.get("X-Vault-Token", ""))
        if token is None or (token.ttl and self.now >= token.expires_at) or path in self.denied:
            raise Refusal(403, "1 error occurred:\n\t* permission denied\n\n")
        match method, path.split("/"):
            case "GET", ["auth", "token", "lookup-self"]:
                left = max(0, token.expires_at - self.now) if token.ttl else 0
                return 200, {"data": {"ttl": left, "renewable": token.renewable}}
            case "POST", ["auth", "token", "renew-self"]:
                return self._renew(token)
            case "GET", ["secret", "data", *rest]:
                return self._read("/".join(rest))
            case "POST", ["secret", "data", *rest]:
                return self._write("/".join(rest), body)
            case "POST", ["transit", "datakey", "wrapped", name]:
                return 200, {"data": {"ciphertext": self.wrap(name, os.urandom(body.get("bits", 256) // 8))}}
            case "POST", ["transit", "decrypt", name]:
                return 200, {"data": {"plaintext": base64.b64encode(self._unwrap(name, body["ciphertext"])).decode()}}
        raise Refusal(404)

    def _require_service(self, headers: Any) -> None:
        if self.failing:
            raise Refusal(self.failing, "upstream failed")
        if not self.initialised:
            raise Refusal(501, "Vault is not initialized")
        if self.sealed:
            raise Refusal(503, "Vault is sealed")
        if headers.get("X-Vault-Request") != "true":
            raise Refusal(400, "missing X-Vault-Request")
        if self.namespace is not None and headers.get("X-Vault-Namespace") != self.namespace:
            raise Refusal(403, "permission denied")

    def wrap(self, name: str, plaintext: bytes) -> str:
        """As ``transit/encrypt`` does, with the newest version of the key."""
        versions = self._key(name)
        nonce = os.urandom(12)
        sealed = nonce + AESGCM(versions[-1]).encrypt(nonce, plaintext, None)
        return f"vault:v{len(versions)}:{base64.b64encode(sealed).decode()}"

    def put(self, path: str, secret: dict[str, Any] | None) -> None:
        """A new version; None deletes the newest."""
        self.secrets.setdefault(path, []).append(secret)

    def give_token(self, name: str, *, ttl: float, life: float | None = None, renewable: bool = True) -> str:
        ends = self.now + (self.token_life if life is None else life)
        self.tokens[name] = Token(ttl, min(self.now + ttl, ends), ends, renewable)
        return name

    def _log_in(self, body: dict[str, Any]) -> Answer:
        if (body.get("role_id"), body.get("secret_id")) != (ROLE, SECRET):
            raise Refusal(400, "invalid role or secret ID")
        name = self.give_token(f"hvs.{len(self.tokens)}-canary", ttl=self.token_ttl)
        return 200, {"auth": {"client_token": name, "lease_duration": self.token_ttl, "renewable": True}}

    def _renew(self, token: Token) -> Answer:
        if not token.renewable:
            raise Refusal(400, "lease is not renewable")
        token.expires_at = min(self.now + token.ttl, token.life_ends_at)
        return 200, {"auth": {"lease_duration": token.expires_at - self.now, "renewable": True}}

    def _read(self, path: str) -> Answer:
        versions = self.secrets.get(path)
        if not versions:
            raise Refusal(404)
        metadata = {
            "version": len(versions),
            "deletion_time": "" if versions[-1] is not None else "2026-03-12T00:00:00Z",
        }
        return (200 if versions[-1] is not None else 404), {"data": {"data": versions[-1], "metadata": metadata}}

    def _write(self, path: str, body: dict[str, Any]) -> Answer:
        if self.before_write is not None:
            act, self.before_write = self.before_write, None
            act()
        if body["options"].get("cas", len(self.secrets.get(path, []))) != len(self.secrets.get(path, [])):
            raise Refusal(400, "check-and-set parameter did not match the current version")
        self.put(path, body["data"])
        return 200, {"data": {"version": len(self.secrets[path])}}

    def _key(self, name: str) -> list[bytes]:
        if name not in self.transit:
            raise Refusal(400, "encryption key not found")
        return self.transit[name]

    def _unwrap(self, name: str, text: str) -> bytes:
        vault, _, rest = text.partition(":v")
        version, _, encoded = rest.partition(":")
        if vault != "vault" or not version.isdigit() or not 1 <= int(version) <= len(self._key(name)):
            raise Refusal(400, "invalid ciphertext: no prefix")
        sealed = base64.b64decode(encoded)
        try:
            return AESGCM(self._key(name)[int(version) - 1]).decrypt(sealed[:12], sealed[12:], None)
        except InvalidTag:
            raise Refusal(400, "cipher: message authentication failed") from None


@contextmanager
def vault_server() -> Iterator[VaultServer]:
    """One on a free port of 127.0.0.1, in a thread of this process."""
    state = VaultServer()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            try:
                status, answer = state.answer(
                    self.command, self.path.partition("?")[0].removeprefix("/v1/"), self.headers, body
                )
            except Refusal as refusal:
                status, answer = refusal.status, {"errors": refusal.errors}
            content = json.dumps(answer).encode()
            self.send_response(status)
            if status == 307:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = _do  # noqa: N815 - the name the library calls
        do_POST = _do  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
