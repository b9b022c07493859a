"""``hip visits list | show | import | schema``."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from hip.adapters.visit_records.schema import schema
from hip.domain.errors import DomainError, InvalidValue
from hip.entrypoints.cli.stored import commands
from hip.entrypoints.cli.terminal import SOME_FAILED, complain, exits_as_promised, lasting_settings, say, say_json
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored import VISITS

app = commands(VISITS, help_text="Visits and what became of them.")


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
