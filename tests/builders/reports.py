"""Certification runs in memory and what their reports hold once times and ids are taken out."""

import asyncio
import re
from pathlib import Path

from hip.adapters.clock import system_clock
from hip.entrypoints.certify.catalogue import Case
from hip.entrypoints.certify.grounds import Arrange, memory_ground
from hip.entrypoints.certify.report.facts import Asked, facts
from hip.entrypoints.certify.report.writing import write_report
from hip.entrypoints.certify.running import Result, Run
from hip.entrypoints.settings import Settings

_VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b"), "TIME"),
    (re.compile(r'(?<="seconds": )[\d.]+|(?<=time=")[\d.]+'), "SECONDS"),
)


def played(
    cases: tuple[Case, ...], *, seed: int = 1, twins: bool = True, arrange: Arrange | None = None
) -> tuple[list[Result], Settings]:
    """A run in memory, and the settings of the service it ran on."""

    async def play() -> tuple[list[Result], Settings]:
        async with memory_ground(arrange=arrange) as ground:
            results = await Run(cases=cases, seed=seed, tell=lambda _: None, twins=twins).play(ground)
            return results, ground.stage.settings

    return asyncio.run(play())


def reported(folder: Path, results: list[Result], settings: Settings, *, seed: int = 1) -> Path:
    """The report of a run in ``folder``."""
    now = system_clock()
    write_report(folder, results, facts(Asked(mode="memory", seed=seed, started=now, finished=now), settings))
    return folder


def normalised(folder: Path) -> dict[str, str]:
    """Every file of a report but the archive and the hashes, without times and ids."""
    texts: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in ("SHA256SUMS", "evidence.zip"):
            text = path.read_text(encoding="utf-8")
            for varying, word in _VARYING:
                text = varying.sub(word, text)
            texts[str(path.relative_to(folder))] = text
    return texts
