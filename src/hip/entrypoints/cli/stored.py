"""``list`` and ``show`` of everything that is stored, with ``--hip --since --json``."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hip.application.storage import Listing
from hip.domain.errors import InvalidValue, NotFound
from hip.domain.identifiers import HipId
from hip.entrypoints.cli.terminal import exits_as_promised, lasting_settings, say_json, say_table
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored import Stored, counted, found, listed
from hip.entrypoints.views import Shown

Hip = Annotated[str | None, typer.Option("--hip", help="Only this HIP id.")]
Since = Annotated[str | None, typer.Option("--since", help="Only what is newer, as RFC 3339 (2026-03-12T10:00:00Z).")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many, newest first.")]


def since_time(text: str | None) -> datetime | None:
    """Raises InvalidValue; a time without a zone is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue("--since", "a date and time such as 2026-03-12T10:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def found_in(stored: Stored, key: str, hip: str | None, settings: Settings) -> tuple[HipId, Shown]:
    """The HIP that holds it, and what is shown of it. Raises NotFound."""
    from hip.entrypoints.container import adapters_for, opened

    adapters = adapters_for(settings)
    async with opened(adapters):
        hips = [HipId(hip)] if hip else [facility.hip_id for facility in adapters.facilities().all()]
        held = await found(stored, adapters.units(), adapters.bundles(), hips, key)
    if held is None:
        raise NotFound(stored.name, key)
    return held


async def _shown(stored: Stored, key: str, hip: str | None, settings: Settings) -> Shown:
    from hip.entrypoints.container import running

    hip_id, shown = await found_in(stored, key, hip, settings)
    if stored.watched:
        async with running(settings) as uses:
            await uses.explain_release().viewed(hip_id, stored.name, key, actor="command line")
    return shown


async def _listed(stored: Stored, listing: Listing, settings: Settings) -> Sequence[Shown]:
    from hip.entrypoints.container import adapters_for, opened, use_cases

    adapters = adapters_for(settings)
    async with opened(adapters):
        rows = await listed(stored, adapters.units(), adapters.bundles(), [listing])
        if stored.watched:
            hips = {facility.hip_id for facility in adapters.facilities().all()}
            hips = (hips if listing.hip_id is None else hips & {listing.hip_id}) | {row["hipId"] for row in rows}
            explain_release = use_cases(adapters, settings).explain_release()
            await explain_release.listed(counted(rows, sorted(hips)), stored.plural, listing, actor="command line")
    return rows


def commands(stored: Stored, *, help_text: str) -> typer.Typer:
    """A sub-command with ``list`` and ``show``; more can be added to it."""
    app = typer.Typer(help=help_text, no_args_is_help=True)

    @app.command("list", help=f"{stored.name.capitalize()}s, newest first.")
    @exits_as_promised
    def list_stored(hip: Hip = None, since: Since = None, limit: Limit = 100, as_json: AsJson = False) -> None:
        settings = lasting_settings()
        listing = Listing(hip_id=HipId(hip) if hip else None, since=since_time(since), limit=limit)

        rows = asyncio.run(_listed(stored, listing, settings))
        say_json(rows) if as_json else say_table(rows, stored.columns)

    @app.command("show", help=f"One {stored.name}, whole.")
    @exits_as_promised
    def show_stored(
        key: Annotated[str, typer.Argument(metavar="ID")], hip: Hip = None, as_json: AsJson = False
    ) -> None:
        shown = asyncio.run(_shown(stored, key, hip, lasting_settings()))
        say_json(shown) if as_json else _say_fields(shown)

    return app


def _say_fields(shown: dict[str, Any]) -> None:
    plain = [{"field": k, "value": v} for k, v in shown.items() if not _nested(v)]
    say_table(plain, ("field", "value"))
    for value in (v for v in shown.values() if _nested(v)):
        say_table(value, tuple(value[0]))


def _nested(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
