"""Every key vault keeps the same promises (DATA-01); what only the key file has stands below."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.vault_server import vault_server

from hip.adapters.key_vault.keys import KeyRing
from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.key_vault.vault import VaultKeyVault
from hip.application.ports import KeyVault
from hip.domain.errors import InvalidValue, Unsealable

SECRET = b"a link token of somebody"
CONTEXT = "IN0410000123/link-token/7"


@pytest.fixture(params=["memory", "local", "vault"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyVault]:
    match request.param:
        case "memory":
            yield MemoryKeyVault()
        case "local":
            yield LocalKeyVault.open(tmp_path / "keys", create=True)
        case _:  # against the stand-in of tests/builders/vault_server.py
            with vault_server() as server:
                yield VaultKeyVault.open(server.settings(), create=True)


def test_what_was_sealed_opens_under_the_same_context(vault: KeyVault) -> None:
    for plaintext in (b"", SECRET, bytes(range(256)) * 400):
        assert vault.unseal(vault.seal(plaintext, context=CONTEXT), context=CONTEXT) == plaintext


def test_a_sealed_value_does_not_show_its_plaintext_and_never_repeats(vault: KeyVault) -> None:
    first, second = vault.seal(SECRET, context=CONTEXT), vault.seal(SECRET, context=CONTEXT)
    assert first != second
    assert SECRET not in first


@pytest.mark.parametrize("context", ["", "IN0410000123/link-token/8", "IN0410000124/link-token/7"])
def test_a_value_of_another_record_or_hip_does_not_open(vault: KeyVault, context: str) -> None:
    with pytest.raises(Unsealable):
        vault.unseal(vault.seal(SECRET, context=CONTEXT), context=context)


def test_a_change_of_any_byte_is_noticed(vault: KeyVault) -> None:
    sealed = vault.seal(SECRET, context=CONTEXT)
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(Unsealable):
            vault.unseal(bytes(changed), context=CONTEXT)


def test_a_cut_or_foreign_value_does_not_open(vault: KeyVault) -> None:
    sealed = vault.seal(SECRET, context=CONTEXT)
    for length in range(len(sealed)):
        with pytest.raises(Unsealable):
            vault.unseal(sealed[:length], context=CONTEXT)
    with pytest.raises(Unsealable):
        vault.unseal(MemoryKeyVault().seal(SECRET, context=CONTEXT), context=CONTEXT)


@settings(max_examples=50)
@given(plaintext=st.binary(max_size=300), context=st.text(max_size=40), garbage=st.binary(max_size=80))
def test_any_bytes_survive_and_garbage_is_refused(plaintext: bytes, context: str, garbage: bytes) -> None:
    vault = MemoryKeyVault()
    assert vault.unseal(vault.seal(plaintext, context=context), context=context) == plaintext
    with pytest.raises(Unsealable):
        vault.unseal(garbage, context=context)


def test_the_layout_is_format_key_id_nonce_ciphertext() -> None:
    sealed = KeyRing({3: bytes(32), 258: bytes([1]) * 32}).seal(SECRET, context=CONTEXT)
    assert sealed[:5] == b"\x01\x00\x00\x01\x02"
    assert len(sealed) == 5 + 12 + len(SECRET) + 16


def test_the_newest_key_seals_and_every_key_opens(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    old = LocalKeyVault.open(path, create=True)
    sealed = old.seal(SECRET, context=CONTEXT)
    assert LocalKeyVault.add_key(path) == 2
    new = LocalKeyVault.open(path)
    assert new.unseal(sealed, context=CONTEXT) == SECRET
    renewed = new.seal(SECRET, context=CONTEXT)
    assert int.from_bytes(renewed[1:5], "big") == 2
    with pytest.raises(Unsealable, match="key 2"):
        old.unseal(renewed, context=CONTEXT)


def test_the_key_file_is_the_owners_alone_and_outlives_the_vault(tmp_path: Path) -> None:
    path = tmp_path / "state" / "keys"
    umask = os.umask(0)
    try:
        sealed = LocalKeyVault.open(path, create=True).seal(SECRET, context=CONTEXT)
        LocalKeyVault.add_key(path)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["keys"]
    assert LocalKeyVault.open(path, create=True).unseal(sealed, context=CONTEXT) == SECRET


def test_processes_that_create_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: LocalKeyVault.open(path, create=True), range(8)))
    sealed = vaults[0].seal(SECRET, context=CONTEXT)
    assert all(vault.unseal(sealed, context=CONTEXT) == SECRET for vault in vaults)


def test_keys_added_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    LocalKeyVault.open(path, create=True)
    with ThreadPoolExecutor(4) as threads:
        ids = list(threads.map(lambda _: LocalKeyVault.add_key(path), range(8)))
    assert sorted(ids) == list(range(2, 10))
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 9


def test_a_missing_key_file_is_named_and_not_created_unasked(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(InvalidValue, match="existing file") as refusal:
        LocalKeyVault.open(path)
    assert str(path) in str(refusal.value)
    assert not path.exists()
    with pytest.raises(InvalidValue, match="existing file"):
        LocalKeyVault.add_key(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    LocalKeyVault.open(path, create=True)
    path.chmod(mode)
    with pytest.raises(InvalidValue, match=rf"chmod 600.*{mode:04o}"):
        LocalKeyVault.open(path, create=True)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_of_its_owner_alone_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    LocalKeyVault.open(path, create=True)
    path.chmod(mode)
    LocalKeyVault.open(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "at least one key"),
        ("# only a comment\n", "at least one key"),
        ("1 c2hvcnQ=\n", "line 1"),
        ("one " + "A" * 43 + "=\n", "line 1"),
        ("0 " + "A" * 43 + "=\n", "line 1"),
        ("1 " + "A" * 43 + "=\n\n1 " + "B" * 43 + "=\n", "line 3"),
        ("1 " + "A" * 43 + "\n", "line 1"),
        ("\x80\x81\n", "line 1"),
    ],
)
def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(InvalidValue, match=complaint) as refusal:
        LocalKeyVault.open(path, create=True)
    assert "AAAA" not in str(refusal.value)
    assert path.read_bytes() == content.encode("latin-1")


def test_a_folder_in_the_place_of_the_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="key file"):
        LocalKeyVault.open(tmp_path, create=True)


def test_no_key_shows_in_any_repr(tmp_path: Path) -> None:
    key = bytes(range(32))
    ring = KeyRing({1: key})
    for shown in (repr(ring), repr(LocalKeyVault(ring)), str(vars(LocalKeyVault(ring))), repr(vars(MemoryKeyVault()))):
        assert repr(key)[2:20] not in shown
        assert "keys=" not in shown


@pytest.mark.parametrize("keys", [{}, {0: bytes(32)}, {2**32: bytes(32)}, {1: bytes(16)}])
def test_a_ring_of_unusable_keys_is_refused(keys: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        KeyRing(keys)
