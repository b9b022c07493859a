"""Everything that can be listed and shown, once for the command line and once for HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hip.application.storage import Listing, UnitOfWork
from hip.domain.bundles import BundleKey
from hip.domain.callbacks import CallbackId
from hip.domain.exchanges import ExchangeId
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, HipId, TransactionId, VisitCode
from hip.entrypoints import views
from hip.entrypoints.views import Shown

List = Callable[[UnitOfWork, Listing], Awaitable[Sequence[Shown]]]
Show = Callable[[UnitOfWork, HipId, str], Awaitable[Shown | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One kind of stored thing, as the command line lists and shows it."""

    name: str
    columns: tuple[str, ...]
    list: List
    show: Show


async def _visits(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    shown: list[Shown] = []
    for visit in await uow.visits.list(listing):
        found = await _visit(uow, visit.record.hip_id, visit.record.visit_code)
        shown += [found] if found else []
    return shown


async def _visit(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    visit = await uow.visits.get(hip_id, VisitCode(key))
    if visit is None:
        return None
    bundles = list(await uow.bundles.of_visit(hip_id, visit.record.visit_code))
    context = await uow.care_contexts.get(hip_id, CareContextReference(key))
    return views.visit_view(visit, bundles, context)


async def _bundles(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.bundle_view(one) for one in await uow.bundles.list(listing)]


async def _bundle(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    code, _, type_name = key.partition("/")
    bundle_key = BundleKey(hip_id=hip_id, visit_code=VisitCode(code), hi_type=HiType.parse(type_name))
    found = await uow.bundles.servable(bundle_key)
    return None if found is None else views.bundle_view(found)


async def _links(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.link_view(one) for one in await uow.link_requests.list(listing)]


async def _link(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    found = await uow.link_requests.lock_by_visit(hip_id, VisitCode(key))
    return None if found is None else views.link_view(found)


async def _exchanges(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.exchange_view(one) for one in await uow.exchanges.list(listing)]


async def _exchange(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    found = await uow.exchanges.get(hip_id, ExchangeId(key))
    return None if found is None else views.exchange_view(found)


async def _callbacks(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.callback_view(one) for one in await uow.callbacks.list(listing)]


async def _callback(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    found = await uow.callbacks.get(hip_id, CallbackId(key))
    return None if found is None else views.callback_view(found)


async def _consents(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.consent_view(one) for one in await uow.consents.list(listing)]


async def _consent(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    found = await uow.consents.get(hip_id, ConsentId(key))
    return None if found is None else views.consent_view(found)


async def _transfers(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.transfer_view(one) for one in await uow.transfers.list(listing)]


async def _transfer(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    found = await uow.transfers.get(hip_id, TransactionId(key))
    if found is None:
        return None
    return views.transfer_view(found, list(await uow.transfers.pages(hip_id, found.transaction_id)))


VISITS = Stored(name="visit", columns=("hipId", "visitCode", "version", "linked"), list=_visits, show=_visit)
BUNDLES = Stored(
    name="bundle", columns=("hipId", "visitCode", "hiType", "version", "valid", "size"), list=_bundles, show=_bundle
)
LINKS = Stored(
    name="link", columns=("hipId", "visitCode", "status", "code", "advice", "updatedAt"), list=_links, show=_link
)
EXCHANGES = Stored(
    name="exchange",
    columns=("id", "hipId", "flow", "outcome", "firstRefusal", "updatedAt"),
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
    name="consent", columns=("hipId", "consentId", "status", "dataEraseAt", "updatedAt"), list=_consents, show=_consent
)
TRANSFERS = Stored(
    name="transfer",
    columns=("hipId", "transactionId", "state", "outcome", "reason", "requestedAt"),
    list=_transfers,
    show=_transfer,
)
