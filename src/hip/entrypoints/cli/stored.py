"""``list`` and ``show`` of everything that is stored, with ``--hip --since --json``."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hip.application.storage import Listing
from hip.domain.errors import InvalidValue, NotFound
from hip.domain.identifiers import HipId
from hip.entrypoints.cli.terminal import complain, exits_as_promised, lasting_settings, say_json, say_table
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored import Stored, counted, found, listed
from hip.entrypoints.views import Shown

if TYPE_CHECKING:
    from hip.entrypoints.container import AnyAdapters

_LONGEST = 600
"""Characters of an id: one of a bundle is made of three."""

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
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidValue("--since", "a date and time such as 2026-03-12T10:00:00Z") from None


def given_id(text: str, *, field: str = "ID") -> str:
    """What may be the id of something stored. Raises InvalidValue: no database takes half of a character."""
    if not 0 < len(text) <= _LONGEST or not text.isprintable():
        raise InvalidValue(field, "an id, as `list` shows it")
    return text


def given_hip(text: str | None) -> HipId | None:
    """Raises InvalidValue."""
    return None if text is None else HipId(given_id(text, field="--hip"))


async def found_in(stored: Stored, key: str, hip: str | None, settings: Settings) -> tuple[HipId, Shown]:
    """The HIP that holds it, and what is shown of it. Raises NotFound, InvalidValue for what can be no id."""
    from hip.entrypoints.container import adapters_for, opened

    given_id(key)
    adapters = adapters_for(settings)
    async with opened(adapters):
        hips = [only] if (only := given_hip(hip)) else [facility.hip_id for facility in adapters.facilities().all()]
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
        say_if_a_stranger(adapters, listing.hip_id, rows)
        if stored.watched:
            hips = {facility.hip_id for facility in adapters.facilities().all()}
            hips = (hips if listing.hip_id is None else hips & {listing.hip_id}) | {row["hipId"] for row in rows}
            explain_release = use_cases(adapters, settings).explain_release()
            await explain_release.listed(counted(rows, sorted(hips)), stored.plural, listing, actor="command line")
    return rows


def say_if_a_stranger(adapters: "AnyAdapters", hip_id: HipId | None, rows: Sequence[Shown]) -> None:
    """Nothing of a HIP that is none of ours is no good news, but most likely a mistyped id.

    One that was ours once is listed as long as there is anything of it.
    """
    if hip_id is not None and not rows and adapters.facilities().find(hip_id) is None:
        complain(f"--hip: {hip_id} is no facility of this service")


def commands(stored: Stored, *, help_text: str, lists: bool = True) -> typer.Typer:
    """A sub-command with ``list`` (unless it has one of its own) and ``show``; more can be added to it."""
    app = typer.Typer(help=help_text, no_args_is_help=True)

    @exits_as_promised
    def list_stored(hip: Hip = None, since: Since = None, limit: Limit = 100, as_json: AsJson = False) -> None:
        settings = lasting_settings()
        listing = Listing(hip_id=given_hip(hip), since=since_time(since), limit=limit)
        rows = asyncio.run(_listed(stored, listing, settings))
        say_json(rows) if as_json else say_table(rows, stored.columns)

    if lists:
        app.command("list", help=f"{stored.name.capitalize()}s, newest first.")(list_stored)

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
