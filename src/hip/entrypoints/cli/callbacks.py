"""``hip callbacks list | show | replay``."""

import asyncio
from typing import Annotated

import typer

from hip.domain.callbacks import CallbackId
from hip.domain.errors import DomainError
from hip.entrypoints.cli.stored import Hip, commands, found_in
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say
from hip.entrypoints.stored_records import CALLBACKS

app = commands(CALLBACKS, help_text="What the gateway has sent us.")


@app.command("replay")
@exits_as_promised
def replay(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Callback ids, from `hip callbacks list`.")],
    hip: Hip = None,
) -> None:
    """Run stored callbacks again. Every flow is safe to repeat; a worker does the work."""
    settings = lasting_settings()

    async def replay_all() -> int:
        from hip.entrypoints.container import running

        failed = 0
        async with running(settings) as uses:
            for key in ids:
                try:
                    hip_id, _ = await found_in(CALLBACKS, key, hip, settings)
                    await uses.replay_callback()(hip_id, CallbackId(key), actor="command line")
                except DomainError as refusal:
                    failed += 1
                    complain(f"{refusal.code} {refusal}")
                else:
                    say(f"{key}\tqueued")
        return failed

    if asyncio.run(replay_all()):
        raise typer.Exit(SOME_FAILED)
