"""``hip decisions list``: what the release gate decided, by patient, consent, requester or transaction."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from hip.application.explanations import DecisionQuery, Explanation
from hip.application.storage import Listing
from hip.domain.decisions import Decision, RuleResult, Verdict
from hip.domain.identifiers import AbhaAddress, ConsentId, HipId, TransactionId
from hip.entrypoints.cli.stored import AsJson, Hip, Limit, Since, since_time
from hip.entrypoints.cli.terminal import exits_as_promised, lasting_settings, say_json, say_table
from hip.entrypoints.release_views import decision_line, decision_view
from hip.entrypoints.settings import Settings

app = typer.Typer(help="What the release gate decided, and by which rule.", no_args_is_help=True)

_COLUMNS = ("at", "stage", "transactionId", "page", "verdict", "rule", "code", "leaving", "kept", "reason")


@app.callback()
def decisions() -> None:
    """What the release gate decided, and by which rule."""


@app.command("list")
@exits_as_promised
def list_decisions(
    consent: Annotated[str | None, typer.Option("--consent", help="About this consent.")] = None,
    transfer: Annotated[str | None, typer.Option("--transfer", help="About this transaction.")] = None,
    patient: Annotated[str | None, typer.Option("--patient", help="About this ABHA address.")] = None,
    requester: Annotated[str | None, typer.Option("--requester", help="About this HIU id.")] = None,
    hip: Hip = None,
    since: Since = None,
    limit: Limit = 100,
    as_json: AsJson = False,
) -> None:
    """Decision records, newest first; --json shows every rule. That you looked is written to the audit."""
    query = DecisionQuery(
        consent_id=None if consent is None else ConsentId(consent),
        transaction_id=None if transfer is None else TransactionId(transfer),
        patient=None if patient is None else AbhaAddress.parse(patient, field="--patient"),
        requester=requester,
    )
    listing = Listing(hip_id=HipId(hip) if hip else None, since=since_time(since), limit=limit)
    found = asyncio.run(_found(lasting_settings(), query, listing))
    if as_json:
        say_json([decision_view(one) for one in found])
    else:
        say_table([decision_line(one) for one in found], _COLUMNS)


async def _found(settings: Settings, query: DecisionQuery, listing: Listing) -> Sequence[Decision]:
    from hip.entrypoints.container import adapters_for, opened, use_cases

    adapters = adapters_for(settings)
    async with opened(adapters):
        hips = [listing.hip_id] if listing.hip_id else [one.hip_id for one in adapters.facilities().all()]
        explain = use_cases(adapters, settings).explain_release()
        return await explain.decisions(hips, query, listing, actor="command line")


def explained(explanation: Explanation) -> Iterator[str]:
    """A transfer in words: what was decided when, each rule that refused or warned, and what became of each page."""
    transfer = explanation.transfer
    outcome = "" if transfer.outcome is None else f", {transfer.outcome}"
    yield f"transfer {transfer.transaction_id} on consent {transfer.consent_id}: {transfer.state}{outcome}"
    if transfer.reason:
        yield f"  because: {transfer.reason}"
    for decision in explanation.decisions:
        yield from _decided(decision)
    yield "pages"
    for page in explanation.pages:
        reason = f": {page.reason}" if page.reason else ""
        yield f"  {page.number}  {page.care_context_reference} {page.hi_type or '-'}  {page.state}{reason}"


def _decided(decision: Decision) -> Iterator[str]:
    line = decision_line(decision)
    what = f"page {decision.page}" if decision.page is not None else str(decision.stage)
    yield f"{line['at']}  {what}: {line['verdict']} (policy {decision.policy})"
    for result in decision.results:
        if result.verdict in (Verdict.REFUSE, Verdict.WARN):
            yield f"  {_said(result)}"
    for record in decision.records:
        name = f"{record.care_context_reference} {record.hi_type or '-'}"
        yield f"  {name}: {'leaves' if record.refusal is None else f'stays, {_said(record.refusal)}'}"


def _said(result: RuleResult) -> str:
    code = f" ({result.code})" if result.code else ""
    return f"{result.rule} {result.verdict}s: {result.reason}{code}"
