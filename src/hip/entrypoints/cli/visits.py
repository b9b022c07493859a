"""``hip visits list | show | import | rebuild | schema``."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from hip.adapters.visit_records.schema import schema
from hip.application.storage import Listing, UnitOfWork
from hip.domain.errors import DomainError, InvalidValue, NotFound
from hip.domain.identifiers import HipId, VisitCode
from hip.entrypoints.cli.stored import AsJson, Hip, Since, commands, since_time
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say, say_json
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored import VISITS
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
) -> None:
    """Hand over visit records from files. A bad record names its file, line and field; the others still go in."""
    records: list[tuple[str, bytes]] = []
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as fault:
            raise InvalidValue(str(file), f"a readable file: {fault.strerror}") from None
        if file.suffix == ".ndjson":
            lines = enumerate(content.splitlines(), 1)
            records += [(f"{file}:{number}", line) for number, line in lines if line.strip()]
        else:
            records.append((str(file), content))
    failed = asyncio.run(_import(lasting_settings(), records))
    say(f"{len(records) - failed} taken, {failed} refused")
    if failed:
        raise typer.Exit(SOME_FAILED)


async def _import(settings: Settings, records: list[tuple[str, bytes]]) -> int:
    from hip.entrypoints.container import running

    failed = 0
    async with running(settings) as uses:
        receive = uses.receive_visit()
        for where, record in track(records, "visits", disable=not sys.stdout.isatty(), transient=True):
            try:
                await receive(record, actor="command line")
            except DomainError as refusal:
                failed += 1
                complain(f"{where}: {refusal}")
    return failed


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
