"""Opt-in: the same against a real HashiCorp Vault, e.g. ``vault server -dev`` with ``vault secrets enable transit``.

Set HIP_TEST_VAULT_URL and HIP_TEST_VAULT_TOKEN. It makes the transit key and the secret of its own random names, and
leaves them there.
"""

import os
from uuid import uuid4

import pytest

from hip.adapters.key_vault.vault import VaultKeyVault
from hip.adapters.key_vault.vault_session import VaultRefused, VaultSession, VaultSettings
from hip.domain.errors import NotFound

URL, TOKEN = os.environ.get("HIP_TEST_VAULT_URL", ""), os.environ.get("HIP_TEST_VAULT_TOKEN", "")
pytestmark = pytest.mark.skipif(
    not URL,
    reason="NOT PROVEN AGAINST A REAL VAULT: set HIP_TEST_VAULT_URL and HIP_TEST_VAULT_TOKEN (only the stand-in ran)",
)


@pytest.fixture
def settings() -> VaultSettings:
    import hvac

    name = f"hip-test-{uuid4()}"
    client = hvac.Client(url=URL, token=TOKEN)
    client.secrets.transit.create_key(name)
    return VaultSettings(url=URL, token=TOKEN, keys=f"{name}/keys", transit_key=name)


def test_keys_are_made_rotated_and_opened(settings: VaultSettings) -> None:
    with pytest.raises(NotFound):
        VaultKeyVault.open(settings)
    old = VaultKeyVault.open(settings, create=True)
    sealed = old.seal(b"value", context="context")
    assert VaultKeyVault.add_key(settings) == 2
    new = VaultKeyVault.open(settings)
    assert new.unseal(sealed, context="context") == b"value"
    assert old.unseal(new.seal(b"newer", context="context"), context="context") == b"newer"


def test_secrets_are_read_and_refusals_understood(settings: VaultSettings) -> None:
    session = VaultSession(settings)
    assert session.write(f"{settings.keys}-gateway", {"client_secret": "value"}, after=0)
    assert not session.write(f"{settings.keys}-gateway", {"client_secret": "other"}, after=0)
    assert session.field(f"{settings.keys}-gateway", "client_secret") == "value"
    with pytest.raises(VaultRefused) as refusal:
        VaultSession(VaultSettings(url=URL, token="wrong")).read("hip/keys")
    assert refusal.value.status == 403
