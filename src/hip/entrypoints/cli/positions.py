"""How far a long command came, in a file, so that it can be broken off and goes on there."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from hip.domain.errors import InvalidValue

Position = Annotated[
    Path | None,
    typer.Option("--position", metavar="FILE", help="Go on where this file says, and write there how far it came."),
]


def read_positions(file: Path | None, names: Iterable[str]) -> dict[str, str]:
    """What the file says of these names; nothing when there is none yet. Raises InvalidValue for another file."""
    if file is None or not file.exists():
        return {}
    try:
        stored = json.loads(file.read_bytes())
    except (OSError, ValueError):
        stored = None
    if not isinstance(stored, dict) or not all(isinstance(value, str) for value in stored.values()):
        raise InvalidValue(str(file), "a file that this command wrote")
    return {name: stored[name] for name in names if name in stored}


def write_positions(file: Path | None, positions: Mapping[str, str]) -> None:
    """Whole or not at all. Raises InvalidValue when it cannot be written."""
    if file is None:
        return
    half = file.with_name(f"{file.name}.half")
    try:
        half.write_text(json.dumps({str(name): where for name, where in positions.items()}), encoding="utf-8")
        half.replace(file)
    except OSError as fault:
        raise InvalidValue(str(file), f"a file that can be written: {fault.strerror}") from None
