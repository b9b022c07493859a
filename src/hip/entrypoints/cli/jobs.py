"""``hip jobs list | show | retry | cancel``."""

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

import typer

from hip.application.storage import JobState, Listing, Topic
from hip.domain.errors import DomainError, InvalidValue
from hip.entrypoints.cli.stored import (
    AsJson,
    Hip,
    Limit,
    Since,
    commands,
    found_in,
    given_hip,
    say_if_a_stranger,
    since_time,
)
from hip.entrypoints.cli.terminal import (
    SOME_FAILED,
    complain,
    exits_as_promised,
    lasting_settings,
    say,
    say_json,
    say_table,
)
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored_records import JOBS
from hip.entrypoints.views import Shown, job_view

app = commands(JOBS, help_text="Work that waits, runs, failed for good or was cancelled.", lists=False)

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Job ids, from `hip jobs list`.")]


class State(StrEnum):
    """Of what is listed."""

    READY = JobState.READY.value
    LEASED = JobState.LEASED.value
    DEAD = JobState.DEAD.value
    CANCELLED = JobState.CANCELLED.value


@app.command("list")
@exits_as_promised
def list_jobs(
    state: Annotated[State | None, typer.Option("--state", help="Only jobs in this state.")] = None,
    topic: Annotated[Topic | None, typer.Option("--topic", help="Only jobs of this kind.")] = None,
    hip: Hip = None,
    since: Since = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Jobs that are not done, newest first."""
    listing = Listing(hip_id=given_hip(hip), since=since_time(since), limit=limit)
    wanted = None if state is None else JobState(state.value)
    rows = asyncio.run(_listed(lasting_settings(), listing, wanted, topic))
    say_json(rows) if as_json else say_table(rows, JOBS.columns)


async def _listed(settings: Settings, listing: Listing, state: JobState | None, topic: Topic | None) -> Sequence[Shown]:
    from hip.entrypoints.container import adapters_for, opened

    adapters = adapters_for(settings)
    async with opened(adapters):
        async with adapters.units()() as uow:
            rows = [job_view(job) for job in await uow.outbox.list(listing, state=state, topic=topic)]
        say_if_a_stranger(adapters, listing.hip_id, rows)
    return rows


@app.command("retry")
@exits_as_promised
def retry(ids: Ids, hip: Hip = None) -> None:
    """Run dead or cancelled jobs again, and waiting ones at once; a worker does it. Every flow is safe to repeat."""
    _each("retry", ids, hip)


@app.command("cancel")
@exits_as_promised
def cancel(ids: Ids, hip: Hip = None) -> None:
    """Take jobs out that wait or are dead. Callbacks and transfers are not: the gateway waits for their end."""
    _each("cancel", ids, hip)


def _each(what: Literal["retry", "cancel"], ids: list[str], hip: str | None) -> None:
    if any(not (key.isascii() and key.isdecimal()) for key in ids):
        raise InvalidValue("ID", "a number, from `hip jobs list`")
    settings = lasting_settings()

    async def run_all() -> int:
        from hip.entrypoints.container import running

        failed = 0
        async with running(settings) as uses:
            change = uses.retry_job() if what == "retry" else uses.cancel_job()
            for key in dict.fromkeys(ids):
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
