"""``/v1/exchanges``, ``/v1/links``, ``/v1/consents``, ``/v1/transfers``: lists, and one of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from hip.application.storage import Listing, Units
from hip.domain.errors import NotFound
from hip.domain.exchanges import ExchangeId
from hip.domain.identifiers import ConsentId, HipId, TransactionId, VisitCode
from hip.entrypoints.http.keys import Caller
from hip.entrypoints.views import Shown, consent_view, exchange_view, link_view, transfer_view

Hip = Annotated[str | None, QueryParameter(name="hip", description="one HIP id; else all the key acts for")]
Since = Annotated[datetime | None, QueryParameter(name="since", description="only what is newer (RFC 3339)")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=1000)]


def _listings(
    request: Request[Any, Any, Any], hip: str | None, since: datetime | None, limit: int
) -> Sequence[Listing]:
    caller: Caller = request.state.caller
    hips = [caller.require(HipId(hip))] if hip else sorted(caller.hips)
    return [Listing(hip_id=hip_id, since=since, limit=limit) for hip_id in hips]


def _hips(request: Request[Any, Any, Any]) -> Sequence[HipId]:
    caller: Caller = request.state.caller
    return sorted(caller.hips)


@get("/v1/exchanges")
async def list_exchanges(
    request: Request[Any, Any, Any],
    units: NamedDependency[Units],
    hip: Hip = None,
    since: Since = None,
    limit: Limit = 100,
) -> list[Shown]:
    """Conversations with the gateway, newest first."""
    async with units() as uow:
        found = [e for listing in _listings(request, hip, since, limit) for e in await uow.exchanges.list(listing)]
    return [exchange_view(exchange) for exchange in found]


@get("/v1/exchanges/{exchange_id:str}")
async def show_exchange(
    request: Request[Any, Any, Any], exchange_id: FromPath[str], units: NamedDependency[Units]
) -> Shown:
    """One conversation with its timeline."""
    async with units() as uow:
        for hip_id in _hips(request):
            exchange = await uow.exchanges.get(hip_id, ExchangeId(exchange_id))
            if exchange is not None:
                return exchange_view(exchange)
    raise NotFound("exchange", exchange_id)


@get("/v1/links")
async def list_links(
    request: Request[Any, Any, Any],
    units: NamedDependency[Units],
    hip: Hip = None,
    since: Since = None,
    limit: Limit = 100,
) -> list[Shown]:
    """Where each visit's link stands, with the gateway's code and what to do."""
    async with units() as uow:
        found = [r for listing in _listings(request, hip, since, limit) for r in await uow.link_requests.list(listing)]
    return [link_view(link) for link in found]


@get("/v1/links/{visit_code:str}")
async def show_link(request: Request[Any, Any, Any], visit_code: FromPath[str], units: NamedDependency[Units]) -> Shown:
    """The link of one visit."""
    async with units() as uow:
        for hip_id in _hips(request):
            link = await uow.link_requests.lock_by_visit(hip_id, VisitCode(visit_code))
            if link is not None:
                return link_view(link)
    raise NotFound("link", visit_code)


@get("/v1/consents")
async def list_consents(
    request: Request[Any, Any, Any],
    units: NamedDependency[Units],
    hip: Hip = None,
    since: Since = None,
    limit: Limit = 100,
) -> list[Shown]:
    """Consents and their tombstones."""
    async with units() as uow:
        found = [c for listing in _listings(request, hip, since, limit) for c in await uow.consents.list(listing)]
    return [consent_view(consent) for consent in found]


@get("/v1/consents/{consent_id:str}")
async def show_consent(
    request: Request[Any, Any, Any], consent_id: FromPath[str], units: NamedDependency[Units]
) -> Shown:
    """One consent."""
    async with units() as uow:
        for hip_id in _hips(request):
            consent = await uow.consents.get(hip_id, ConsentId(consent_id))
            if consent is not None:
                return consent_view(consent)
    raise NotFound("consent", consent_id)


@get("/v1/transfers")
async def list_transfers(
    request: Request[Any, Any, Any],
    units: NamedDependency[Units],
    hip: Hip = None,
    since: Since = None,
    limit: Limit = 100,
) -> list[Shown]:
    """Transfers, newest first."""
    async with units() as uow:
        found = [t for listing in _listings(request, hip, since, limit) for t in await uow.transfers.list(listing)]
    return [transfer_view(transfer) for transfer in found]


@get("/v1/transfers/{transaction_id:str}")
async def show_transfer(
    request: Request[Any, Any, Any], transaction_id: FromPath[str], units: NamedDependency[Units]
) -> Shown:
    """One transfer with its pages and what each care context came to."""
    async with units() as uow:
        for hip_id in _hips(request):
            transfer = await uow.transfers.get(hip_id, TransactionId(transaction_id))
            if transfer is not None:
                pages = await uow.transfers.pages(hip_id, transfer.transaction_id)
                return transfer_view(transfer, list(pages))
    raise NotFound("transfer", transaction_id)


records_router = Router(
    path="/",
    route_handlers=[
        list_exchanges,
        show_exchange,
        list_links,
        show_link,
        list_consents,
        show_consent,
        list_transfers,
        show_transfer,
    ],
    tags=["records"],
)
