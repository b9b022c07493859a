"""``hip keys add``: a new key that seals from now on."""

import typer

from hip.entrypoints.cli.terminal import exits_as_promised, lasting_settings, say

app = typer.Typer(help="The keys that seal what rests.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """The keys that seal what rests."""


@app.command("add")
@exits_as_promised
def add() -> None:
    """Add a random key to the key file, or to HashiCorp Vault. Restart the services to seal with it; all keys open."""
    from hip.adapters.key_vault.local import LocalKeyVault
    from hip.adapters.key_vault.vault import VaultKeyVault
    from hip.entrypoints.wiring import vault_settings

    settings = lasting_settings()
    in_vault = bool(settings.vault_url)
    added = VaultKeyVault.add_key(vault_settings(settings)) if in_vault else LocalKeyVault.add_key(settings.key_file)
    say(f"key {added} seals in every service that is started from now on")
