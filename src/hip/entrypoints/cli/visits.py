"""``hip visits list | show | import | rebuild | schema``."""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import Progress, track

from hip.adapters.visit_records.schema import schema
from hip.application.storage import Listing, UnitOfWork
from hip.domain.errors import DomainError, InvalidValue, NotFound
from hip.domain.identifiers import HipId, VisitCode
from hip.entrypoints.cli.stored import AsJson, Hip, Since, commands, since_time
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say, say_json
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored_visits import VISITS
from hip.entrypoints.views import Shown

app = commands(VISITS, help_text="Visits and what became of them.")

_MANY = 10_000


@app.command("schema")
def print_schema() -> None:
    """The JSON Schema of a visit record."""
    say_json(schema())


@app.command("import")
@exits_as_promised
def import_visits(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="One record (.json) or one a line (.ndjson).")],
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the records that were refused here, one a line.")
    ] = None,
) -> None:
    """Hand over visit records from files. A bad record names its file, line and field; the others still go in.

    Records are read one by one, so a file may be of any size. A file of rejects can be mended and handed over again; it
    holds what the records hold, and is readable for its owner only. Handing a file over twice changes nothing.
    """
    for file in files:
        try:
            file.open("rb").close()
        except OSError as fault:
            raise InvalidValue(str(file), f"a readable file: {fault.strerror}") from None
    settings = lasting_settings()
    with ExitStack() as opened:
        refused = None if rejects is None else opened.enter_context(_private(rejects))
        taken, failed = asyncio.run(_import(settings, files, refused))
    say(f"{taken} taken, {failed} refused")
    if failed:
        raise typer.Exit(SOME_FAILED)


def _private(file: Path) -> BinaryIO:
    """A new file for its owner's eyes only: there are people in it."""
    try:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as fault:
        raise InvalidValue(str(file), f"a file that can be written: {fault.strerror}") from None


def _records(file: Path, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """Where each record stands, and its bytes; the bar moves with the bytes read."""
    task = progress.add_task(file.name, total=file.stat().st_size)
    if file.suffix != ".ndjson":
        yield str(file), file.read_bytes()
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            progress.advance(task, len(line))
            if line.strip():
                yield f"{file}:{number}", line


async def _import(settings: Settings, files: Sequence[Path], refused: BinaryIO | None) -> tuple[int, int]:
    from hip.entrypoints.container import running

    taken = failed = 0
    async with running(settings) as uses:
        receive = uses.receive_visit()
        with Progress(disable=not sys.stdout.isatty(), transient=True) as progress:
            for where, record in chain.from_iterable(_records(file, progress) for file in files):
                try:
                    await receive(record, actor="command line")
                except DomainError as refusal:
                    failed += 1
                    complain(f"{where}: {refusal}")
                    if refused is not None:
                        refused.write(b" ".join(record.split(b"\n")).strip() + b"\n")
                else:
                    taken += 1
    return taken, failed


@app.command("rebuild")
@exits_as_promised
def rebuild(
    codes: Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Visit codes.")] = None,
    since: Since = None,
    hip: Hip = None,
    as_json: AsJson = False,
) -> None:
    """Build the bundles of visits anew, as a new version, from the records that are stored; a worker does the work.

    Give visit codes, or --since for every visit received since then. The last valid version is served meanwhile.
    """
    if bool(codes) == (since is not None):
        raise typer.BadParameter("give visit codes, or --since")
    listing = Listing(hip_id=HipId(hip) if hip else None, since=since_time(since), limit=_MANY)
    results = asyncio.run(_rebuild(lasting_settings(), codes or [], listing))
    if as_json:
        say_json(results)
    else:
        for result in results:
            say(f"{result['visitCode']}\t{result['result']}")
    if len(results) == _MANY:
        complain(f"only the {_MANY} newest visits were taken; the others need their codes")
    if any(result["failed"] for result in results):
        raise typer.Exit(SOME_FAILED)


async def _rebuild(settings: Settings, codes: Sequence[str], listing: Listing) -> list[Shown]:
    from hip.entrypoints.container import adapters_for, opened, use_cases

    adapters = adapters_for(settings)
    results: list[Shown] = []
    async with opened(adapters):
        rebuild_visit = use_cases(adapters, settings).rebuild_visit()
        hips = [listing.hip_id] if listing.hip_id else [facility.hip_id for facility in adapters.facilities().all()]
        async with adapters.units()() as uow:
            chosen = await _chosen(uow, hips, codes, listing)
        for hip_id, code in track(chosen, "visits", disable=not sys.stdout.isatty(), transient=True):
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


async def _chosen(
    uow: UnitOfWork, hips: Sequence[HipId], codes: Sequence[str], listing: Listing
) -> list[tuple[HipId | None, VisitCode]]:
    """The visits meant; without a HIP those that none of ``hips`` knows."""
    if not codes:
        return [(visit.record.hip_id, visit.record.visit_code) for visit in await uow.visits.list(listing)]
    chosen: list[tuple[HipId | None, VisitCode]] = []
    for code in map(VisitCode, codes):
        holding = [hip_id for hip_id in hips if await uow.visits.get(hip_id, code) is not None]
        chosen.append((holding[0] if holding else None, code))
    return chosen
