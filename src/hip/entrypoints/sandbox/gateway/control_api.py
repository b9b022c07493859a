"""``/sandbox/...`` of the gateway: what tests, demos and operators set and see. No authentication."""

from typing import Any, Literal

import msgspec
from litestar import delete, get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, FromQuery, JSONBody

from hip.entrypoints.sandbox.gateway.accounts import AccountStatus
from hip.entrypoints.sandbox.gateway.consent_bodies import Narrowing
from hip.entrypoints.sandbox.gateway.consents import CannotGrant
from hip.entrypoints.sandbox.gateway.network import Gateway
from hip.entrypoints.sandbox.gateway.scenarios import SCENARIOS, Switch, UnknownScenario
from hip.entrypoints.sandbox.parties import Client, Patient
from hip.entrypoints.sandbox.views import (
    ConsentRequestView,
    ConsentView,
    Finding,
    JournalEntry,
    LinkedContext,
    Sms,
    TransferView,
)


class SignIn(msgspec.Struct, rename="camel"):
    """Which account."""

    abha_address: str


class SignedInView(msgspec.Struct, rename="camel"):
    """A user token and the profile behind it."""

    token: str
    patient: Patient


class StatusChange(msgspec.Struct):
    """What the patient did to the account."""

    status: AccountStatus


def control_handlers(gateway: Gateway) -> list[Any]:
    """All control paths."""
    return [*_people(gateway), *_books(gateway), *_consents(gateway), *_switches(gateway)]


def _people(gateway: Gateway) -> list[Any]:
    @post("/sandbox/patients", status_code=200)
    async def register_patient(data: JSONBody[Patient]) -> Patient:
        return gateway.registry.put_patient(data)

    @get("/sandbox/patients")
    async def patients() -> list[Patient]:
        return gateway.registry.patients()

    @post("/sandbox/patients/{abha_address:str}/status", status_code=204)
    async def change_status(abha_address: FromPath[str], data: JSONBody[StatusChange]) -> None:
        if not gateway.accounts.change(abha_address, data.status):
            raise NotFoundException("no such account")

    @post("/sandbox/sign-in", status_code=200)
    async def sign_in(data: JSONBody[SignIn]) -> SignedInView:
        token, patient = gateway.signed_in.sign_in(data.abha_address), gateway.registry.patient(data.abha_address)
        if token is None or patient is None:
            raise NotFoundException("no such account")
        return SignedInView(token=token, patient=patient)

    @post("/sandbox/clients", status_code=204)
    async def register_client(data: JSONBody[Client]) -> None:
        gateway.registry.put_client(data)

    return [register_patient, patients, change_status, sign_in, register_client]


def _books(gateway: Gateway) -> list[Any]:
    @get("/sandbox/journal")
    async def journal(
        path: FromQuery[str] = "",
        direction: FromQuery[str] = "",
        request_id: FromQuery[str] = "",
        after: FromQuery[int] = 0,
    ) -> list[JournalEntry]:
        return gateway.journal.entries(path=path, direction=direction, request_id=request_id, after=after)

    @get("/sandbox/findings")
    async def findings() -> list[Finding]:
        return gateway.journal.findings()

    @get("/sandbox/links")
    async def links(patient: FromQuery[str] = "", hip: FromQuery[str] = "") -> list[LinkedContext]:
        return [link.shown() for link in gateway.links.of(patient, hip)]

    @get("/sandbox/transfers")
    async def transfers() -> list[TransferView]:
        return [transfer.shown() for transfer in gateway.transfers.by_id.values()]

    @get("/sandbox/transfers/{transaction_id:str}")
    async def transfer(transaction_id: FromPath[str]) -> TransferView:
        found = gateway.transfers.by_id.get(transaction_id)
        if found is None:
            raise NotFoundException("no such transaction")
        return found.shown()

    @get("/sandbox/sms")
    async def sms() -> list[Sms]:
        return gateway.sms

    return [journal, findings, links, transfers, transfer, sms]


def _consents(gateway: Gateway) -> list[Any]:
    @get("/sandbox/consent-requests")
    async def consent_requests(patient: FromQuery[str] = "") -> list[ConsentRequestView]:
        shown = [request.shown() for request in gateway.book.requests.values()]
        return [view for view in shown if not patient or view.patient.casefold() == patient.casefold()]

    @post("/sandbox/consent-requests/{request_id:str}/grant", status_code=200)
    async def grant(request_id: FromPath[str], data: JSONBody[Narrowing]) -> ConsentRequestView:
        try:
            return gateway.consents.grant(request_id, data).shown()
        except CannotGrant as problem:
            raise ClientException(str(problem), status_code=409) from None

    @post("/sandbox/consent-requests/{request_id:str}/deny", status_code=200)
    async def deny(request_id: FromPath[str]) -> ConsentRequestView:
        try:
            return gateway.consents.deny(request_id).shown()
        except CannotGrant as problem:
            raise ClientException(str(problem), status_code=409) from None

    @get("/sandbox/consents")
    async def consents(patient: FromQuery[str] = "") -> list[ConsentView]:
        shown = [artefact.shown() for artefact in gateway.book.artefacts.values()]
        return [view for view in shown if not patient or view.patient.casefold() == patient.casefold()]

    @get("/sandbox/consents/{consent_id:str}")
    async def consent(consent_id: FromPath[str]) -> ConsentView:
        found = gateway.book.artefacts.get(consent_id)
        if found is None:
            raise NotFoundException("no such consent")
        return found.shown()

    @post("/sandbox/consents/{consent_id:str}/{ending:str}", status_code=200)
    async def end(consent_id: FromPath[str], ending: FromPath[Literal["revoke", "expire"]]) -> ConsentView:
        try:
            return gateway.consents.end(consent_id, "REVOKED" if ending == "revoke" else "EXPIRED").shown()
        except CannotGrant as problem:
            raise ClientException(str(problem), status_code=409) from None

    return [consent_requests, grant, deny, consents, consent, end]


def _switches(gateway: Gateway) -> list[Any]:
    @get("/sandbox/scenarios")
    async def known() -> dict[str, str]:
        return SCENARIOS

    @get("/sandbox/scenarios/on")
    async def switched_on() -> list[Switch]:
        return gateway.scenarios.on()

    @post("/sandbox/scenarios", status_code=200)
    async def switch(data: JSONBody[Switch]) -> list[Switch]:
        try:
            gateway.scenarios.set(data)
        except UnknownScenario as problem:
            raise ClientException(str(problem)) from None
        return gateway.scenarios.on()

    @delete("/sandbox/scenarios")
    async def clear() -> None:
        gateway.scenarios.clear()

    @post("/sandbox/sessions/end", status_code=204)
    async def end_sessions() -> None:
        gateway.sessions.end_all()

    @post("/sandbox/keys/rotate", status_code=204)
    async def rotate_keys() -> None:
        gateway.rotate_keys()

    return [known, switched_on, switch, clear, end_sessions, rotate_keys]
