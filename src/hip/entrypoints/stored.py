"""Everything that can be listed and shown, once for the command line and once for HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hip.adapters.clock import system_clock
from hip.application.ports import Bundles
from hip.application.storage import Listing, UnitOfWork, Units
from hip.domain.bundles import BundleKey, BundleRecord, Severity
from hip.domain.callbacks import CallbackId
from hip.domain.errors import StorageFailed
from hip.domain.exchanges import ExchangeId
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, HipId, TransactionId, VisitCode
from hip.entrypoints import release_views, views
from hip.entrypoints.views import Shown

List = Callable[[UnitOfWork, Listing], Awaitable[Sequence[Shown]]]
Show = Callable[[UnitOfWork, HipId, str], Awaitable[Shown | None]]
Complete = Callable[[Bundles, Sequence[Shown]], Awaitable[None]]

_DECISIONS = 100
"""How many decision records a consent is shown with, the newest; `hip decisions list` has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One kind of stored thing, as the command line lists and shows it.

    ``complete_list`` and ``complete_one`` add what only the document store knows, after the unit of work is over.
    ``watched``: who looks at it, or at a list, is written to the audit, for it tells something of a patient (AUD-01).
    """

    name: str
    columns: tuple[str, ...]
    list: List
    show: Show
    complete_list: Complete | None = None
    complete_one: Complete | None = None
    watched: bool = True

    @property
    def plural(self) -> str:
        """As the audit names a list of them."""
        return f"{self.name}s"


async def listed(stored: Stored, units: Units, bundles: Bundles, listings: Sequence[Listing]) -> list[Shown]:
    """What each listing asks for, one after the other."""
    async with units() as uow:
        rows = [shown for listing in listings for shown in await stored.list(uow, listing)]
    if stored.complete_list is not None:
        await stored.complete_list(bundles, rows)
    return rows


def counted(rows: Sequence[Shown], hips: Sequence[HipId]) -> dict[HipId, int]:
    """How many rows are of each of ``hips``."""
    return {hip_id: sum(row["hipId"] == hip_id for row in rows) for hip_id in hips}


async def found(
    stored: Stored, units: Units, bundles: Bundles, hips: Sequence[HipId], key: str
) -> tuple[HipId, Shown] | None:
    """The first of ``hips`` that holds it, and what is shown of it."""
    async with units() as uow:
        held = [(hip_id, shown) for hip_id in hips if (shown := await stored.show(uow, hip_id, key)) is not None]
    if not held:
        return None
    if stored.complete_one is not None:
        await stored.complete_one(bundles, [held[0][1]])
    return held[0]


async def _visits(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    shown = [
        await _visit(uow, visit.record.hip_id, visit.record.visit_code) for visit in await uow.visits.list(listing)
    ]
    return [one for one in shown if one is not None]


async def _visit(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    visit = await uow.visits.get(hip_id, VisitCode(key))
    if visit is None:
        return None
    bundles = [await _newest(uow, one) for one in await uow.bundles.of_visit(hip_id, visit.record.visit_code)]
    context = await uow.care_contexts.get(hip_id, CareContextReference(key))
    jobs = await uow.bundle_jobs.of_visit(hip_id, visit.record.visit_code)
    return views.visit_view(visit, bundles, jobs, context)


async def _bundles(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.bundle_view(one) for one in await uow.bundles.list(listing)]


async def _bundle(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    code, _, type_name = key.partition("/")
    bundle_key = BundleKey(hip_id=hip_id, visit_code=VisitCode(code), hi_type=HiType.parse(type_name))
    newest = [one for one in await uow.bundles.of_visit(hip_id, bundle_key.visit_code) if one.key == bundle_key]
    return await _newest(uow, newest[0]) if newest else None


async def _newest(uow: UnitOfWork, newest: BundleRecord) -> Shown:
    """The newest version, and which one leaves this service: the last valid one, or none."""
    served = newest if newest.valid else await uow.bundles.servable(newest.key)
    return {**views.bundle_view(newest), "servedVersion": served.version if served else None}


async def _count_errors(bundles: Bundles, rows: Sequence[Shown]) -> None:
    """``errors`` of each bundle; None while the document store is away, for the rest is known without it."""
    away = False
    for row in rows:
        row["errors"] = 0 if row["valid"] else None
        if row["valid"] or away:
            continue
        try:
            issues = await bundles.issues(_key(row), row["version"])
        except StorageFailed:
            away = True
            continue
        row["errors"] = sum(issue.severity is Severity.ERROR for issue in issues or ())


async def _count_errors_of_visits(bundles: Bundles, rows: Sequence[Shown]) -> None:
    """``errors`` of each bundle and of the visit."""
    await _count_errors(bundles, [bundle for row in rows for bundle in row["bundles"]])
    for row in rows:
        counts = [bundle["errors"] for bundle in row["bundles"]]
        row["errors"] = None if None in counts else sum(counts)


async def _add_issues(bundles: Bundles, rows: Sequence[Shown]) -> None:
    """``errors`` and ``issues``; None while the document store is away."""
    for row in rows:
        row["errors"] = row["issues"] = None
        with suppress(StorageFailed):
            issues = await bundles.issues(_key(row), row["version"]) or ()
            row["errors"] = sum(issue.severity is Severity.ERROR for issue in issues)
            row["issues"] = [views.issue_view(issue) for issue in issues]


def _key(row: Shown) -> BundleKey:
    return BundleKey(hip_id=row["hipId"], visit_code=row["visitCode"], hi_type=row["hiType"])


async def _links(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    requests = await uow.link_requests.list(listing)
    patients = {(one.hip_id, one.abha_address) for one in requests if one.abha_address is not None}
    tokens = {key: await uow.link_tokens.current(*key, now=system_clock()) for key in patients}
    return [
        views.link_view(one, tokens[one.hip_id, one.abha_address] if one.abha_address is not None else None)
        for one in requests
    ]


async def _link(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    known = await uow.link_requests.lock_by_visit(hip_id, VisitCode(key))
    if known is None or known.abha_address is None:
        return None if known is None else views.link_view(known)
    token = await uow.link_tokens.current(hip_id, known.abha_address, now=system_clock())
    return views.link_view(known, token)


async def _exchanges(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.exchange_view(one) for one in await uow.exchanges.list(listing)]


async def _exchange(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    known = await uow.exchanges.get(hip_id, ExchangeId(key))
    return None if known is None else views.exchange_view(known)


async def _callbacks(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.callback_view(one) for one in await uow.callbacks.list(listing)]


async def _callback(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    known = await uow.callbacks.get(hip_id, CallbackId(key))
    return None if known is None else views.callback_view(known)


async def _consents(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [release_views.consent_view(one) for one in await uow.consents.list(listing)]


async def _consent(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    known = await uow.consents.get(hip_id, ConsentId(key))
    if known is None:
        return None
    decided = await uow.decisions.list(Listing(hip_id=hip_id, limit=_DECISIONS), consent_id=known.consent_id)
    return {
        **release_views.consent_view(known),
        "decisionCount": await uow.decisions.tally(hip_id, known.consent_id),
        "decisions": [release_views.decision_line(one) for one in decided],
    }


async def _transfers(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [release_views.transfer_view(one) for one in await uow.transfers.list(listing)]


async def _transfer(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    known = await uow.transfers.get(hip_id, TransactionId(key))
    if known is None:
        return None
    return release_views.transfer_view(known, list(await uow.transfers.pages(hip_id, known.transaction_id)))


async def _jobs(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.job_view(one) for one in await uow.outbox.list(listing)]


async def _job(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    known = await uow.outbox.get(hip_id, int(key)) if key.isdecimal() and len(key) < 19 else None
    return None if known is None else views.job_view(known)


JOBS = Stored(
    name="job",
    columns=("id", "hipId", "topic", "key", "state", "attempt", "runAt", "error"),
    list=_jobs,
    show=_job,
    watched=False,
)
VISITS = Stored(
    name="visit",
    columns=("hipId", "visitCode", "version", "linked", "unfinished", "invalid", "errors"),
    list=_visits,
    show=_visit,
    complete_list=_count_errors_of_visits,
    complete_one=_count_errors_of_visits,
)
BUNDLES = Stored(
    name="bundle",
    columns=("hipId", "visitCode", "hiType", "version", "valid", "errors", "size"),
    list=_bundles,
    show=_bundle,
    complete_list=_count_errors,
    complete_one=_add_issues,
)
LINKS = Stored(
    name="link",
    columns=("hipId", "visitCode", "status", "code", "tokenState", "whoActs", "advice", "updatedAt"),
    list=_links,
    show=_link,
)
EXCHANGES = Stored(
    name="exchange",
    columns=("id", "hipId", "flow", "outcome", "firstRefusal", "whoActs", "updatedAt"),
    list=_exchanges,
    show=_exchange,
)
CALLBACKS = Stored(
    name="callback",
    columns=("id", "hipId", "path", "state", "error", "receivedAt"),
    list=_callbacks,
    show=_callback,
)
CONSENTS = Stored(
    name="consent",
    columns=("hipId", "consentId", "status", "dataEraseAt", "updatedAt"),
    list=_consents,
    show=_consent,
)
TRANSFERS = Stored(
    name="transfer",
    columns=("hipId", "transactionId", "state", "outcome", "reason", "requestedAt"),
    list=_transfers,
    show=_transfer,
)
