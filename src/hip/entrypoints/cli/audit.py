"""``hip audit verify | anchor | export``: prove the audit, note its end elsewhere, hand it to an auditor."""

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO, TypeVar

import typer

from hip.adapters.clock import system_clock
from hip.application.audit import AuditTrail
from hip.domain.audit import AuditHead, AuditLink, BrokenLink
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import HipId
from hip.entrypoints.cli.stored import AsJson, Hip, Since, since_time
from hip.entrypoints.cli.terminal import SOME_FAILED, exits_as_promised, lasting_settings, say, say_json
from hip.entrypoints.settings import Settings

app = typer.Typer(help="The append-only audit, a hash chain for each HIP.", no_args_is_help=True)

_T = TypeVar("_T")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="A file instead of the terminal.")]


@app.command("verify")
@exits_as_promised
def verify(
    hip: Hip = None,
    anchors: Annotated[
        list[Path] | None, typer.Option("--anchors", metavar="FILE", help="Lines that `hip audit anchor` wrote.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every chain from its first entry. Exit 0 whole, 1 with the first broken entry named.

    Anchors that were kept elsewhere also find a chain whose end was cut off or that was written anew as a whole.
    """
    kept = [anchor for path in anchors or () for anchor in _anchors_in(path)]
    settings = lasting_settings()

    async def check(trail: AuditTrail) -> list[BrokenLink | AuditHead]:
        hips = {HipId(hip)} if hip else {head.hip_id for head in (*await trail.heads(), *kept)}
        return [await trail.verify(each, kept) for each in sorted(hips)]

    verdicts = asyncio.run(_with_trail(settings, check))
    if as_json:
        say_json([_verdict(each) for each in verdicts])
    else:
        for each in verdicts:
            say(_said(each))
    if any(isinstance(each, BrokenLink) for each in verdicts):
        raise typer.Exit(SOME_FAILED)


@app.command("anchor")
@exits_as_promised
def anchor(hip: Hip = None, output: _Output = None) -> None:
    """Note the end of each chain as one JSON line. Keep the lines where nobody who can write to Postgres can.

    ``-o`` adds to the file.
    """
    heads = asyncio.run(_with_trail(lasting_settings(), lambda trail: trail.heads(HipId(hip) if hip else None)))
    now = system_clock()
    lines = [
        json.dumps({"hipId": head.hip_id, "sequence": head.sequence, "digest": head.digest, "at": _text(now)})
        for head in heads
    ]
    with _writing(output, "a") as file:
        file.writelines(f"{line}\n" for line in lines)


@app.command("export")
@exits_as_promised
def export(hip: Hip = None, since: Since = None, output: _Output = None) -> None:
    """Write the audit as NDJSON, chain by chain in order, each line with its digest and the one before it.

    That you did so is written to the audit first.
    """
    start = since_time(since)

    async def write(trail: AuditTrail) -> None:
        hips = [HipId(hip)] if hip else [head.hip_id for head in await trail.heads()]
        with _writing(output, "w") as file:
            for each in hips:
                await trail.exported(each, actor="command line", now=system_clock())
                async for link in trail.links(each):
                    if start is None or link.entry.at >= start:
                        file.write(json.dumps(_line(link), ensure_ascii=False) + "\n")

    asyncio.run(_with_trail(lasting_settings(), write))


async def _with_trail(settings: Settings, work: Callable[[AuditTrail], Awaitable[_T]]) -> _T:
    from hip.entrypoints.container import adapters_for, opened

    adapters = adapters_for(settings)
    async with opened(adapters):
        return await work(AuditTrail(adapters.units()))


@contextmanager
def _writing(output: Path | None, mode: Literal["a", "w"]) -> Iterator[TextIO]:
    """Raises InvalidValue for a file that cannot be written."""
    if output is None:
        yield sys.stdout
        return
    try:
        with output.open(mode, encoding="utf-8") as file:
            yield file
    except OSError as fault:
        raise InvalidValue(f"-o {output}", f"a file that can be written ({fault.strerror})") from None


def _anchors_in(path: Path) -> Sequence[AuditHead]:
    """Raises InvalidValue naming the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InvalidValue(f"--anchors {path}", "a readable text file") from None
    return [_anchor(line, field=f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _anchor(line: str, *, field: str) -> AuditHead:
    try:
        found = json.loads(line)
        hip_id, sequence, digest = found["hipId"], found["sequence"], found["digest"]
    except (ValueError, TypeError, LookupError):
        hip_id = sequence = digest = None
    if not (
        isinstance(hip_id, str)
        and isinstance(sequence, int)
        and sequence >= 0
        and isinstance(digest, str)
        and _DIGEST.fullmatch(digest)
    ):
        raise InvalidValue(field, "a line of `hip audit anchor`")
    return AuditHead(hip_id=HipId(hip_id), sequence=sequence, digest=digest)


def _line(link: AuditLink) -> dict[str, Any]:
    entry = link.entry
    return {
        "hipId": entry.hip_id,
        "sequence": link.sequence,
        "at": _text(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": [list(pair) for pair in entry.detail],
        "previous": link.previous,
        "digest": link.digest,
    }


def _verdict(found: BrokenLink | AuditHead) -> dict[str, Any]:
    if isinstance(found, BrokenLink):
        return {"hipId": found.hip_id, "whole": False, "brokenAt": found.sequence, "reason": found.reason}
    return {"hipId": found.hip_id, "whole": True, "entries": found.sequence, "digest": found.digest}


def _said(found: BrokenLink | AuditHead) -> str:
    if isinstance(found, BrokenLink):
        return f"{found.hip_id}\tBROKEN\tentry {found.sequence}: {found.reason}"
    return f"{found.hip_id}\twhole\t{found.sequence} entries, last {found.digest}"


def _text(at: datetime) -> str:
    """As in the canonical bytes of an entry."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
