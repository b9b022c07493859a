"""``hip visits list | show | import | rebuild | schema``."""

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import Progress

from hip.adapters.visit_records.schema import schema
from hip.application.gathering import Gathered
from hip.application.intake import ReceivedVisit
from hip.domain.errors import DomainError, InvalidValue
from hip.entrypoints.cli.rebuilding import rebuild
from hip.entrypoints.cli.stored import commands
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say, say_json
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored_visits import VISITS

app = commands(VISITS, help_text="Visits and what became of them.")

app.command("rebuild")(rebuild)


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

    Up to 200 records are read and stored at a time, so a file may be of any size, and one whose import broke off can be
    handed over again: what is stored already changes nothing. A file of rejects can be mended and handed over again; it
    holds what the records hold, and is readable for its owner only.
    """
    for file in files:
        try:
            file.open("rb").close()
        except OSError as fault:
            raise InvalidValue(str(file), f"a readable file: {fault.strerror}") from None
        if rejects is not None and rejects.exists() and rejects.samefile(file):
            raise InvalidValue("--rejects", "another file than those that are read")
    settings = lasting_settings()
    with ExitStack() as opened:
        refused = None if rejects is None else opened.enter_context(_private(rejects))
        taken, failed = asyncio.run(_import(settings, files, refused))
    say(f"{taken} taken, {failed} refused")
    if failed:
        raise typer.Exit(SOME_FAILED)


def _private(file: Path) -> BinaryIO:
    """A file for its owner's eyes only, also one that was there before: there are people in it."""
    try:
        opened = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        if file.is_file():
            file.chmod(0o600)
    except OSError as fault:
        raise InvalidValue(str(file), f"a file that can be written: {fault.strerror}") from None
    return opened


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
        receive = uses.receive_visits()
        with Progress(disable=not sys.stdout.isatty(), transient=True) as progress:
            for batch in _batches(chain.from_iterable(_records(file, progress) for file in files)):
                answers = await receive(batch.records, actor="command line")
                for where, record, answer in zip(batch.places, batch.records, answers, strict=False):
                    if isinstance(answer, ReceivedVisit):
                        taken += 1
                    elif isinstance(answer, DomainError):
                        failed += 1
                        complain(f"{where}: {answer}")
                        if refused is not None:
                            refused.write(b" ".join(record.split(b"\n")).strip() + b"\n")
                    else:
                        raise answer
    return taken, failed


def _batches(records: Iterable[tuple[str, bytes]]) -> Iterator[Gathered[str]]:
    """As many at a time as are stored together."""
    gathered: Gathered[str] = Gathered()
    for where, record in records:
        gathered.add(where, record)
        if gathered.full:
            yield gathered
            gathered = Gathered()
    if gathered.records:
        yield gathered
