"""Login, renewal and failures, against the stand-in of tests/builders/vault_server.py (which is not Vault)."""

from pathlib import Path

import pytest
from tests.builders.vault_server import ROLE, ROOT, VaultServer

from hip.adapters.key_vault.vault import VaultKeyVault
from hip.adapters.key_vault.vault_session import VaultRefused, VaultSession
from hip.domain.errors import DomainError, InvalidValue, NotFound, Transient

GATEWAY = {"client_secret": "s3cret-canary"}


def session(server: VaultServer, **changes: object) -> VaultSession:
    server.secrets.setdefault("hip/gateway", [GATEWAY])
    return VaultSession(server.settings(**changes), clock=server.clock)


def logins(server: VaultServer) -> int:
    return server.calls.count("auth/approle/login")


def renewals(server: VaultServer) -> int:
    return server.calls.count("auth/token/renew-self")


def test_a_field_of_a_secret_is_read_with_a_token_and_with_an_approle(server: VaultServer) -> None:
    assert session(server).field("hip/gateway", "client_secret") == "s3cret-canary"
    assert session(server, role_id=ROLE).field("hip/gateway", "client_secret") == "s3cret-canary"


@pytest.mark.parametrize(
    ("path", "name", "named"),
    [
        ("hip/nowhere", "client_secret", "secret/hip/nowhere"),
        ("hip/gateway", "secret", "secret/hip/gateway#secret"),
        ("hip/odd", "number", "secret/hip/odd#number"),
        ("hip/odd", "empty", "secret/hip/odd#empty"),
    ],
)
def test_what_is_missing_is_named(server: VaultServer, path: str, name: str, named: str) -> None:
    server.put("hip/odd", {"number": 7, "empty": ""})
    with pytest.raises(NotFound, match=named) as missing:
        session(server).field(path, name)
    assert "canary" not in str(missing.value)


def test_an_approle_token_is_used_until_two_thirds_of_its_life_and_then_renewed(server: VaultServer) -> None:
    vault = session(server, role_id=ROLE)
    for server.now in (0, 1000, 2399):
        vault.read("hip/gateway")
    assert (logins(server), renewals(server)) == (1, 0)
    server.now = 2400
    vault.read("hip/gateway")
    server.now = 4799
    vault.read("hip/gateway")
    assert (logins(server), renewals(server)) == (1, 1)


def test_an_approle_logs_in_anew_when_its_token_expired_or_reached_the_end_of_its_life(server: VaultServer) -> None:
    server.token_life = 4000
    vault = session(server, role_id=ROLE)
    vault.read("hip/gateway")
    server.now = 3600  # expired: there is nothing to renew
    vault.read("hip/gateway")
    assert (logins(server), renewals(server)) == (2, 0)
    server.now = 7200
    vault.read("hip/gateway")
    server.now = 9600  # renewed for the 1,600 s that are left of its life
    vault.read("hip/gateway")
    assert (logins(server), renewals(server)) == (3, 1)
    server.now = 11200
    vault.read("hip/gateway")
    assert (logins(server), renewals(server)) == (4, 1)


def test_an_approle_whose_token_was_revoked_logs_in_once_more(server: VaultServer) -> None:
    vault = session(server, role_id=ROLE)
    vault.read("hip/gateway")
    server.tokens.clear()
    assert vault.read("hip/gateway")[0] == GATEWAY
    assert logins(server) == 2
    server.denied.add("secret/data/hip/gateway")
    with pytest.raises(VaultRefused, match="denied permission to secret/hip/gateway"):
        vault.read("hip/gateway")
    assert logins(server) == 3


def test_a_static_token_is_renewed_before_it_expires(server: VaultServer) -> None:
    vault = session(server, token=server.give_token("hvs.periodic-canary", ttl=600, life=10**6))
    assert vault.keep() == pytest.approx(400)
    for server.now in (400, 800, 1200):
        assert vault.keep() == pytest.approx(400)
    assert renewals(server) == 4  # one to begin with a whole lease
    assert vault.keep() == pytest.approx(400)
    assert vault.read("hip/gateway")[0] == GATEWAY
    assert renewals(server) == 4


def test_a_static_token_that_expired_is_refused(server: VaultServer) -> None:
    vault = session(server, token=server.give_token("hvs.short-canary", ttl=600))
    vault.read("hip/gateway")
    server.now = 601
    with pytest.raises(VaultRefused) as refusal:
        vault.read("hip/gateway")
    assert "canary" not in str(refusal.value)


def test_a_token_that_lasts_or_cannot_be_renewed_is_left_alone(server: VaultServer) -> None:
    assert session(server).keep() is None
    short = server.give_token("hvs.fixed", ttl=600, renewable=False)
    assert session(server, token=short).keep() is None
    assert renewals(server) == 0


def test_a_wrong_approle_is_named_and_its_secret_is_not(server: VaultServer) -> None:
    with pytest.raises(VaultRefused, match="HIP_VAULT_ROLE_ID") as refusal:
        session(server, role_id=ROLE, secret_id="wrong-canary").read("hip/gateway")
    assert "canary" not in str(refusal.value)
    assert refusal.value.status == 400


@pytest.mark.parametrize("token", ["hvs.wrong-canary", ""])
def test_a_wrong_token_is_denied(server: VaultServer, token: str) -> None:
    with pytest.raises(VaultRefused, match="denied permission") as refusal:
        session(server, token=token).read("hip/gateway")
    assert "canary" not in str(refusal.value)


def test_a_path_without_permission_is_named(server: VaultServer) -> None:
    VaultKeyVault.open(server.settings(), create=True)
    server.denied.add("transit/decrypt/hip")
    with pytest.raises(VaultRefused, match="transit/decrypt/hip"):
        VaultKeyVault.open(server.settings())


def test_a_sealed_vault_is_worth_another_try(server: VaultServer) -> None:
    server.sealed = True
    with pytest.raises(Transient, match="sealed"):
        session(server).read("hip/gateway")
    server.sealed = False
    assert session(server).read("hip/gateway")[0] == GATEWAY


@pytest.mark.parametrize("status", [429, 500, 502, 504])
def test_a_failing_vault_is_worth_another_try(server: VaultServer, status: int) -> None:
    server.failing = status
    with pytest.raises(Transient):
        session(server).read("hip/gateway")


def test_a_vault_that_was_never_initialised_is_refused(server: VaultServer) -> None:
    server.initialised = False
    with pytest.raises(VaultRefused, match="not initialised"):
        session(server).read("hip/gateway")


def test_a_redirect_is_not_followed_with_the_token(server: VaultServer) -> None:
    server.failing = 307
    with pytest.raises(VaultRefused, match="HIP_VAULT_URL"):
        session(server).read("hip/gateway")


def test_a_vault_that_does_not_answer_is_worth_another_try(server: VaultServer) -> None:
    with pytest.raises(Transient, match="does not answer") as failure:
        VaultSession(server.settings(url="http://127.0.0.1:1")).read("hip/gateway")
    assert failure.value.__cause__ is None


@pytest.mark.parametrize("url", ["vault:8200", "ftp://vault", "http://"])
def test_an_address_that_is_none_is_named(server: VaultServer, url: str) -> None:
    with pytest.raises(InvalidValue, match="HIP_VAULT_URL"):
        VaultSession(server.settings(url=url)).read("hip/gateway")


def test_http_spoken_to_a_server_that_expects_tls_or_the_reverse_is_no_bug(server: VaultServer) -> None:
    with pytest.raises((InvalidValue, Transient)):
        VaultSession(server.settings(url=server.url.replace("http:", "https:"))).read("hip/gateway")


def test_a_ca_file_that_is_missing_is_named(server: VaultServer, tmp_path: Path) -> None:
    changed = server.settings(url=server.url.replace("http:", "https:"), ca_file=tmp_path / "missing.pem")
    with pytest.raises(DomainError, match="HIP_VAULT_CA_FILE"):
        VaultSession(changed).read("hip/gateway")


def test_the_namespace_goes_along(server: VaultServer) -> None:
    server.namespace = "hospital/one"
    with pytest.raises(VaultRefused):
        session(server).read("hip/gateway")
    assert session(server, namespace="hospital/one").read("hip/gateway")[0] == GATEWAY
    assert session(server, namespace="hospital/one", role_id=ROLE).read("hip/gateway")[0] == GATEWAY


def test_no_token_of_the_environment_is_used(server: VaultServer) -> None:
    """hvac itself would take VAULT_TOKEN or ~/.vault-token for a token that is None."""
    assert server.settings(role_id=ROLE).token == ""
    session(server, role_id=ROLE).read("hip/gateway")
    assert ROOT in server.tokens
