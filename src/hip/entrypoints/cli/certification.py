"""``hip certify``: the milestone's test cases, run by one command."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hip.domain.errors import InvalidValue
from hip.entrypoints.cli.certification_progress import Progress, summary
from hip.entrypoints.cli.terminal import SOME_FAILED, exits_as_promised, say, say_json, say_table
from hip.entrypoints.settings import SANDBOX_KEY, Settings

if TYPE_CHECKING:
    from hip.entrypoints.certify.catalogue import Case
    from hip.entrypoints.certify.running import Ground, Result, Run


class _RunByDefault(TyperGroup):
    """``hip certify CASE`` and ``hip certify --memory`` mean ``hip certify run``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] != "--help" and args[0] not in self.commands):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_RunByDefault, help="Run the test cases of milestone M2 and keep the evidence.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[CASE]...", help="Ids of `hip certify list`; else all.")]


@app.callback()
def certify() -> None:
    """Run the test cases of milestone M2. Without a command: `run`."""


@app.command("list")
@exits_as_promised
def list_cases(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Every case: its id as NHA spells it, whether it is mandatory, and what is shown."""
    import msgspec

    from hip.entrypoints.certify.catalogue import cases

    if as_json:
        say_json([msgspec.to_builtins(case) for case in cases()])
        return
    rows = [{"case": c.key, "level": c.level, "wording": c.wording, "title": c.title} for c in cases()]
    say_table(rows, ("case", "level", "wording", "title"))


@app.command("show")
@exits_as_promised
def show_case(name: Annotated[str, typer.Argument(metavar="CASE", help="An id of `hip certify list`.")]) -> None:
    """One case: its steps, what is expected, where it is written, and how it is made to fail."""
    from hip.entrypoints.certify.catalogue import chosen

    for case in chosen([name]):
        for line in _described(case):
            say(line)


def _described(case: "Case") -> Sequence[str]:
    wording = {"published": "published", "group": "published for a range of ids", "unpublished": "not published"}
    return [
        f"{case.key}  {case.title}",
        f"  level     {case.level}",
        f"  wording   {wording[case.wording]}",
        f"  written   {case.section}",
        *(f"  step      {step}" for step in case.steps),
        f"  expected  {case.expected}",
        *([f"  rules     {', '.join(case.rules)}"] if case.rules else []),
        *([f"  note      {case.note}"] if case.note else []),
        *(f"  twin      {twin.changed} It must fail at {twin.fails}." for twin in case.twins),
        *(f"  by hand   {step.ask}" for step in case.by_hand),
    ]


@app.command("run")
@exits_as_promised
def run_cases(
    names: Names = None,
    memory: Annotated[bool, typer.Option("--memory", help="Everything in this process (the default).")] = False,
    server: Annotated[bool, typer.Option("--server", help="Embedded real servers and real processes.")] = False,
    against: Annotated[
        str, typer.Option("--against", metavar="URL", help="A running deployment; a person acts in a patient's app.")
    ] = "",
    gateway: Annotated[
        str, typer.Option("--gateway", help="With --against: what stands behind it; `sandbox` is ABDM's.")
    ] = "sandbox",
    key: Annotated[
        str, typer.Option("--key", envvar="HIP_CERTIFY_KEY", help="With --against: a key of its API.")
    ] = SANDBOX_KEY,
    timeout: Annotated[float, typer.Option("--timeout", help="With --against: seconds for each step.")] = 600.0,
    state: Annotated[
        Path, typer.Option("--state", metavar="FILE", help="With --against: what was done so far.")
    ] = Path("var/certify.json"),
    report: Annotated[Path | None, typer.Option("--report", metavar="DIR", help="Write the evidence there.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides the invented patients.")] = 1,
) -> None:
    """Run cases, and the twins that must fail. Exit 0 only if all that are mandatory hold.

    With --against nothing is played by machines: each step is asked for, watched or confirmed, and written down in the
    state file, so that the same command goes on where it was broken off.
    """
    from hip.adapters.clock import system_clock
    from hip.entrypoints.certify.catalogue import chosen
    from hip.entrypoints.certify.report.facts import Asked, facts
    from hip.entrypoints.certify.report.writing import require_ours, write_report
    from hip.entrypoints.certify.running import Run
    from hip.entrypoints.cli.certification_by_hand import ByHand

    if memory + server + bool(against) > 1:
        raise InvalidValue("--against", "one of --memory, --server and --against")
    if gateway != "sandbox":
        raise InvalidValue("--gateway", "sandbox: production has no test patients")
    if report is not None:
        require_ours(report)
    mode = "against" if against else "server" if server else "memory"
    selected, began, started = chosen(names or ()), time.perf_counter(), system_clock()
    settings: Settings | None = None
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(total=len(selected), plain=bool(against)))
        if against:
            hand = ByHand(against=against, key=key, seconds=timeout, state=state)
            results = asyncio.run(hand.play(selected, progress.ended))
        else:
            run = Run(cases=selected, seed=seed, tell=progress.ended)
            results, settings = asyncio.run(_play(run, _server(stack, progress) if server else _memory()))
    summary(results, mode=mode, seconds=time.perf_counter() - began)
    if report is not None:
        said = facts(Asked(mode=mode, seed=seed, started=started, finished=system_clock()), settings)
        say(f"the evidence is in {write_report(report, results, said)}")
    if not all(result.held for result in results if result.case.required):
        raise typer.Exit(SOME_FAILED)


async def _play(run: "Run", ground: "AbstractAsyncContextManager[Ground]") -> "tuple[list[Result], Settings]":
    async with ground as opened:
        return await run.play(opened), opened.stage.settings


def _memory() -> "AbstractAsyncContextManager[Ground]":
    from hip.entrypoints.certify.grounds import memory_ground

    return memory_ground()


def _server(stack: ExitStack, progress: "Progress") -> "AbstractAsyncContextManager[Ground]":
    from hip.entrypoints.certify.grounds import server_ground
    from hip.entrypoints.embedded.places import fresh_folder

    return server_ground(Path(stack.enter_context(fresh_folder())), progress.line)
