"""``hip transfers list | show | retry``."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from hip.application.storage import Listing, Units
from hip.domain.errors import DomainError, InvalidValue, NotFound
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.transfers import TransferOutcome, TransferState
from hip.entrypoints.cli.stored import AsJson, Hip, Since, commands, since_time
from hip.entrypoints.cli.terminal import SOME_FAILED, exits_as_promised, say, say_json
from hip.entrypoints.container import adapters_for, opened, use_cases
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored import TRANSFERS
from hip.entrypoints.views import Shown

app = commands(TRANSFERS, help_text="Transfers of health information to requesters.")

_MANY = 10_000


@app.command("retry")
@exits_as_promised
def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Transaction ids.")] = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="Every dead or failed transfer.")] = False,
    since: Since = None,
    hip: Hip = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be retried, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run dead or failed transfers again from the step they had reached; the release gate is asked again."""
    if bool(ids) == all_failed:
        raise InvalidValue("ID", "transaction ids, or --all-failed")
    settings = Settings.read()
    listing = Listing(hip_id=HipId(hip) if hip else None, since=since_time(since), limit=_MANY)
    results = asyncio.run(_retry(settings, ids or [], listing, dry_run=dry_run))
    if as_json:
        say_json(results)
    else:
        for result in results:
            say(f"{result['transactionId']}\t{result['result']}")
    if any(result["failed"] for result in results):
        raise typer.Exit(SOME_FAILED)


async def _retry(settings: Settings, ids: Sequence[str], listing: Listing, *, dry_run: bool) -> list[Shown]:
    adapters = adapters_for(settings)
    results: list[Shown] = []
    async with opened(adapters):
        retry_transfer = use_cases(adapters, settings).retry_transfer()
        for hip_id, transaction_id in await _chosen(adapters.units(), adapters.facilities().all(), ids, listing):
            failed, result = False, "would be retried"
            if not dry_run:
                try:
                    transfer = await retry_transfer(hip_id, transaction_id, actor="command line")
                    result = f"retried from {transfer.state}"
                except DomainError as refusal:
                    failed, result = True, str(refusal)
            results.append({"hipId": hip_id, "transactionId": transaction_id, "result": result, "failed": failed})
    return results


async def _chosen(
    units: Units, facilities: Sequence[Facility], ids: Sequence[str], listing: Listing
) -> list[tuple[HipId, TransactionId]]:
    """The transfers meant. Raises NotFound for an id that no HIP here knows."""
    async with units() as uow:
        if not ids:
            dead = await uow.transfers.list(listing, state=TransferState.DEAD)
            failed = await uow.transfers.list(listing, state=TransferState.DONE, outcome=TransferOutcome.FAILED)
            return [(t.hip_id, t.transaction_id) for t in (*dead, *failed) if t.refusal is None]
        hips = [listing.hip_id] if listing.hip_id else [facility.hip_id for facility in facilities]
        chosen: list[tuple[HipId, TransactionId]] = []
        for key in ids:
            found = [h for h in hips if await uow.transfers.get(h, TransactionId(key)) is not None]
            if not found:
                raise NotFound("transfer", key)
            chosen.append((found[0], TransactionId(key)))
    return chosen
