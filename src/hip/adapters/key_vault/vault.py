"""Data keys kept in HashiCorp Vault, for hospitals that have one.

Envelope encryption: Vault's transit engine draws and wraps our data keys; the wrapped keys rest as one KV secret, a
field for each key id (``{"1": "vault:v1:…", "2": "vault:v3:…"}``). They are unwrapped once, when the vault is opened,
so that sealing stays local, synchronous and quick, and an outage of Vault stops nobody who runs already. Rotating the
transit key in Vault needs nothing from us: a wrapped key names the version that wrapped it.
"""

import base64
import binascii
import time
from collections.abc import Callable
from typing import Self

from hip.adapters.key_vault.keys import KEY_BYTES, LARGEST_KEY_ID, KeyRing
from hip.adapters.key_vault.vault_session import VaultSession, VaultSettings
from hip.domain.errors import DomainError, NotFound, Transient

_ABSENT_FOR = 60.0
"""Seconds for which Vault is not asked again for a key it does not have: rubbish must not become a storm of calls."""

_TRIES = 8


class VaultKeyVault:
    """``KeyVault`` over keys from HashiCorp Vault. The values look as the key file's do."""

    def __init__(self, session: VaultSession, ring: KeyRing, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self._ring = ring
        self._clock = clock
        self._absent: dict[int, float] = {}

    @classmethod
    def open(
        cls, settings: VaultSettings, *, create: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> Self:
        """Read and unwrap every data key; with ``create``, make the first one where none is.

        Raises NotFound naming the path, VaultRefused, InvalidValue, and Transient while Vault is sealed or away.
        """
        session = VaultSession(settings, clock=clock)
        try:
            ring = _ring(session)
        except NotFound:
            if not create:
                raise
            # Of several that create at once one wins, and all read its key.
            session.write(settings.keys, {"1": session.wrapped_key()}, after=0)
            ring = _ring(session)
        return cls(session, ring, clock=clock)

    @staticmethod
    def add_key(settings: VaultSettings) -> int:
        """Add a data key that Vault draws, and return its id. Raises as ``open`` does.

        Vaults that are open go on sealing with the older one until opened again; they read the new one when they meet
        a value that it sealed.
        """
        session = VaultSession(settings)
        for _ in range(_TRIES):
            keys, version = session.read(settings.keys)
            newest = max(_key_id(name, settings) for name in keys) + 1
            if session.write(settings.keys, {**keys, str(newest): session.wrapped_key()}, after=version):
                return newest
        raise Transient("others are adding keys to Vault at the same time")

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Seal with the newest key."""
        return self._ring.seal(plaintext, context=context)

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Raises Unsealable; and Transient when Vault must be asked for a newer key and cannot be."""
        missing = self._ring.missing_key(sealed)
        if missing is not None and self._may_ask_for(missing):
            self._ring = _ring(self.session)
            if self._ring.missing_key(sealed) is not None:
                self._absent[missing] = self._clock()
        return self._ring.unseal(sealed, context=context)

    def _may_ask_for(self, key_id: int) -> bool:
        asked = self._absent.get(key_id)
        return asked is None or self._clock() >= asked + _ABSENT_FOR


def _ring(session: VaultSession) -> KeyRing:
    settings = session.settings
    wrapped, _ = session.read(settings.keys)
    if not wrapped:
        raise NotFound("Vault path", f"{settings.mount}/{settings.keys}")
    return KeyRing({_key_id(name, settings): _key(session, str(text)) for name, text in wrapped.items()})


def _key_id(name: str, settings: VaultSettings) -> int:
    if not (name.isascii() and name.isdigit() and 1 <= int(name) <= LARGEST_KEY_ID and str(int(name)) == name):
        raise DomainError(f"the Vault secret {settings.mount}/{settings.keys} has a field that is no key id")
    return int(name)


def _key(session: VaultSession, wrapped: str) -> bytes:
    try:
        key = base64.b64decode(session.unwrap(wrapped), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        settings = session.settings
        raise DomainError(f"a key in the Vault secret {settings.mount}/{settings.keys} is not of 32 bytes")
    return key
