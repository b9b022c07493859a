"""How far `hip certify` is, and what came of it."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from hip.entrypoints.cli.terminal import say

if TYPE_CHECKING:
    from hip.entrypoints.certify.running import Result


class Progress:
    """A bar on a terminal, a line for each case otherwise; ``plain`` gives lines there too."""

    def __init__(self, *, total: int, plain: bool = False) -> None:
        console = Console()
        self._bar = Bar(console=console, transient=True) if console.is_terminal and not plain else None
        self._task = self._bar.add_task("cases", total=total) if self._bar is not None else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def line(self, text: str) -> None:
        """What is prepared meanwhile."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=text)
        else:
            self._say(f"          {text}")

    def ended(self, result: "Result") -> None:
        """One case is over."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=1, description=result.case.key)
        else:
            self._say(f"{result.word:>8}  {result.case.key} ({result.seconds:.2f} s)")

    @staticmethod
    def _say(text: str) -> None:
        say(text)
        sys.stdout.flush()


def summary(results: "Sequence[Result]", *, mode: str, seconds: float) -> None:
    """Every case once more as a table on a terminal; what is wrong, and the figures."""
    from hip.entrypoints.certify.verdicts import tally, troubles

    if sys.stdout.isatty():
        table = Table("case", "level", "", "shown", "twins", "seconds", title=f"ABDM milestone M2, {mode} mode")
        for result in results:
            colour = {"held": "green", "FAILED": "red", "replaced": "dim"}[result.word]
            twins = f"{sum(twin.right for twin in result.twins)} of {len(result.twins)}" if result.twins else ""
            shown = str(len(result.shown)) if result.played else ""
            table.add_row(
                result.case.key,
                result.case.level,
                f"[{colour}]{result.word}[/]",
                shown,
                twins,
                f"{result.seconds:.2f}" if result.played else "",
            )
        Console().print(table)
    for line in troubles(results):
        say(line)
    say(f"{tally(results)}; {seconds:.1f} s ({mode} mode)")
