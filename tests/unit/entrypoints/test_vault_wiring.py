"""HashiCorp Vault in the settings, the wiring and the commands, against its stand-in."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from tests.builders.edge import settings_in_memory
from tests.builders.vault_server import ROLE, ROOT, SECRET, VaultServer, vault_server
from typer.testing import CliRunner

from hip.adapters.key_vault.local import LocalKeyVault
from hip.adapters.key_vault.vault import VaultKeyVault
from hip.adapters.key_vault.vault_session import VaultSession
from hip.domain.errors import NotFound, Transient
from hip.entrypoints import wiring
from hip.entrypoints.cli.main import app
from hip.entrypoints.container import adapters_for
from hip.entrypoints.demo.stages import settings_of
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings
from hip.entrypoints.vault_token import kept_alive

CONTEXT = "IN0410000123/link-token/7"


@pytest.fixture
def server() -> Iterator[VaultServer]:
    with vault_server() as running:
        yield running


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """A service sends its logs to standard error, here one that is closed after the test."""
    yield
    structlog.reset_defaults()


def environment(**changes: str) -> dict[str, str]:
    return settings_in_memory(
        HIP_STORAGE="server",
        HIP_DATABASE_URL="postgresql://postgres@127.0.0.1:1/hip",
        HIP_MONGO_URL="mongodb://127.0.0.1:1/",
        HIP_REDIS_URL="redis://127.0.0.1:1/0",
        **changes,
    )


def with_vault(server: VaultServer, **changes: str) -> Settings:
    return settings_of(environment(HIP_VAULT_URL=server.url, HIP_VAULT_TOKEN=ROOT, **changes))


def test_the_vault_is_chosen_when_its_address_is_set(server: VaultServer, tmp_path: Path) -> None:
    assert isinstance(adapters_for(with_vault(server)).vault(), VaultKeyVault)
    plain = settings_of(environment(HIP_KEY_FILE=str(tmp_path / "keys")))
    assert isinstance(adapters_for(plain).vault(), LocalKeyVault)


def test_the_vault_is_opened_once_a_process(server: VaultServer) -> None:
    """A worker opens it before it forks; the batches find it open."""
    first = adapters_for(with_vault(server)).vault()
    server.sealed = True
    server.calls.clear()
    assert adapters_for(with_vault(server)).vault() is first
    assert server.calls == []


def test_a_vault_that_was_sealed_at_the_first_try_is_opened_at_the_next(server: VaultServer) -> None:
    server.sealed = True
    with pytest.raises(Transient, match="sealed"):
        wiring.vault(with_vault(server))
    server.sealed = False
    assert isinstance(wiring.vault(with_vault(server)), VaultKeyVault)


def test_production_wants_the_first_key_to_be_there(server: VaultServer) -> None:
    settings = with_vault(server).model_copy(update={"env": "production"})
    with pytest.raises(NotFound, match="secret/hip/keys"):
        wiring.vault(settings)
    assert server.secrets == {}


def test_every_setting_of_the_vault_arrives(server: VaultServer) -> None:
    server.transit = {"other": [bytes(32)]}
    server.namespace = "hospital"
    settings = settings_of(
        environment(
            HIP_VAULT_URL=server.url + "/",
            HIP_VAULT_ROLE_ID=ROLE,
            HIP_VAULT_SECRET_ID=SECRET,
            HIP_VAULT_NAMESPACE="hospital",
            HIP_VAULT_KEYS="elsewhere/keys",
            HIP_VAULT_TRANSIT_KEY="other",
        )
    )
    vault = wiring.vault(settings)
    assert vault.unseal(vault.seal(b"value", context=CONTEXT), context=CONTEXT) == b"value"
    assert list(server.secrets) == ["elsewhere/keys"]


def test_data_02_the_client_secret_can_lie_in_the_vault(server: VaultServer) -> None:
    server.put("hip/gateway", {"client_secret": "s3cret-canary"})
    settings = with_vault(server, HIP_CLIENT_SECRET="vault:hip/gateway#client_secret")
    assert wiring.client_secret(settings) == "s3cret-canary"
    server.sealed = True
    assert wiring.client_secret(settings) == "s3cret-canary"
    assert wiring.client_secret(settings_of(environment(HIP_CLIENT_SECRET="plain"))) == "plain"


def test_a_client_secret_that_is_not_in_the_vault_is_named(server: VaultServer) -> None:
    with pytest.raises(NotFound, match="secret/hip/gateway"):
        adapters_for(with_vault(server, HIP_CLIENT_SECRET="vault:hip/gateway#client_secret")).gateway()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "HIP_VAULT_TOKEN"),
        ({"HIP_VAULT_ROLE_ID": "canary"}, "HIP_VAULT_TOKEN"),
        ({"HIP_VAULT_SECRET_ID": "canary"}, "HIP_VAULT_TOKEN"),
        ({"HIP_VAULT_TOKEN": "canary", "HIP_VAULT_ROLE_ID": "canary"}, "HIP_VAULT_TOKEN"),
        ({"HIP_VAULT_TOKEN": "canary", "HIP_CLIENT_SECRET": "vault:canary"}, "HIP_CLIENT_SECRET"),
        ({"HIP_VAULT_TOKEN": "canary", "HIP_CLIENT_SECRET": "vault:#canary"}, "HIP_CLIENT_SECRET"),
        ({"HIP_VAULT_URL": "", "HIP_CLIENT_SECRET": "vault:canary#canary"}, "HIP_CLIENT_SECRET"),
        ({"HIP_VAULT_URL": "vault:8200", "HIP_VAULT_TOKEN": "canary"}, "HIP_VAULT_URL"),
    ],
)
def test_settings_that_cannot_work_are_named_and_not_repeated(changes: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        settings_of(environment(**({"HIP_VAULT_URL": "http://127.0.0.1:1"} | changes)))
    assert [name for name, _ in refusal.value.faults] == [named]
    assert "canary" not in str(refusal.value)


def test_ops_04_production_speaks_to_the_vault_over_https() -> None:
    with pytest.raises(SettingsInvalid, match="HIP_VAULT_URL: expected https in production"):
        settings_of(
            environment(HIP_ENV="production", HIP_VAULT_URL="http://vault.example", HIP_VAULT_TOKEN="t"),
        )


def test_a_token_is_kept_alive_in_a_process_that_stays_up(server: VaultServer) -> None:
    """The first look is at once here; an outage in between only delays the next."""
    token = server.give_token("hvs.periodic", ttl=3600, life=10**6)
    VaultKeyVault.open(server.settings(), create=True)
    vault = VaultKeyVault.open(server.settings(token=token), clock=server.clock)
    server.calls.clear()
    server.now, server.failing = 3000, 502

    async def story() -> None:
        async with kept_alive(vault, first=0, again=0.01):
            while len(server.calls) < 3:
                await asyncio.sleep(0.01)
            server.failing = 0
            while server.tokens[token].expires_at < 6600:
                await asyncio.sleep(0.01)

    asyncio.run(story())
    assert set(server.calls) == {"auth/token/renew-self"}


def test_a_token_that_is_refused_is_not_asked_for_again(server: VaultServer) -> None:
    token = server.give_token("hvs.short", ttl=3600)
    VaultKeyVault.open(server.settings(), create=True)
    vault = VaultKeyVault.open(server.settings(token=token), clock=server.clock)
    server.now = 2400
    server.tokens.clear()
    server.calls.clear()

    async def story() -> None:
        async with kept_alive(vault, first=0, again=0):
            while not server.calls:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)

    asyncio.run(story())
    assert server.calls == ["auth/token/renew-self"]
    assert vault.unseal(vault.seal(b"value", context=CONTEXT), context=CONTEXT) == b"value"


def test_keys_add_adds_to_the_vault_or_to_the_key_file(server: VaultServer, tmp_path: Path) -> None:
    VaultKeyVault.open(server.settings(), create=True)
    inside = CliRunner().invoke(
        app, ["keys", "add"], env=environment(HIP_VAULT_URL=server.url, HIP_VAULT_TOKEN=ROOT), catch_exceptions=False
    )
    assert (inside.exit_code, inside.stdout.split()[1]) == (0, "2")
    assert set(VaultSession(server.settings()).read("hip/keys")[0]) == {"1", "2"}
    file = environment(HIP_KEY_FILE=str(tmp_path / "keys"), HIP_VAULT_URL="")
    assert CliRunner().invoke(app, ["keys", "add"], env=file).exit_code == 2
    LocalKeyVault.open(tmp_path / "keys", create=True)
    assert CliRunner().invoke(app, ["keys", "add"], env=file).exit_code == 0


@pytest.mark.usefixtures("logs_as_before")
@pytest.mark.parametrize(("state", "exit_code", "said"), [("sealed", 3, "sealed"), ("denied", 1, "secret/hip/keys")])
def test_serve_opens_the_vault_before_it_listens(server: VaultServer, state: str, exit_code: int, said: str) -> None:
    server.sealed = state == "sealed"
    server.denied.add("secret/data/hip/keys")
    result = CliRunner().invoke(app, ["serve"], env=environment(HIP_VAULT_URL=server.url, HIP_VAULT_TOKEN=ROOT))
    assert result.exit_code == exit_code
    assert said in result.stderr
    assert "listening" not in result.stdout
    assert ROOT not in result.output
