"""``hip visits rebuild``: some visits by their codes, or any number by when they were received."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from hip.application.bundle_storage import Place, ReceivedSpan
from hip.domain.errors import DomainError, InvalidValue, NotFound
from hip.domain.identifiers import HipId, VisitCode
from hip.entrypoints.cli.positions import Position, read_positions, write_positions
from hip.entrypoints.cli.stored import AsJson, Hip, Since, given_hip, given_id, since_time
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say, say_json
from hip.entrypoints.settings import Settings
from hip.entrypoints.views import Shown

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count the visits.")]


@exits_as_promised
def rebuild(
    codes: Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Visit codes.")] = None,
    since: Since = None,
    hip: Hip = None,
    dry_run: DryRun = False,
    position: Position = None,
    as_json: AsJson = False,
) -> None:
    """Build the bundles of visits anew, as a new version, from the records that are stored; a worker does the work.

    Give visit codes, or --since for every visit received since then, of any number: those are built behind everything
    that comes in meanwhile. The last valid version is served until a newer one is valid.
    """
    if bool(codes) == (since is not None):
        raise typer.BadParameter("give visit codes, or --since")
    if codes and (dry_run or position):
        raise typer.BadParameter("--dry-run and --position go with --since")
    if (moment := since_time(since)) is not None:
        _rebuild_since(moment, hip, dry_run=dry_run, position=position, as_json=as_json)
        return
    results = asyncio.run(_rebuild(lasting_settings(), codes or [], given_hip(hip)))
    if as_json:
        say_json(results)
    else:
        for result in results:
            say(f"{result['visitCode']}\t{result['result']}")
    if any(result["failed"] for result in results):
        raise typer.Exit(SOME_FAILED)


def _rebuild_since(since: datetime, hip: str | None, *, dry_run: bool, position: Path | None, as_json: bool) -> None:
    visits, documents, unread = asyncio.run(_all(lasting_settings(), since, hip, dry_run=dry_run, position=position))
    if as_json:
        counts = {"visits": visits, "documents": None if dry_run else documents}
        say_json({**counts, "unread": None if dry_run else unread, "dryRun": dry_run})
    elif dry_run:
        say(f"{visits} visits would be built anew")
    else:
        say(f"{visits} visits are being built anew, {documents} documents")
    if unread:
        raise typer.Exit(SOME_FAILED)


async def _all(
    settings: Settings, since: datetime, hip: str | None, *, dry_run: bool, position: Path | None
) -> tuple[int, int, int]:
    """Facility by facility, oldest first. What is received from now on has the newest documents anyway.

    Visits, documents, and visits whose stored records cannot be read.
    """
    from hip.entrypoints.container import adapters_for, opened, use_cases

    adapters = adapters_for(settings)
    visits = documents = unread = 0
    async with opened(adapters):
        hips = [facility.hip_id for facility in adapters.facilities().all() if hip in (None, facility.hip_id)]
        if not hips:
            raise InvalidValue("--hip", "a facility of this service")
        positions = read_positions(position, hips)
        span = ReceivedSpan(since=since, until=adapters.clock()())
        rebuild_visits = use_cases(adapters, settings).rebuild_visits()
        with Progress(disable=not sys.stdout.isatty(), transient=True) as progress:
            for hip_id in hips:
                left = replace(span, behind=_place(position, positions.get(hip_id)))
                total = await rebuild_visits.count(hip_id, left)
                if dry_run:
                    visits += total
                    continue
                task = progress.add_task(hip_id, total=total)
                while (done := await rebuild_visits(hip_id, left, actor="command line")).last is not None:
                    visits, documents = visits + done.visits, documents + done.documents
                    unread += len(done.unread)
                    for code in done.unread:
                        complain(f"{code}: its stored record cannot be read; it stays as it is")
                    progress.advance(task, done.visits + len(done.unread))
                    left = ReceivedSpan(since=done.last[0], until=span.until, behind=done.last)
                    positions[hip_id] = f"{done.last[0].isoformat()} {done.last[1]}"
                    write_positions(position, positions)
    return visits, documents, unread


def _place(file: Path | None, written: str | None) -> Place | None:
    if written is None:
        return None
    moment, _, code = written.partition(" ")
    try:
        at = datetime.fromisoformat(moment).astimezone(UTC)
    except ValueError:
        raise InvalidValue(str(file), "a file that this command wrote") from None
    return at, VisitCode(code)


async def _rebuild(settings: Settings, codes: Sequence[str], hip: HipId | None) -> list[Shown]:
    from hip.entrypoints.container import adapters_for, opened, use_cases

    adapters = adapters_for(settings)
    results: list[Shown] = []
    async with opened(adapters):
        rebuild_visit = use_cases(adapters, settings).rebuild_visit()
        hips = [hip] if hip else [facility.hip_id for facility in adapters.facilities().all()]
        for code in map(VisitCode, dict.fromkeys(given_id(code, field="CODE") for code in codes)):
            async with adapters.units()() as uow:
                hip_id = next(iter([each for each in hips if await uow.visits.get(each, code) is not None]), None)
            failed, version = False, None
            try:
                if hip_id is None:
                    raise NotFound("visit", code)
                version = (await rebuild_visit(hip_id, code, actor="command line")).version
                result = f"version {version} is being built"
            except DomainError as refusal:
                failed, result = True, str(refusal)
            results.append({"hipId": hip_id, "visitCode": code, "version": version, "result": result, "failed": failed})
    return results
