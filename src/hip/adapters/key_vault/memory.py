"""A key that lives as long as the process. Production refuses it: what it sealed is gone with it."""

import os

from hip.adapters.key_vault.keys import KEY_BYTES, KeyRing


class MemoryKeyVault:
    """``KeyVault`` with one random key. The values look as the local vault's do."""

    def __init__(self) -> None:
        self._ring = KeyRing({1: os.urandom(KEY_BYTES)})

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Seal for this process only."""
        return self._ring.seal(plaintext, context=context)

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Raises Unsealable."""
        return self._ring.unseal(sealed, context=context)
