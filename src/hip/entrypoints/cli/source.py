"""``hip source run | schema | prepare | sample | import``: visits from AMRIT's own database, and its documents."""

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec
from typing import Annotated

import typer

from hip.domain.errors import Transient
from hip.domain.identifiers import HipId
from hip.entrypoints.cli import existing
from hip.entrypoints.cli.terminal import exits_as_promised, lasting_settings, say
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings

app = typer.Typer(help="Visits from AMRIT's own database, and its documents.", no_args_is_help=True)
app.command("import")(existing.import_documents)

_LONGEST_PAUSE = timedelta(minutes=1)
"""Between two claims while a store does not answer: each claim counts as a look at its rows."""


class Dialect(StrEnum):
    """Whose SQL."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


OfDialect = Annotated[Dialect, typer.Option("--dialect", help="Whose SQL; MariaDB reads mysql.")]


def _settings() -> tuple[Settings, str]:
    settings = lasting_settings()
    if settings.visit_source != "amrit":
        raise SettingsInvalid([("HIP_VISIT_SOURCE", "expected amrit for this command")])
    if settings.amrit_url is None:
        raise SettingsInvalid([("HIP_AMRIT_URL", "required")])
    url = settings.amrit_url.get_secret_value()
    driver = url.partition("://")[0].partition("+")[2]
    if find_spec(driver) is None:
        raise SettingsInvalid([("HIP_AMRIT_URL", f"needs the driver {driver}: pip install 'abdm-hip[mysql]'")])
    return settings, url


@app.command("schema")
@exits_as_promised
def schema(dialect: OfDialect = Dialect.POSTGRESQL) -> None:
    """SQL that makes a small database of AMRIT's shape: trigger table, tables, views and routines."""
    from hip.adapters.amrit.sample_layout import script
    from hip.entrypoints.wiring import amrit_names

    say(script(amrit_names(Settings.read()), dialect.value))


@app.command("prepare")
@exits_as_promised
def prepare(dialect: OfDialect = Dialect.MYSQL) -> None:
    """SQL that an existing AMRIT database needs once: our columns on the trigger table, and their index."""
    from hip.adapters.amrit.tables import preparation
    from hip.entrypoints.wiring import amrit_names

    say(preparation(amrit_names(Settings.read()), dialect.value))


@app.command("sample")
@exits_as_promised
def sample(
    visits: Annotated[int, typer.Option(min=1, help="How many visits.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed, the same visits.")] = 1,
    first: Annotated[int, typer.Option(min=1, help="The number of the first; 1 also makes the tables.")] = 1,
) -> None:
    """Fill an empty database with invented visits; never one with patients in it."""
    from hip.adapters.amrit.sample_database import fill, make
    from hip.entrypoints.wiring import amrit_names

    settings, url = _settings()
    settings.require("facilities")
    names = amrit_names(settings)

    async def run() -> None:
        if first == 1:
            await make(url, names)
        facility = HipId(settings.facilities[0].id)
        await fill(url, names, count=visits, seed=seed, facility=facility, first=first)

    asyncio.run(run())
    say(f"{visits} visits written")


@app.command("run")
@exits_as_promised
def run(once: Annotated[bool, typer.Option("--once", help="Stop when nothing is due.")] = False) -> None:
    """Take visits as they become ready, until SIGTERM; any number may run. Workers make the bundles.

    What is taken and not finished at a SIGTERM is put back for the next one; --once leaves it alone for ten minutes.
    """
    settings, url = _settings()
    taken = asyncio.run(_run(settings, url, once=once))
    say(f"{taken} visits taken")


async def _run(settings: Settings, url: str, *, once: bool) -> int:
    from hip.adapters.amrit.source import AmritVisitSource
    from hip.application.source_rounds import MOST_UNFINISHED, AttendSource
    from hip.application.visit_sources import SettleVisits, TakeVisits
    from hip.entrypoints.container import adapters_for, opened, use_cases
    from hip.entrypoints.logs import configure, log
    from hip.entrypoints.wiring import amrit_names, waits

    configure()
    adapters, scaled = adapters_for(settings), waits(settings)
    source = AmritVisitSource(url, amrit_names(settings))
    receive, clock = use_cases(adapters, settings).receive_visits(), adapters.clock()
    attend = AttendSource(
        source=source,
        take=TakeVisits(source=source, receive=receive, clock=clock),
        settle=SettleVisits(source=source, units=adapters.units(), clock=clock),
        clock=clock,
        late_every=scaled.late_results,
        most_unfinished=sys.maxsize if once else MOST_UNFINISHED,
    )
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    failures = 0
    checked = False
    try:
        async with opened(adapters):
            while not stop.is_set():
                before, ended = attend.taken, 0
                try:
                    if not checked:
                        await source.check()
                        checked = True
                    ended = await attend()
                    failures = 0
                except Transient as failure:
                    log.warning("source-waits", component="source", error=type(failure).__name__)
                    failures += 1
                new = attend.taken - before
                if once and not new:
                    break
                if failures:
                    await _rest(stop, min(timedelta(seconds=1 << min(failures - 1, 16)), _LONGEST_PAUSE))
                elif not new and not ended:
                    await _rest(stop, scaled.poll)
            if stop.is_set():
                await attend.leave()
    finally:
        await source.close()
    return attend.taken


async def _rest(stop: asyncio.Event, pause: timedelta) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(pause.total_seconds()):
            await stop.wait()
