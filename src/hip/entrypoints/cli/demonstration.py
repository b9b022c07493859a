"""``hip demo`` and ``hip sandbox``: the whole of milestone M2 on one machine."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.console import Console
from rich.table import Table

from hip.entrypoints.cli.terminal import SOME_FAILED, exits_as_promised, say, say_json

if TYPE_CHECKING:
    from hip.entrypoints.demo.stages import Stage
    from hip.entrypoints.demo.story import StepResult

DEMO_SCALE = 0.1
"""Waits of the demonstration: the order of things is real, the pauses between them are a tenth."""


class Names(StrEnum):
    """As HIP_NAMES has them."""

    SEED = "seed"
    AMRIT = "amrit"


class _Reporter:
    """Lines as things happen; on a terminal with a spinner meanwhile and the table at the end."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console()
        self._live = self._console.is_terminal and not as_json
        self._status = self._console.status("starting") if self._live else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    def rest(self) -> None:
        """No spinner from here on, however it ended: it hides the cursor while it turns."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def line(self, text: str) -> None:
        """Progress that is no step of the story."""
        if self._status is not None:
            self._status.update(text)
        elif not self.as_json:
            say(f"        {text}")
            sys.stdout.flush()

    def step(self, result: "StepResult") -> None:
        """A step that has ended."""
        mark = "ok" if result.held else "FAILED"
        if self._status is not None:
            self._status.update(f"{result.step}: {mark}")
        elif not self.as_json:
            say(f"{mark:>6}  {result.number:>2}. {result.step}: {result.outcome} ({result.seconds:.2f} s)")
            sys.stdout.flush()

    def end(self, mode: str, results: "list[StepResult]", *, held: bool, seconds: float) -> None:
        """Everything once more, as a table or as JSON."""
        self.rest()
        if self.as_json:
            say_json({"mode": mode, "held": held, "seconds": round(seconds, 3), "steps": [_shown(r) for r in results]})
            return
        if self._live:
            table = Table("", "step", "outcome", "seconds", title=f"ABDM milestone M2, {mode} mode")
            for result in results:
                mark = "[green]✓[/]" if result.held else "[red]✗[/]"
                table.add_row(mark, result.step, result.outcome, f"{result.seconds:.2f}")
            self._console.print(table)
        verdict = "every expectation held" if held else "an expectation did not hold"
        say(f"{verdict}; {len(results)} steps in {seconds:.1f} s ({mode} mode)")


def _shown(result: "StepResult") -> dict[str, Any]:
    return {
        "number": result.number,
        "step": result.step,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 3),
        "held": result.held,
    }


Staged = Callable[[], AbstractAsyncContextManager["Stage"]]


async def _play(staged: Staged, reporter: _Reporter, *, stay: bool, story_too: bool) -> bool:
    from hip.entrypoints.demo.story import Story, introduce

    began, held = time.perf_counter(), True
    async with staged() as stage:
        if story_too:
            story = Story(stage=stage, tell=reporter.step)
            held = await story.play()
            reporter.end(stage.mode, story.results, held=held, seconds=time.perf_counter() - began)
        else:
            accounts = await introduce(stage)
            reporter.rest()
            reporter.line(f"{accounts} ABHA accounts are known to the gateway; the folder's visits are kept")
        if stay and held:
            await _stay(stage)
    return held


async def _stay(stage: "Stage") -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    say("The sandbox stays up; stop it with Ctrl-C.")
    for name, address in stage.addresses.items():
        say(f"  {name:<12} {address}")
    say("  HMIS API key: sandbox (header X-API-Key); OpenAPI at /schema")
    sys.stdout.flush()
    while not stop.is_set():
        stage.require_running()
        try:
            async with asyncio.timeout(1):
                await stop.wait()
        except TimeoutError:
            continue


@exits_as_promised
def demo(
    memory: Annotated[bool, typer.Option("--memory", help="Everything in this process, without servers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object at the end.")] = False,
    names: Annotated[Names, typer.Option("--names", help="What tables and collections are called.")] = Names.SEED,
) -> None:
    """The whole main job once, end to end. Exit 0 only if the requester decrypted byte-identical bundles."""
    from hip.entrypoints.embedded.places import fresh_folder

    if memory and names is not Names.SEED:
        raise typer.BadParameter("--memory has no tables and collections to be named")
    with _Reporter(as_json=as_json) as reporter:
        if memory:
            held = asyncio.run(_play(_memory, reporter, stay=False, story_too=True))
        else:
            with fresh_folder() as folder:
                stage = _server(folder, reporter, names)
                held = asyncio.run(_play(stage, reporter, stay=False, story_too=True))
    if not held:
        raise typer.Exit(SOME_FAILED)


@exits_as_promised
def sandbox(
    folder: Annotated[Path, typer.Option("--folder", help="Data folder, kept between runs.")] = Path("var/sandbox"),
) -> None:
    """The same, staying up: embedded servers, gateway, requester, patient's app and our processes."""
    # The gateway forgets at each start while our books do not: the story only fits an empty folder.
    first = not folder.exists()
    with _Reporter(as_json=False) as reporter:
        held = asyncio.run(_play(_server(folder, reporter), reporter, stay=True, story_too=first))
    if not held:
        raise typer.Exit(SOME_FAILED)


def _memory() -> AbstractAsyncContextManager["Stage"]:
    from hip.entrypoints.demo.stages import memory_stage

    return memory_stage(wait_scale=DEMO_SCALE)


def _server(folder: Path, reporter: _Reporter, names: Names = Names.SEED) -> Staged:
    from hip.entrypoints.demo.stages import server_stage

    settings = {"HIP_NAMES": names.value}
    return lambda: server_stage(folder, wait_scale=DEMO_SCALE, report=reporter.line, settings=settings)
