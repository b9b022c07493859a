"""``hip jobs list | show | retry | cancel``."""

import asyncio
from typing import Annotated, Literal

import typer

from hip.domain.errors import DomainError, InvalidValue
from hip.entrypoints.cli.stored import Hip, commands, found_in
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say
from hip.entrypoints.stored_records import JOBS

app = commands(JOBS, help_text="Work that waits, runs, failed for good or was cancelled.")

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Job ids, from `hip jobs list`.")]


@app.command("retry")
@exits_as_promised
def retry(ids: Ids, hip: Hip = None) -> None:
    """Run dead jobs again, and waiting ones at once; a worker does the work. Every flow is safe to repeat."""
    _each("retry", ids, hip)


@app.command("cancel")
@exits_as_promised
def cancel(ids: Ids, hip: Hip = None) -> None:
    """Take jobs out that wait or are dead. Callbacks and transfers are not: the gateway waits for their end."""
    _each("cancel", ids, hip)


def _each(what: Literal["retry", "cancel"], ids: list[str], hip: str | None) -> None:
    if any(not key.isdecimal() for key in ids):
        raise InvalidValue("ID", "a number, from `hip jobs list`")
    settings = lasting_settings()

    async def run_all() -> int:
        from hip.entrypoints.container import running

        failed = 0
        async with running(settings) as uses:
            change = uses.retry_job() if what == "retry" else uses.cancel_job()
            for key in ids:
                try:
                    hip_id, _ = await found_in(JOBS, key, hip, settings)
                    await change(hip_id, int(key), actor="command line")
                except DomainError as refusal:
                    failed += 1
                    complain(f"{key}: {refusal}")
                else:
                    say(f"{key}\t{'queued' if what == 'retry' else 'cancelled'}")
        return failed

    if asyncio.run(run_all()):
        raise typer.Exit(SOME_FAILED)
