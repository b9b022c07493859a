"""Keeps the token of HashiCorp Vault alive in a process that stays up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from hip.adapters.key_vault.vault import VaultKeyVault
from hip.adapters.key_vault.vault_session import VaultSession
from hip.application.ports import KeyVault
from hip.domain.errors import DomainError, Transient
from hip.entrypoints.logs import log

FIRST = 10.0
"""Seconds until the token is looked at: later than the usual life of a worker's batch."""

AGAIN = 30.0
"""Seconds after a renewal that failed."""


@asynccontextmanager
async def kept_alive(vault: KeyVault, *, first: float = FIRST, again: float = AGAIN) -> AsyncGenerator[None]:
    """While inside, the token is renewed before it expires. Failures are logged: what is unwrapped goes on sealing."""
    if not isinstance(vault, VaultKeyVault):
        yield
        return
    renewal = asyncio.create_task(_renew(vault.session, first, again))
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            await renewal


async def _renew(session: VaultSession, first: float, again: float) -> None:
    pause: float | None = first
    while pause is not None:
        await asyncio.sleep(pause)
        try:
            pause = await asyncio.to_thread(session.keep)
        except Transient as failure:
            log.warning("vault-token-not-renewed", component="key-vault", error=type(failure).__name__)
            pause = again
        except DomainError as refusal:
            log.error("vault-token-refused", component="key-vault", error=type(refusal).__name__)
            pause = None
        else:
            pause = None if pause is None else max(1.0, pause)
