"""The HIU as a litestar app: callbacks, the door for pushes, and the control API."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, delete, get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, JSONBody

from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.gateway_line import GatewayLine
from hip.entrypoints.sandbox.hiu.cases import Transfer
from hip.entrypoints.sandbox.hiu.config import FAULTS, REFUSED_ONCE, HiuConfig, UnknownFault, check_faults
from hip.entrypoints.sandbox.hiu.pages import BadPage, read_page
from hip.entrypoints.sandbox.hiu.requester import ConsentWish, DataWish, Requester, UnknownConsent
from hip.entrypoints.sandbox.parties import Client, Service
from hip.entrypoints.sandbox.routing import HttpClients, loopback_clients
from hip.entrypoints.sandbox.switches import Switch, Switches, UnknownScenario
from hip.entrypoints.sandbox.views import ConsentCase, HiuTransferView, OpenedRecord, SealedTransfer

LARGEST_PUSH = 64 * 1024 * 1024
HANG = 60.0  # seconds, not scaled: longer than any client waits
Body = dict[str, Any]


class Faults(msgspec.Struct):
    """The ways to be difficult from now on."""

    faults: tuple[str, ...]


def create_app(config: HiuConfig, clients: HttpClients = loopback_clients) -> Litestar:
    """An HIU of its own: all state is in this app. It registers with the gateway when it starts."""
    service = Service(id=config.hiu_id, name=config.name, types=("HIU", "HEALTH_LOCKER"))
    client = Client(
        client_id=config.client_id,
        client_secret=config.client_secret,
        name=config.name,
        url=config.public_url,
        services=(service,),
    )
    line = GatewayLine(config.gateway_url, config.cm_id, client, config.now)
    background = Background(wait_scale=config.wait_scale)
    requester = Requester(config, line, background, set(config.faults), Switches(FAULTS, config.at_random))

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        async with line.open(clients), aclosing(background):
            yield

    return Litestar(
        [
            *_callbacks(requester),
            _push_door(requester),
            *_consent_control(requester),
            *_data_control(requester),
            *_page_control(requester),
        ],
        lifespan=[lifespan],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=LARGEST_PUSH,
    )


def _callbacks(requester: Requester) -> list[Any]:
    @post("/api/v3/hiu/consent/request/on-init", status_code=202)
    async def on_init(data: JSONBody[Body]) -> None:
        requester.on_init(data)

    @post("/api/v3/hiu/consent/request/on-status", status_code=202)
    async def on_status(data: JSONBody[Body]) -> None:
        """Only acknowledged: the notices tell the same."""

    @post("/api/v3/hiu/consent/request/notify", status_code=202)
    async def on_notify(request: Request[Any, Any, Any], data: JSONBody[Body]) -> None:
        requester.on_notify(request.headers["request-id"], data)

    @post("/api/v3/hiu/consent/on-fetch", status_code=202)
    async def on_fetch(data: JSONBody[Body]) -> None:
        requester.on_fetch(data)

    @post("/api/v3/hiu/health-information/on-request", status_code=202)
    async def on_request(data: JSONBody[Body]) -> None:
        requester.on_request(data)

    return [on_init, on_status, on_notify, on_fetch, on_request]


def _push_door(requester: Requester) -> Any:
    path = requester.config.push_path

    @post(path)
    async def push(request: Request[Any, Any, Any]) -> Response[Any]:
        """A page: 202 at once; 400 for a missing field, 404 for an unknown transaction or an altered address."""
        authorization = "authorization" in request.headers
        if request.scope["raw_path"].decode("ascii").partition("?")[0] != path:
            # Routers treat a final slash as nothing; real requesters do not.
            return _said(404, "no such address")
        if "needs-authorization" in requester.faults and not authorization:
            return _said(401, "Authorization is missing")
        try:
            page = read_page(await request.body(), authorization=authorization)
        except BadPage as problem:
            return _said(400, str(problem))
        transfer = requester.book.transfers.get(page.transaction_id)
        if transfer is None:
            return _said(404, "Transaction id not found")
        faults = requester.faults | transfer.faults
        if "needs-authorization" in faults and not authorization:
            return _said(401, "Authorization is missing")
        transfer.pushes += 1
        for name in sorted(REFUSED_ONCE.keys() & faults) if transfer.pushes == 1 else ():
            return _said(REFUSED_ONCE[name], "not this time")
        if "always-400" in faults:
            return _said(400, "never")
        if transfer.keep(page) and not transfer.reported:
            transfer.reported = True
            requester.background.start(requester.report(transfer), name="transfer notify")
        if "slow" in faults:
            await requester.background.pause(3)
        if "silent" in faults or (transfer.pushes == 1 and "first-push-silent" in faults):
            await asyncio.sleep(HANG)
        return Response(None, status_code=202)

    return push


def _consent_control(requester: Requester) -> list[Any]:
    book = requester.book

    @post("/sandbox/consents", status_code=200)
    async def ask_consent(data: JSONBody[ConsentWish]) -> ConsentCase:
        try:
            return (await requester.ask_consent(data)).shown()
        except UnknownFault as problem:
            raise ClientException(str(problem)) from None

    @get("/sandbox/consents")
    async def cases() -> list[ConsentCase]:
        return [case.shown() for case in book.cases.values()]

    @get("/sandbox/consents/{case_id:str}")
    async def case(case_id: FromPath[str]) -> ConsentCase:
        found = book.cases.get(case_id)
        if found is None:
            raise NotFoundException("no such consent request")
        return found.shown()

    return [ask_consent, cases, case]


def _data_control(requester: Requester) -> list[Any]:
    book = requester.book

    @post("/sandbox/artefacts/{consent_id:str}/requests", status_code=200)
    async def ask_data(consent_id: FromPath[str], data: JSONBody[DataWish]) -> HiuTransferView:
        try:
            return (await requester.ask_data(consent_id, data)).shown()
        except UnknownConsent:
            raise NotFoundException("no such artefact here") from None

    @get("/sandbox/requests/{request_id:str}")
    async def transfer(request_id: FromPath[str]) -> HiuTransferView:
        found = book.asked.get(request_id)
        if found is None:
            raise NotFoundException("no such request")
        return found.shown()

    @get("/sandbox/transfers")
    async def transfers() -> list[HiuTransferView]:
        return [each.shown() for one in book.cases.values() for each in one.transfers]

    return [ask_data, transfer, transfers]


def _page_control(requester: Requester) -> list[Any]:
    @get("/sandbox/transfers/{transaction_id:str}")
    async def transfer_of(transaction_id: FromPath[str]) -> HiuTransferView:
        return _transfer(requester, transaction_id).shown()

    @post("/sandbox/transfers/{transaction_id:str}/open", status_code=200)
    async def open_records(transaction_id: FromPath[str]) -> list[OpenedRecord]:
        return await _transfer(requester, transaction_id).opened(frozenset(requester.faults))

    @get("/sandbox/transfers/{transaction_id:str}/sealed")
    async def sealed(transaction_id: FromPath[str]) -> SealedTransfer:
        return _transfer(requester, transaction_id).sealed()

    @post("/sandbox/scenarios", status_code=200)
    async def switch(data: JSONBody[Switch]) -> list[Switch]:
        try:
            requester.switches.set(data)
        except UnknownScenario as problem:
            raise ClientException(str(problem)) from None
        return requester.switches.on()

    @delete("/sandbox/scenarios")
    async def clear() -> None:
        requester.switches.clear()
        requester.faults.clear()

    @post("/sandbox/faults", status_code=200)
    async def set_faults(data: JSONBody[Faults]) -> dict[str, str]:
        try:
            check_faults(data.faults)
        except UnknownFault as problem:
            raise ClientException(str(problem)) from None
        requester.faults.clear()
        requester.faults.update(data.faults)
        return {name: FAULTS[name] for name in data.faults}

    return [transfer_of, open_records, sealed, switch, clear, set_faults]


def _transfer(requester: Requester, transaction_id: str) -> Transfer:
    found = requester.book.transfers.get(transaction_id)
    if found is None:
        raise NotFoundException("no such transaction")
    return found


def _said(status: int, text: str) -> Response[Any]:
    return Response({"error": {"message": text}}, status_code=status)
