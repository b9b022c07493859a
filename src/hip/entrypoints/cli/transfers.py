"""``hip transfers list | show | explain | retry``."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from hip.application.explanations import Explanation
from hip.application.storage import Listing, Units
from hip.domain.errors import DomainError, InvalidValue, NotFound
from hip.domain.facilities import Facility
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.transfers import Transfer, TransferOutcome, TransferState
from hip.entrypoints.cli.decisions import explained
from hip.entrypoints.cli.stored import AsJson, Hip, Since, commands, found_in, since_time
from hip.entrypoints.cli.terminal import SOME_FAILED, exits_as_promised, lasting_settings, say, say_json
from hip.entrypoints.release_views import decision_view, transfer_view
from hip.entrypoints.settings import Settings
from hip.entrypoints.stored_records import TRANSFERS
from hip.entrypoints.views import Shown

app = commands(TRANSFERS, help_text="Transfers of health information to requesters.")

_MANY = 10_000


@app.command("explain")
@exits_as_promised
def explain(
    key: Annotated[str, typer.Argument(metavar="ID", help="Transaction id.")], hip: Hip = None, as_json: AsJson = False
) -> None:
    """Say, rule by rule, why each record of a transfer left or stayed. That you asked is written to the audit."""
    explanation = asyncio.run(_explanation(lasting_settings(), key, hip))
    if as_json:
        say_json(
            {
                **transfer_view(explanation.transfer, list(explanation.pages)),
                "decisions": [decision_view(one) for one in explanation.decisions],
            }
        )
        return
    for line in explained(explanation):
        say(line)


async def _explanation(settings: Settings, key: str, hip: str | None) -> Explanation:
    from hip.entrypoints.container import running

    hip_id, _ = await found_in(TRANSFERS, key, hip, settings)
    async with running(settings) as uses:
        return await uses.explain_release().transfer(hip_id, TransactionId(key), actor="command line")


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
    settings = lasting_settings()
    listing = Listing(hip_id=HipId(hip) if hip else None, since=since_time(since), limit=_MANY)
    results = asyncio.run(_retry(settings, ids or [], listing, dry_run=dry_run))
    if as_json:
        say_json(results)
    else:
        for result in results:
            say("\t".join(str(one) for one in (result["transactionId"], result["result"], result["gate"]) if one))
    if any(result["failed"] for result in results):
        raise typer.Exit(SOME_FAILED)


async def _retry(settings: Settings, ids: Sequence[str], listing: Listing, *, dry_run: bool) -> list[Shown]:
    from hip.entrypoints.container import adapters_for, opened, use_cases

    adapters = adapters_for(settings)
    results: list[Shown] = []
    async with opened(adapters):
        retry_transfer = use_cases(adapters, settings).retry_transfer()
        for key, transfer in await _chosen(adapters.units(), adapters.facilities().all(), ids, listing):
            failed, gate = False, None
            try:
                if transfer is None:
                    raise NotFound("transfer", key)
                if dry_run:
                    would, refusal = await retry_transfer.rehearse(transfer.hip_id, transfer.transaction_id)
                    result = f"would be retried from {would.state}"
                    gate = None if refusal is None else f"the gate would refuse it: {refusal.told}"
                else:
                    retried = await retry_transfer(transfer.hip_id, transfer.transaction_id, actor="command line")
                    result = f"retried from {retried.state}"
            except DomainError as refusal:
                failed, result = True, str(refusal)
            hip_id = transfer.hip_id if transfer else listing.hip_id
            results.append({"hipId": hip_id, "transactionId": key, "result": result, "gate": gate, "failed": failed})
    return results


async def _chosen(
    units: Units, facilities: Sequence[Facility], ids: Sequence[str], listing: Listing
) -> Sequence[tuple[str, Transfer | None]]:
    """The transfers meant, None for an id that no HIP here knows."""
    async with units() as uow:
        if not ids:
            dead = await uow.transfers.list(listing, state=TransferState.DEAD)
            failed = await uow.transfers.list(listing, state=TransferState.DONE, outcome=TransferOutcome.FAILED)
            return [(t.transaction_id, t) for t in (*dead, *failed) if t.refusal is None]
        hips = [listing.hip_id] if listing.hip_id else [facility.hip_id for facility in facilities]
        chosen: list[tuple[str, Transfer | None]] = []
        for key in ids:
            found = [await uow.transfers.get(hip_id, TransactionId(key)) for hip_id in hips]
            chosen.append((key, next((transfer for transfer in found if transfer is not None), None)))
        return chosen
