"""A page of a patient's app as lines: coloured on a terminal, plain and indented otherwise."""

import sys
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from hip.adapters.fhir.presentation.pages import Item, Page, Row, Section
from hip.adapters.fhir.presentation.words import spaced
from hip.entrypoints.cli.terminal import say

NA = "NA here"


def say_page(page: Page) -> None:
    """The whole page on standard output, and how many gaps it has."""
    gaps = len(page.gaps())
    lines = [*_page(page), (0, Text()), (0, _summary(gaps))]
    if not sys.stdout.isatty():
        for depth, line in lines:
            say(("  " * depth + line.plain).rstrip())
        return
    console = Console(highlight=False)
    for depth, line in lines:
        console.print(Text("  " * depth) + line, soft_wrap=True)


def _summary(gaps: int) -> Text:
    if not gaps:
        return Text("no gaps", style="green")
    return Text(f"{gaps} {'gap' if gaps == 1 else 'gaps'}: patient apps show NA there", style="bold yellow")


Line = tuple[int, Text]


def _page(page: Page) -> Iterator[Line]:
    yield 0, Text(page.title, style="bold")
    yield from _rows(page.rows, 1)
    for item in page.parties:
        yield from _item(item, 0)
    for section in page.sections:
        yield from _section(section, 0)
    if page.unplaced:
        yield 0, Text("In no section: apps do not show this", style="bold dim")
        for item in page.unplaced:
            yield from _item(item, 1)


def _section(section: Section, depth: int) -> Iterator[Line]:
    yield depth, Text(f"[{section.title}]", style="bold cyan")
    for line in section.narrative:
        yield depth + 1, Text(line)
    yield from _rows(section.rows, depth + 1)
    for item in section.items:
        yield from _item(item, depth + 1)
    for below in section.sections:
        yield from _section(below, depth + 1)


def _item(item: Item, depth: int) -> Iterator[Line]:
    yield depth, Text(spaced(item.kind), style="bold")
    yield from _rows(item.rows, depth + 1)
    for below in item.items:
        yield from _item(below, depth + 1)


def _rows(rows: tuple[Row, ...], depth: int) -> Iterator[Line]:
    for row in rows:
        label = Text(f"{row.label}: ", style="dim")
        if row.words is not None:
            # Not markup: a document's brackets are its own. Further lines of a note stay on the same row.
            yield depth, label + Text(" / ".join(row.words.splitlines()))
        else:
            yield (
                depth,
                label + Text(NA, style="bold yellow") + Text(f"  add {row.expected} at {row.path}", style="dim"),
            )
