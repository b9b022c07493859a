"""The ``hip`` command. Sub-commands import what they need when they run: ``hip --help`` stays quick."""

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from hip.entrypoints.cli import (
    audit,
    bridge,
    bundles,
    callbacks,
    certification,
    decisions,
    demonstration,
    exchanges,
    fidelius,
    ig,
    jobs,
    keys,
    services,
    source,
    transfers,
    visits,
)
from hip.entrypoints.cli.stored import commands
from hip.entrypoints.cli.terminal import say
from hip.entrypoints.stored_records import CONSENTS, LINKS
from hip.entrypoints.stored_visits import BUNDLES

app = typer.Typer(
    name="hip",
    help="Health Information Provider for ABDM, milestone M2.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("demo")(demonstration.demo)
app.command("sandbox")(demonstration.sandbox)
app.add_typer(certification.app, name="certify")
app.command("serve")(services.serve)
app.command("relay")(services.relay)
app.command("worker")(services.worker)
app.add_typer(services.database, name="db")
app.add_typer(visits.app, name="visits")
app.add_typer(source.app, name="source")
app.add_typer(commands(BUNDLES, help_text="Bundles that are stored."), name="bundles")
app.add_typer(commands(LINKS, help_text="Where each visit's link stands."), name="links")
app.add_typer(exchanges.app, name="exchanges")
app.add_typer(callbacks.app, name="callbacks")
app.add_typer(jobs.app, name="jobs")
app.add_typer(commands(CONSENTS, help_text="Consents and their tombstones."), name="consents")
app.add_typer(transfers.app, name="transfers")
app.add_typer(decisions.app, name="decisions")
app.add_typer(bundles.app, name="bundle")
app.add_typer(ig.app, name="ig")
app.add_typer(bridge.app, name="bridge")
app.add_typer(fidelius.app, name="fidelius")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")


def _version(wanted: bool) -> None:
    if wanted:
        say(installed_version("abdm-hip"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Health Information Provider for ABDM, milestone M2."""


def main() -> None:
    """Console script."""
    app()


if __name__ == "__main__":
    main()
