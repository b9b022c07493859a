"""Data keys in Vault, against the stand-in of tests/builders/vault_server.py (which is not Vault)."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.builders.vault_server import VaultServer

from hip.adapters.key_vault.vault import VaultKeyVault
from hip.domain.errors import DomainError, NotFound, Transient, Unsealable

SECRET, CONTEXT = b"a link token of somebody", "IN0410000123/link-token/7"


def test_the_first_key_is_made_only_when_asked_for(server: VaultServer) -> None:
    with pytest.raises(NotFound, match="secret/hip/keys"):
        VaultKeyVault.open(server.settings())
    assert server.secrets == {}
    sealed = VaultKeyVault.open(server.settings(), create=True).seal(SECRET, context=CONTEXT)
    assert VaultKeyVault.open(server.settings()).unseal(sealed, context=CONTEXT) == SECRET
    assert VaultKeyVault.open(server.settings(), create=True).unseal(sealed, context=CONTEXT) == SECRET
    assert len(server.secrets["hip/keys"]) == 1


def test_data_02_vault_keeps_only_wrapped_keys(server: VaultServer) -> None:
    VaultKeyVault.open(server.settings(), create=True)
    ((name, wrapped),) = server.secrets["hip/keys"][0].items()
    assert name == "1"
    assert wrapped.startswith("vault:v1:")


def test_processes_that_create_at_once_agree_on_one_key(server: VaultServer) -> None:
    with ThreadPoolExecutor(6) as threads:
        vaults = list(threads.map(lambda _: VaultKeyVault.open(server.settings(), create=True), range(6)))
    sealed = vaults[0].seal(SECRET, context=CONTEXT)
    assert all(vault.unseal(sealed, context=CONTEXT) == SECRET for vault in vaults)
    assert len(server.secrets["hip/keys"]) == 1


def test_sealing_and_opening_ask_vault_nothing(server: VaultServer) -> None:
    vault = VaultKeyVault.open(server.settings(), create=True)
    server.sealed = True
    server.calls.clear()
    assert vault.unseal(vault.seal(SECRET, context=CONTEXT), context=CONTEXT) == SECRET
    assert server.calls == []


def test_the_newest_key_seals_and_every_key_opens(server: VaultServer) -> None:
    old = VaultKeyVault.open(server.settings(), create=True)
    sealed = old.seal(SECRET, context=CONTEXT)
    server.transit["hip"].append(bytes(range(32)))  # Vault's own key is rotated too
    assert VaultKeyVault.add_key(server.settings()) == 2
    assert VaultKeyVault.add_key(server.settings()) == 3
    new = VaultKeyVault.open(server.settings())
    assert new.unseal(sealed, context=CONTEXT) == SECRET
    assert new.seal(SECRET, context=CONTEXT)[1:5] == b"\0\0\0\3"
    assert set(server.secrets["hip/keys"][-1]) == {"1", "2", "3"}
    assert server.secrets["hip/keys"][-1]["2"].startswith("vault:v2:")


def test_a_process_that_runs_opens_what_a_newer_key_sealed(server: VaultServer) -> None:
    old = VaultKeyVault.open(server.settings(), create=True)
    VaultKeyVault.add_key(server.settings())
    renewed = VaultKeyVault.open(server.settings()).seal(SECRET, context=CONTEXT)
    assert old.unseal(renewed, context=CONTEXT) == SECRET
    assert old.seal(SECRET, context=CONTEXT)[4] == 2  # and seals with it from then on


def test_a_newer_key_while_vault_is_away_is_worth_another_try(server: VaultServer) -> None:
    old = VaultKeyVault.open(server.settings(), create=True)
    VaultKeyVault.add_key(server.settings())
    renewed = VaultKeyVault.open(server.settings()).seal(SECRET, context=CONTEXT)
    server.sealed = True
    with pytest.raises(Transient):
        old.unseal(renewed, context=CONTEXT)
    server.sealed = False
    assert old.unseal(renewed, context=CONTEXT) == SECRET


def test_a_key_that_vault_does_not_have_is_asked_for_once_a_minute(server: VaultServer) -> None:
    vault = VaultKeyVault.open(server.settings(), create=True, clock=server.clock)
    sealed = bytearray(vault.seal(SECRET, context=CONTEXT))
    sealed[1:5] = b"\0\0\0\x09"
    server.calls.clear()
    for now in (0, 1, 59):
        server.now = now
        with pytest.raises(Unsealable, match="key 9"):
            vault.unseal(bytes(sealed), context=CONTEXT)
    assert server.calls.count("secret/data/hip/keys") == 1
    server.now = 60
    with pytest.raises(Unsealable):
        vault.unseal(bytes(sealed), context=CONTEXT)
    assert server.calls.count("secret/data/hip/keys") == 2


def test_keys_added_at_once_are_all_kept(server: VaultServer) -> None:
    VaultKeyVault.open(server.settings(), create=True)

    def another_is_quicker() -> None:
        assert VaultKeyVault.add_key(server.settings()) == 2

    server.before_write = another_is_quicker
    assert VaultKeyVault.add_key(server.settings()) == 3
    assert set(server.secrets["hip/keys"][-1]) == {"1", "2", "3"}


def test_a_key_cannot_be_added_before_there_is_one(server: VaultServer) -> None:
    with pytest.raises(NotFound, match="secret/hip/keys"):
        VaultKeyVault.add_key(server.settings())


def test_a_deleted_secret_is_missing(server: VaultServer) -> None:
    VaultKeyVault.open(server.settings(), create=True)
    server.put("hip/keys", None)
    with pytest.raises(NotFound, match="secret/hip/keys"):
        VaultKeyVault.open(server.settings())


@pytest.mark.parametrize(
    ("secret", "complaint"),
    [
        ({}, "secret/hip/keys is not known"),
        ({"one": "canary"}, "no key id"),
        ({"01": "canary"}, "no key id"),
        ({"0": "canary"}, "no key id"),
        ({"1": "canary"}, "refused the request to transit/decrypt/hip"),
        ({"1": None}, "refused the request to transit/decrypt/hip"),
    ],
)
def test_a_damaged_secret_is_refused_without_showing_it(
    server: VaultServer, secret: dict[str, str], complaint: str
) -> None:
    server.put("hip/keys", secret)
    with pytest.raises(DomainError, match=complaint) as refusal:
        VaultKeyVault.open(server.settings(), create=True)
    assert "canary" not in str(refusal.value)
    assert len(server.secrets["hip/keys"]) == 1


def test_a_key_of_another_length_is_refused(server: VaultServer) -> None:
    server.put("hip/keys", {"1": server.wrap("hip", b"short")})
    with pytest.raises(DomainError, match="not of 32 bytes"):
        VaultKeyVault.open(server.settings())


def test_keys_that_another_transit_key_wrapped_do_not_open(server: VaultServer) -> None:
    server.transit["other"] = [bytes(32)]
    server.put("hip/keys", {"1": server.wrap("other", bytes(32))})
    with pytest.raises(DomainError, match="transit/decrypt/hip"):
        VaultKeyVault.open(server.settings())


def test_no_key_or_token_shows_in_any_repr(server: VaultServer) -> None:
    vault = VaultKeyVault.open(server.settings(), create=True)
    shown = repr(vault) + repr(vars(vault)) + repr(server.settings()) + repr(server.settings(role_id="role-1"))
    assert "canary" not in shown
    assert "keys={" not in shown
