"""The patient's app as a litestar app: callbacks, the telephone, and the control API."""

from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import httpx
import msgspec
from litestar import Litestar, Response, get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody

from hip.entrypoints.sandbox.gateway_line import GatewayLine
from hip.entrypoints.sandbox.parties import Client, Service
from hip.entrypoints.sandbox.patient.config import PatientAppConfig
from hip.entrypoints.sandbox.patient.journeys import CannotDo, Journeys
from hip.entrypoints.sandbox.patient.telephone import Telephone
from hip.entrypoints.sandbox.routing import HttpClients, loopback_clients
from hip.entrypoints.sandbox.views import DiscoveryView, LinkAttemptView, ShareView, Sms

Body = dict[str, Any]
T = TypeVar("T")


class Search(msgspec.Struct, rename="camel"):
    """Where to search; ``unverified_identifiers`` are what the patient typed."""

    abha_address: str
    hip_id: str
    unverified_identifiers: tuple[dict[str, str], ...] | None = None


class Pick(msgspec.Struct, rename="camel"):
    """Care context references; all that was found when null."""

    care_contexts: tuple[str, ...] | None = None


class Otp(msgspec.Struct):
    """Null: the newest of the inbox."""

    otp: str | None = None


class Scan(msgspec.Struct, rename="camel"):
    """A counter's code."""

    abha_address: str
    hip_id: str
    context: str
    intent: str = "PROFILE_SHARE"


def create_app(config: PatientAppConfig, clients: HttpClients = loopback_clients) -> Litestar:
    """An app of its own: all state is in it. It registers with the gateway when it starts."""
    client = Client(
        client_id=config.client_id,
        client_secret=config.client_secret,
        name=config.name,
        url=config.public_url,
        services=(Service(id=config.phr_id, name=config.name, types=("PHR",)),),
    )
    line = GatewayLine(config.gateway_url, config.cm_id, client, config.now)
    telephone = Telephone()
    journeys = Journeys(line, telephone)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        async with line.open(clients):
            yield

    handlers = [*_callbacks(journeys), *_telephone(telephone), *_journeys(journeys), *_consents(line)]
    return Litestar(handlers, lifespan=[lifespan], openapi_config=None, logging_config=None)


def _callbacks(journeys: Journeys) -> list[Any]:
    @post("/api/v3/hiu/patient/care-context/on-discover", status_code=202)
    async def on_discover(data: JSONBody[Body]) -> None:
        journeys.on_discover(data)

    @post("/api/v3/hiu/link/care-context/on-init", status_code=202)
    async def on_init(data: JSONBody[Body]) -> None:
        journeys.on_init(data)

    @post("/api/v3/hiu/link/care-context/on-confirm", status_code=202)
    async def on_confirm(data: JSONBody[Body]) -> None:
        journeys.on_confirm(data)

    @post("/api/v3/hiu/patient/on-share", status_code=202)
    async def on_share(data: JSONBody[Body]) -> None:
        journeys.on_share(data)

    return [on_discover, on_init, on_confirm, on_share]


def _telephone(telephone: Telephone) -> list[Any]:
    @post("/sandbox/sms", status_code=202)
    async def receive(data: JSONBody[Sms]) -> None:
        """A text message of the gateway, or of a HIP with an OTP."""
        telephone.receive(data)

    @get("/sandbox/sms")
    async def inbox(mobile: FromQuery[str] = "") -> list[Sms]:
        return telephone.inbox(mobile)

    return [receive, inbox]


def _journeys(journeys: Journeys) -> list[Any]:
    @post("/sandbox/discoveries", status_code=200)
    async def discover(data: JSONBody[Search]) -> DiscoveryView:
        return await _done(journeys.discover(data.abha_address, data.hip_id, data.unverified_identifiers))

    @get("/sandbox/discoveries/{journey:str}")
    async def discovery(journey: FromPath[str]) -> DiscoveryView:
        return _known(journeys.discoveries.get(journey))

    @post("/sandbox/discoveries/{journey:str}/links", status_code=200)
    async def link(journey: FromPath[str], data: JSONBody[Pick]) -> LinkAttemptView:
        return await _done(journeys.link(journey, data.care_contexts))

    @get("/sandbox/link-attempts/{journey:str}")
    async def attempt(journey: FromPath[str]) -> LinkAttemptView:
        return _known(journeys.attempts.get(journey))

    @post("/sandbox/link-attempts/{journey:str}/otp", status_code=200)
    async def enter_otp(journey: FromPath[str], data: JSONBody[Otp]) -> LinkAttemptView:
        return await _done(journeys.enter_otp(journey, data.otp))

    @post("/sandbox/shares", status_code=200)
    async def share(data: JSONBody[Scan]) -> ShareView:
        return await _done(journeys.share(data.abha_address, data.hip_id, data.context, data.intent))

    @get("/sandbox/shares/{journey:str}")
    async def shared(journey: FromPath[str]) -> ShareView:
        return _known(journeys.shares.get(journey))

    handlers: list[Any] = [discover, discovery, link, attempt, enter_otp, share, shared]
    return handlers


def _consents(line: GatewayLine) -> list[Any]:
    """What a patient decides. The published contract has no path for it, so the gateway's control API is asked."""

    @get("/sandbox/consent-requests")
    async def waiting(patient: FromQuery[str]) -> Response[bytes]:
        return _passed(await line.sandbox("GET", "/consent-requests", patient=patient))

    @post("/sandbox/consent-requests/{request_id:str}/grant", status_code=200)
    async def grant(request_id: FromPath[str], data: JSONBody[Body]) -> Response[bytes]:
        return _passed(await line.sandbox("POST", f"/consent-requests/{request_id}/grant", data))

    @post("/sandbox/consent-requests/{request_id:str}/deny", status_code=200)
    async def deny(request_id: FromPath[str]) -> Response[bytes]:
        return _passed(await line.sandbox("POST", f"/consent-requests/{request_id}/deny"))

    @get("/sandbox/consents")
    async def consents(patient: FromQuery[str]) -> Response[bytes]:
        return _passed(await line.sandbox("GET", "/consents", patient=patient))

    @post("/sandbox/consents/{consent_id:str}/{ending:str}", status_code=200)
    async def end(consent_id: FromPath[str], ending: FromPath[Literal["revoke"]]) -> Response[bytes]:
        return _passed(await line.sandbox("POST", f"/consents/{consent_id}/{ending}"))

    @get("/sandbox/links")
    async def links(patient: FromQuery[str]) -> Response[bytes]:
        return _passed(await line.sandbox("GET", "/links", patient=patient))

    handlers: list[Any] = [waiting, grant, deny, consents, end, links]
    return handlers


async def _done(step: Coroutine[Any, Any, T]) -> T:
    try:
        return await step
    except CannotDo as problem:
        raise ClientException(str(problem), status_code=409) from None


def _known(journey: T | None) -> T:
    if journey is None:
        raise NotFoundException("no such journey")
    return journey


def _passed(response: httpx.Response) -> Response[bytes]:
    return Response(response.content, status_code=response.status_code, media_type="application/json")
