"""``hip bridge show [ID] | set URL``: where the gateway sends callbacks (contract §1.7)."""

import asyncio
from typing import Annotated

import typer

from hip.entrypoints.cli.terminal import exits_as_promised, say, say_json
from hip.entrypoints.settings import Settings

app = typer.Typer(help="The callback address the gateway knows for this client.", no_args_is_help=True)


@app.command("show")
@exits_as_promised
def show(
    service: Annotated[
        str | None, typer.Argument(metavar="ID", help="One service only: the id of a facility, ours or another's.")
    ] = None,
) -> None:
    """The bridge and its services, or the one service ID, as the gateway has them."""
    settings = Settings.read()

    async def ask() -> object:
        from hip.entrypoints.container import running

        async with running(settings) as uses:
            bridge = uses.look_after_bridge()
            if service is None:
                return await bridge.show(actor="command line")
            return await bridge.show_service(service, actor="command line")

    say_json(asyncio.run(ask()))


@app.command("set")
@exits_as_promised
def set_url(url: Annotated[str, typer.Argument(metavar="URL", help="https://host, without a path or port.")]) -> None:
    """Register the callback address. One per client id: the last writer wins."""
    settings = Settings.read()

    async def tell() -> None:
        from hip.entrypoints.container import running

        async with running(settings) as uses:
            await uses.look_after_bridge().set(url, actor="command line")

    asyncio.run(tell())
    say(f"callbacks now go to {url}")
