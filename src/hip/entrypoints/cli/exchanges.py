"""``hip exchanges list | show | retry``."""

import asyncio
from typing import Annotated

import typer

from hip.domain.errors import DomainError
from hip.domain.exchanges import ExchangeId
from hip.entrypoints.cli.stored import Hip, commands, found_in
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say
from hip.entrypoints.stored_records import EXCHANGES

app = commands(EXCHANGES, help_text="Conversations with the gateway.")


@app.command("retry")
@exits_as_promised
def retry(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Exchange ids, from `hip exchanges list`.")],
    hip: Hip = None,
) -> None:
    """Hold conversations again that were refused or not answered; a worker does the work, under a new REQUEST-ID."""
    settings = lasting_settings()

    async def retry_all() -> int:
        from hip.entrypoints.container import running

        failed = 0
        async with running(settings) as uses:
            for key in ids:
                try:
                    hip_id, _ = await found_in(EXCHANGES, key, hip, settings)
                    await uses.retry_exchange()(hip_id, ExchangeId(key), actor="command line")
                except DomainError as refusal:
                    failed += 1
                    complain(f"{key}: {refusal}")
                else:
                    say(f"{key}\tqueued")
        return failed

    if asyncio.run(retry_all()):
        raise typer.Exit(SOME_FAILED)
