"""``hip bundle validate``: documents from files, streams and standard input, checked one after the other.

Memory is bounded by the largest document: NDJSON is read line by line, and what is over the limit is never read whole.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hip.adapters.fhir.validation.reading import MAX_BYTES
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.domain.bundles import Issue, Severity, ValidationReport
from hip.domain.errors import InvalidValue

_DONE, _SOME_INVALID, _USAGE = 0, 1, 2
_STDIN = "-"
# Below this number a bar would flash by.
_LONG_RUN = 20

Guide = Annotated[
    Path | None,
    typer.Option(metavar="FILE", envvar="HIP_GUIDE", help="A guide compiled by `hip ig compile`, in place of ours."),
]
MaxMb = Annotated[int, typer.Option(min=1, max=1024, help="The largest document read, in MiB.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document to check: where it came from, and its bytes, cut off just beyond the limit."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one document; ``unreadable`` says why a file could not be opened."""

    file: str
    report: ValidationReport = field(default_factory=ValidationReport)
    unreadable: str | None = None

    @property
    def valid(self) -> bool:
        return self.unreadable is None and self.report.valid

    def as_json(self) -> dict[str, Any]:
        """The promised shape: file, valid, issues with severity, rule, profile, path, found, expected, message, fix."""
        issues = (_unreadable(self.unreadable),) if self.unreadable is not None else self.report.issues
        return {"file": self.file, "valid": self.valid, "issues": [_issue(one) for one in issues]}


def validate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE... | -", help="Bundles as JSON, streams as .ndjson, or - for standard input."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array with every issue.")] = False,
    warnings: Annotated[bool, typer.Option("--warnings", help="Also list warnings, not only count them.")] = False,
    guide: Guide = None,
    max_mb: MaxMb = MAX_BYTES >> 20,
) -> None:
    """Check FHIR documents against base R4 and the NRCeS profiles.

    Exit 0 all valid, 1 some invalid, 2 bad usage or a file that cannot be read.
    """
    try:
        validator = NrcesValidator(guide=guide, max_bytes=max_mb << 20)
    except InvalidValue as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(_USAGE) from None
    verdicts = checked(files, validator, limit=max_mb << 20)
    with _progress(files) as advance:
        outcome = _report(_counted(verdicts, advance), as_json=as_json, warnings=warnings)
    if outcome != _DONE:
        raise typer.Exit(outcome)


def checked(files: Sequence[str], validator: NrcesValidator, *, limit: int) -> Iterator[Verdict]:
    """A verdict per document, in order; an NDJSON line is named ``file:number``. Nothing is raised for bad content."""
    for name in files:
        try:
            for document in _documents(name, limit):
                yield Verdict(file=document.name, report=validator.validate(document.content))
        except OSError as fault:
            yield Verdict(file=name, unreadable=fault.strerror or type(fault).__name__)


def _documents(name: str, limit: int) -> Iterator[Document]:
    if name == _STDIN:
        yield from _of_stream(name, sys.stdin.buffer, limit)
        return
    with Path(name).open("rb") as stream:
        if name.endswith(".ndjson"):
            yield from _lines(name, stream, limit, b"")
        else:
            yield Document(name=name, content=stream.read(limit + 1))


def _of_stream(name: str, stream: BinaryIO, limit: int) -> Iterator[Document]:
    """Standard input is NDJSON when its first line is a whole JSON object and something follows."""
    first = stream.readline(limit + 1)
    following = stream.read(1)
    if following and _is_object(first):
        yield from _lines(name, stream, limit, first, following)
    else:
        yield Document(name=name, content=first + following + stream.read(max(0, limit + 1 - len(first))))


def _is_object(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _lines(name: str, stream: BinaryIO, limit: int, first: bytes, following: bytes = b"") -> Iterator[Document]:
    """``first`` is a line already read, ``following`` the beginning of the next one."""
    number = 0
    line = first or _line(stream, limit)
    while line:
        number += 1
        if line.strip():
            yield Document(name=f"{name}:{number}", content=line.rstrip(b"\r\n"))
        line = following + _line(stream, limit) if following != b"\n" else b"\n"
        following = b""


def _line(stream: BinaryIO, limit: int) -> bytes:
    """One line; of one that is over the limit only its beginning, the rest is passed over."""
    line = part = stream.readline(limit + 1)
    while len(part) > limit and not part.endswith(b"\n"):
        part = stream.readline(limit + 1)
    return line


def _report(verdicts: Iterable[Verdict], *, as_json: bool, warnings: bool) -> int:
    outcome = _DONE
    first = True
    for verdict in verdicts:
        if verdict.unreadable is not None:
            outcome = _USAGE
            typer.echo(f"{verdict.file}: {verdict.unreadable}", err=True)
        elif not verdict.valid and outcome == _DONE:
            outcome = _SOME_INVALID
        if as_json:
            # Written as they come: a stream of a million documents is never held in memory.
            text = json.dumps(verdict.as_json(), ensure_ascii=False, indent=2)
            typer.echo(("[" if first else ",") + "\n" + text, nl=False)
        elif verdict.unreadable is None:
            typer.echo("\n".join(_plain(verdict, warnings=warnings)))
        first = False
    if as_json:
        typer.echo("[]" if first else "\n]")
    return outcome


def _plain(verdict: Verdict, *, warnings: bool) -> Iterator[str]:
    issues = verdict.report.issues
    errors = len(verdict.report.errors)
    noted = sum(1 for issue in issues if issue.severity is Severity.WARNING)
    summary = "valid" if verdict.valid else f"invalid, {errors} {'error' if errors == 1 else 'errors'}"
    yield f"{verdict.file}: {summary}" + (f", {noted} {'warning' if noted == 1 else 'warnings'}" if noted else "")
    for issue in issues:
        if issue.severity is Severity.ERROR or (warnings and issue.severity is Severity.WARNING):
            yield f"  {issue.severity} {issue.path} [{issue.rule}] {issue.message}"
            yield f"    found {issue.found}; expected {issue.expected}"
            yield f"    fix: {issue.fix}"


def _issue(issue: Issue) -> dict[str, str]:
    return {
        "severity": str(issue.severity),
        "rule": issue.rule,
        "profile": issue.profile,
        "path": issue.path,
        "found": issue.found,
        "expected": issue.expected,
        "message": issue.message,
        "fix": issue.fix,
    }


def _unreadable(reason: str | None) -> Issue:
    return Issue(
        severity=Severity.ERROR,
        rule="file-unreadable",
        profile="",
        path="Bundle",
        found=reason or "",
        expected="a file that can be read",
        message="the file could not be read",
        fix="correct the name, or the permissions",
    )


def _progress(files: Sequence[str]) -> AbstractContextManager[Callable[[], None]]:
    streams = any(name == _STDIN or name.endswith(".ndjson") for name in files)
    if not sys.stderr.isatty() or not (streams or len(files) >= _LONG_RUN):
        return nullcontext(lambda: None)
    return _bar(None if streams else len(files))


@contextmanager
def _bar(total: int | None) -> Iterator[Callable[[], None]]:
    """On standard error, so that what is piped on is the verdicts alone."""
    columns = (TextColumn("checking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    both = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=both) as progress:
        task = progress.add_task("checking", total=total)
        yield lambda: progress.advance(task)


def _counted(verdicts: Iterable[Verdict], advance: Callable[[], None]) -> Iterator[Verdict]:
    for verdict in verdicts:
        advance()
        yield verdict
