"""How every command speaks: tables on a terminal, lines otherwise, JSON when asked; and the promised exit codes."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from hip.domain.errors import DomainError, InvalidValue, Transient
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings

DONE, SOME_FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
"""design.md: 0 done, 1 some failed, 2 usage or input, 3 a server is unreachable."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def say(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(text + "\n")


def say_json(value: object) -> None:
    """Indented JSON; keys stay in their order."""
    say(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def say_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A table on a terminal; tab-separated lines with a header otherwise."""
    if not sys.stdout.isatty():
        say("\t".join(columns))
        for row in rows:
            say("\t".join(_cell(row.get(column)) for column in columns))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console().print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)


def lasting_settings() -> Settings:
    """The settings of a service whose data outlives this process. Raises SettingsInvalid, in memory mode as well."""
    settings = Settings.read()
    if settings.storage != "server":
        raise SettingsInvalid([("HIP_STORAGE", "expected server: memory mode lives inside one `hip serve`")])
    return settings


def exits_as_promised(command: Callable[_P, _T]) -> Callable[_P, _T]:
    """Turns expected errors into one clear line and the promised exit code; bugs stay bugs."""

    @wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return command(*args, **kwargs)
        except SettingsInvalid as invalid:
            for name, expected in invalid.faults:
                complain(f"{name}: {expected}")
            raise typer.Exit(USAGE) from None
        except Transient as failure:
            complain(f"a server is unreachable: {failure}")
            raise typer.Exit(UNREACHABLE) from None
        except InvalidValue as fault:
            complain(str(fault))
            raise typer.Exit(USAGE) from None
        except DomainError as refusal:
            complain(f"{refusal.code} {refusal}")
            raise typer.Exit(SOME_FAILED) from None

    return run
