"""Links, exchanges, callbacks, consents, transfers and jobs as they are listed and shown."""

from collections.abc import Sequence

from hip.adapters.clock import system_clock
from hip.application.storage import Listing, UnitOfWork
from hip.domain.callbacks import CallbackId
from hip.domain.exchanges import ExchangeId
from hip.domain.identifiers import ConsentId, HipId, TransactionId, VisitCode
from hip.entrypoints import release_views, views
from hip.entrypoints.stored import Stored
from hip.entrypoints.views import Shown

_DECISIONS = 100
"""How many decision records a consent is shown with, the newest; `hip decisions list` has them all."""


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
