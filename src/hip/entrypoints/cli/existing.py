"""``hip source import``: the documents of an AMRIT that ran before."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import typer
from rich.progress import Progress

from hip.application.existing_documents import Fate, Kind
from hip.entrypoints.cli.positions import Position, read_positions, write_positions
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings

_AT_ONCE = 100
"""Documents read, validated and stored together; the position is written after each such batch."""


@exits_as_promised
def import_documents(
    position: Position = None,
) -> None:
    """Take over AMRIT's own MongoDB documents: patients, their care contexts and their bundles.

    What is known here stays as it is, so it can be broken off and repeated, also beside the running service. A document
    that cannot be taken is named with field and reason; the others still go in.
    """
    settings = lasting_settings()
    counts = asyncio.run(_import(settings, position))
    say(
        f"{counts[Fate.TAKEN]} taken, {counts[Fate.INVALID]} stored as invalid (never sent), "
        f"{counts[Fate.KEPT]} known already, {counts[Fate.REFUSED]} refused, "
        f"{counts[Fate.UNLISTED]} in no patient's list"
    )
    if counts[Fate.REFUSED] or counts[Fate.UNLISTED]:
        raise typer.Exit(SOME_FAILED)


async def _import(settings: Settings, file: Path | None) -> Counter[Fate]:
    from hip.adapters.mongo.existing import MongoExistingDocuments
    from hip.entrypoints.container import running

    url = settings.amrit_mongo_url or settings.mongo_url
    if url is None:
        raise SettingsInvalid([("HIP_AMRIT_MONGO_URL", "required")])
    positions = read_positions(file, Kind)
    counts: Counter[Fate] = Counter()
    documents = MongoExistingDocuments(url.get_secret_value(), settings.amrit_mongo_database)
    try:
        async with running(settings) as uses:
            take = uses.import_existing()
            with Progress(disable=not sys.stdout.isatty(), transient=True) as progress:
                for kind in Kind:
                    task = progress.add_task(kind.value, total=await documents.count(kind))
                    while found := await documents.after(kind, positions.get(kind), limit=_AT_ONCE):
                        for imported in await take(found):
                            counts[imported.fate] += 1
                            if imported.reason:
                                complain(f"{imported.place}: {imported.reason}")
                        positions[kind] = found[-1].position
                        write_positions(file, positions)
                        progress.advance(task, len(found))
    finally:
        await documents.close()
    return counts
