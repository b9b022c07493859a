"""``hip callbacks list | show | replay``."""

import asyncio
from typing import Annotated

import typer

from hip.domain.callbacks import CallbackId
from hip.entrypoints.cli.stored import Hip, commands, found_in
from hip.entrypoints.cli.terminal import exits_as_promised, say
from hip.entrypoints.container import running
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored import CALLBACKS

app = commands(CALLBACKS, help_text="What the gateway has sent us.")


@app.command("replay")
@exits_as_promised
def replay(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Callback ids, from `hip callbacks list`.")],
    hip: Hip = None,
) -> None:
    """Run stored callbacks again. Every flow is safe to repeat; a worker does the work."""
    settings = Settings.read()

    async def replay_all() -> None:
        for key in ids:
            hip_id, _ = await found_in(CALLBACKS, key, hip, settings)
            async with running(settings) as uses:
                await uses.replay_callback()(hip_id, CallbackId(key))
            say(f"{key}\tqueued")

    asyncio.run(replay_all())
