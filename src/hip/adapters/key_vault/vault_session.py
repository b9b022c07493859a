"""Talking to HashiCorp Vault: login, renewal, and its answers in the domain's words. Optional extra ``vault``.

Synchronous and rare: at the start, when a key is added, and when a token is renewed. Each call has a connection of its
own, so nothing that a forked process must not share stays open.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hip.domain.errors import DomainError, InvalidValue, NotFound, Transient

_RENEW_AT = 2 / 3
"""The part of a token's life after which it is renewed."""


class VaultRefused(DomainError):
    """Vault said no, and will again. ``status`` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Where Vault is, who we are to it (a token, or an AppRole), and where our things are in it.

    ``mount`` is a KV engine of version 2, in which ``keys`` is the path of the wrapped data keys; ``transit_key`` wraps
    them. ``timeout`` is in seconds.
    """

    url: str
    token: str = field(default="", repr=False)
    role_id: str = ""
    secret_id: str = field(default="", repr=False)
    approle: str = "approle"
    namespace: str = ""
    ca_file: Path | None = None
    mount: str = "secret"
    keys: str = "hip/keys"
    transit: str = "transit"
    transit_key: str = "hip"
    timeout: float = 5.0


class VaultSession:
    """A token and its life. ``clock`` counts seconds and never goes back."""

    def __init__(self, settings: VaultSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._clock = clock
        self._token = settings.token
        self._lease: tuple[float, float] | None = None  # when it began, and seconds from then; None lasts for ever
        self._known = False
        self._renewable = False

    def read(self, path: str) -> tuple[Mapping[str, Any], int]:
        """The newest version of a KV secret and its number. Raises NotFound, VaultRefused and Transient."""
        mount = self.settings.mount
        answer = self._ask(
            f"{mount}/{path}",
            lambda client: client.secrets.kv.v2.read_secret_version(
                path, mount_point=mount, raise_on_deleted_version=True
            ),
        )
        return answer["data"]["data"], int(answer["data"]["metadata"]["version"])

    def field(self, path: str, name: str) -> str:
        """One field of a KV secret. Raises NotFound as well when there is no such text."""
        value = self.read(path)[0].get(name)
        if not isinstance(value, str) or not value:
            raise NotFound("Vault field", f"{self.settings.mount}/{path}#{name}")
        return value

    def write(self, path: str, secret: Mapping[str, Any], *, after: int) -> bool:
        """A new version of a KV secret; False when the newest is not ``after`` (0 for none) any more."""
        mount = self.settings.mount
        try:
            self._ask(
                f"{mount}/{path}",
                lambda client: client.secrets.kv.v2.create_or_update_secret(
                    path, dict(secret), cas=after, mount_point=mount
                ),
            )
        except VaultRefused as refusal:
            if refusal.status != 400:
                raise
            return False
        return True

    def wrapped_key(self) -> str:
        """A fresh 32-byte key, wrapped: Vault draws it and shows it to nobody."""
        name, mount = self.settings.transit_key, self.settings.transit
        answer = self._ask(
            f"{mount}/datakey/wrapped/{name}",
            lambda client: client.secrets.transit.generate_data_key(name, "wrapped", bits=256, mount_point=mount),
        )
        return str(answer["data"]["ciphertext"])

    def unwrap(self, wrapped: str) -> str:
        """A wrapped key in the clear, base64. Raises VaultRefused for one that ``transit_key`` did not wrap."""
        name, mount = self.settings.transit_key, self.settings.transit
        answer = self._ask(
            f"{mount}/decrypt/{name}",
            lambda client: client.secrets.transit.decrypt_data(name, ciphertext=wrapped, mount_point=mount),
        )
        return str(answer["data"]["plaintext"])

    def keep(self) -> float | None:
        """Renew the token when two thirds of its life are over, or log in anew.

        Returns after how many seconds to call again; None for a token that lasts, or cannot be renewed. Raises
        VaultRefused and Transient.
        """
        if not self._known:
            self._begin()
        elif self._due():
            self._renew()
        if self._lease is None or not (self._renewable or self.settings.role_id):
            return None
        began, seconds = self._lease
        return max(0.0, began + seconds * _RENEW_AT - self._clock())

    def _due(self) -> bool:
        return self._lease is not None and self._clock() >= self._lease[0] + self._lease[1] * _RENEW_AT

    def _begin(self) -> None:
        if self.settings.role_id:
            self._log_in()
            return
        found = self._call("auth/token/lookup-self", lambda client: client.auth.token.lookup_self())["data"]
        self._learn(found.get("ttl"), renewable=found.get("renewable"))
        if self._renewable and self._lease is not None:
            self._renew()  # how long it lasts in all is not told: begin with a whole lease

    def _log_in(self) -> None:
        s = self.settings
        self._token = ""
        try:
            answer = self._call(
                f"auth/{s.approle}/login",
                lambda client: client.auth.approle.login(
                    s.role_id, s.secret_id, use_token=False, mount_point=s.approle
                ),
            )
        except VaultRefused as refusal:
            raise VaultRefused(
                f"Vault did not take HIP_VAULT_ROLE_ID and HIP_VAULT_SECRET_ID at auth/{s.approle}",
                status=refusal.status,
            ) from None
        self._token = str(answer["auth"]["client_token"])
        self._learn(answer["auth"].get("lease_duration"), renewable=answer["auth"].get("renewable"))

    def _renew(self) -> None:
        began = self._lease
        alive = began is None or self._clock() < began[0] + began[1]
        if self._renewable and alive:
            try:
                answer = self._call("auth/token/renew-self", lambda client: client.auth.token.renew_self())
            except VaultRefused:
                if not self.settings.role_id:
                    raise
            else:
                self._learn(answer["auth"].get("lease_duration"), renewable=answer["auth"].get("renewable"))
                return
        if self.settings.role_id:
            self._log_in()

    def _learn(self, seconds: object, *, renewable: object) -> None:
        self._known = True
        self._renewable = bool(renewable)
        self._lease = (self._clock(), float(seconds)) if isinstance(seconds, int | float) and seconds > 0 else None

    def _ask(self, path: str, ask: Callable[[Any], Any]) -> Mapping[str, Any]:
        """One call under a living token; an AppRole whose token was revoked logs in once more."""
        self.keep()
        try:
            return self._call(path, ask)
        except VaultRefused as refusal:
            if refusal.status != 403 or not self.settings.role_id:
                raise
        self._log_in()
        return self._call(path, ask)

    def _call(self, path: str, ask: Callable[[Any], Any]) -> Mapping[str, Any]:
        """Raises InvalidValue, NotFound, VaultRefused and Transient."""
        try:
            import hvac
            import requests
        except ImportError:
            raise InvalidValue("HIP_VAULT_URL", "the extra `vault` to be installed (abdm-hip[vault])") from None
        if self.settings.ca_file is not None and not self.settings.ca_file.is_file():
            raise InvalidValue("HIP_VAULT_CA_FILE", "an existing file")
        with requests.Session() as connection:
            connection.trust_env = False  # no proxy, and no netrc, that nobody meant
            connection.verify = str(self.settings.ca_file) if self.settings.ca_file else True
            client = hvac.Client(
                url=self.settings.url,
                token=self._token,
                verify=connection.verify,
                timeout=self.settings.timeout,
                allow_redirects=False,  # the token would go along
                session=connection,
                namespace=self.settings.namespace or None,
            )
            try:
                answer = ask(client)
            except (hvac.exceptions.VaultError, requests.RequestException) as error:
                raise _meaning(error, path) from None
        if not isinstance(answer, Mapping):
            raise VaultRefused(f"Vault's answer to {path} is none: HIP_VAULT_URL is not its active node", status=0)
        return answer


def _meaning(error: Exception, path: str) -> Exception:
    """In our words alone, for those of Vault may hold more than the path, which is no secret."""
    import requests
    from hvac import exceptions

    match error:
        case exceptions.InvalidPath():
            return NotFound("Vault path", path)
        case exceptions.Forbidden() | exceptions.Unauthorized():
            return VaultRefused(f"Vault denied permission to {path}", status=403)
        case exceptions.InvalidRequest() | exceptions.ParamValidationError():
            return VaultRefused(f"Vault refused the request to {path}", status=400)
        case exceptions.VaultNotInitialized():
            return VaultRefused("Vault is not initialised", status=501)
        case exceptions.VaultDown():
            return Transient("Vault is sealed or in maintenance")
        case exceptions.VaultError():
            return Transient("Vault cannot serve now")
        case requests.exceptions.SSLError():
            return InvalidValue("HIP_VAULT_URL", "a server whose certificate HIP_VAULT_CA_FILE confirms")
        case requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema():
            return InvalidValue("HIP_VAULT_URL", "an http(s) URL")
        case _:
            return Transient("Vault does not answer")
