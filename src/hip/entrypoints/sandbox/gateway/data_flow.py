"""Requests for data: from the HIU to the HIP, and the HIP's answer back (contract §2.10)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.gateway.callbacks import Callback, CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.consent_bodies import DateRange, Id
from hip.entrypoints.sandbox.gateway.consent_book import Artefact, ConsentBook
from hip.entrypoints.sandbox.gateway.conversations import Conversations, ErrorBody, ResponseBody
from hip.entrypoints.sandbox.gateway.refusals import Shape, access_denied, bad
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.gateway.transfers import Transfer, Transfers
from hip.entrypoints.sandbox.moments import Now, read_moment
from hip.entrypoints.sandbox.views import Problem

WINDOW = timedelta(hours=2)
HIP_REQUEST = "/api/v3/hip/health-information/request"
HIU_ON_REQUEST = "/api/v3/hiu/health-information/on-request"


class Wanted(msgspec.Struct, rename="camel"):
    """``keyMaterial`` travels as it is: the gateway does not look into it."""

    consent: Id
    date_range: DateRange
    data_push_url: str
    key_material: dict[str, Any]


class RequestBody(msgspec.Struct, rename="camel"):
    """``/data-flow/v3/health-information/request``."""

    hi_request: Wanted


class Session(msgspec.Struct, rename="camel"):
    """The HIP's side of a transfer begins."""

    transaction_id: str
    session_status: str


class OnRequestBody(msgspec.Struct, rename="camel"):
    """Either ``hiRequest`` or ``error``."""

    response: ResponseBody
    hi_request: Session | None = None
    error: ErrorBody | None = None


@dataclass(slots=True)
class DataFlow:
    """``patience`` is how long a request waits for the HIP to acknowledge the consent before it fails."""

    book: ConsentBook
    transfers: Transfers
    sender: CallbackSender
    scenarios: Scenarios
    background: Background
    now: Now
    patience: timedelta
    _requests: Conversations[Transfer] = field(init=False)

    def __post_init__(self) -> None:
        self._requests = Conversations(self.now, "ABDM-1113", WINDOW)

    def routes(self) -> Routes:
        """The endpoints of both sides; refusals come as a plain array."""
        front = "/data-flow/v3/health-information"
        return {
            ("POST", f"{front}/request"): Endpoint(handle=self.request, shape=Shape.LISTED),
            ("POST", f"{front}/hip/on-request"): Endpoint(handle=self.on_request, shape=Shape.LISTED),
            ("GET", f"{front}/request/status/*"): Endpoint(handle=self.status, shape=Shape.LISTED),
        }

    async def request(self, call: Call) -> Reply:
        """An HIU asks for data: 202, then the HIP is asked. Refused at once when the consent does not allow it."""
        if not call.headers.get("x-hiu-id", "").strip():
            raise access_denied()
        wanted = call.body(RequestBody).hi_request
        artefact = self.book.artefacts.get(wanted.consent.id)
        if artefact is None:
            raise bad("ABDM-1112", "Invalid or expired consent artefact id")
        if not self.scenarios.strikes("unchecked-requests", call.path):
            self._check(call, artefact, wanted)
        transfer = self.transfers.begin(artefact, call.request_id)
        self.background.start(self._forward(transfer, wanted), name=f"data request {transfer.transaction_id}")
        return Reply(202)

    async def on_request(self, call: Call) -> Reply:
        """The HIP's answer: 200 (not 202, as observed), then the HIU learns its transaction id."""
        body = call.body(OnRequestBody, code="ABDM-1031")
        asked = self._requests.answered_by(call, body.response)
        transfer = asked.subject
        session = body.hi_request
        if session is not None and session.transaction_id != transfer.transaction_id:
            raise bad("ABDM-1017", "Invalid transaction id")
        if body.error is None and (session is None or session.session_status != "ACKNOWLEDGED"):
            raise bad("ABDM-1031", "Invalid request: sessionStatus must be ACKNOWLEDGED")
        asked.answered = True
        transfer.state = "ACKNOWLEDGED"
        if body.error is not None:
            transfer.state, transfer.problem = "REFUSED", Problem(code=body.error.code, message=body.error.message)
        return Reply(200, then=_to_hiu(transfer))

    async def status(self, call: Call) -> Reply:
        """The state of a request, 200."""
        transfer = self.transfers.of(call.tail)
        return Reply(200, {"hiRequest": {"transactionId": transfer.transaction_id, "sessionStatus": transfer.state}})

    def _check(self, call: Call, artefact: Artefact, wanted: Wanted) -> None:
        if all(service.id != artefact.hiu_id for service in call.caller.services):
            raise bad("ABDM-1112", "Invalid or expired consent artefact id")
        if artefact.status == "EXPIRED" or read_moment(artefact.data_erase_at) <= self.now():
            raise bad("ABDM-1061", "Consent artefact expired")
        if artefact.status != "GRANTED":
            raise bad("ABDM-1062", "Consent not granted")
        if not wanted.date_range.within(artefact.date_range):
            raise bad("ABDM-1063", "Date range is invalid")

    async def _forward(self, transfer: Transfer, wanted: Wanted) -> None:
        if not self.scenarios.strikes("unchecked-requests", HIP_REQUEST):
            try:
                async with asyncio.timeout(self.patience.total_seconds()):
                    await transfer.artefact.taken.wait()
            except TimeoutError:
                transfer.state = "UNACKNOWLEDGED"
                await self._fail(transfer, "ABDM-1402", "Acknowledgement not received from HIP")
                return
        await self.background.pause(0.3)
        await self.sender.deliver(self._to_hip(transfer, wanted))

    def _to_hip(self, transfer: Transfer, wanted: Wanted) -> Callback:
        range_: Any = msgspec.to_builtins(wanted.date_range)
        if self.scenarios.strikes("array-date-range", HIP_REQUEST):
            range_ = [range_]
        body: Mapping[str, Any] = {
            "requestId": "",
            "timestamp": "",
            "transactionId": transfer.transaction_id,
            "hiRequest": {
                "consent": {"id": transfer.artefact.id},
                "dateRange": range_,
                "dataPushUrl": wanted.data_push_url,
                "keyMaterial": wanted.key_material,
            },
        }
        asked = self._requests.about(transfer, transfer.artefact.hip_id)

        async def unreachable() -> None:
            transfer.state = "UNREACHABLE"
            await self._fail(transfer, "ABDM-1401", "HIP not available")

        return Callback(
            service_id=transfer.artefact.hip_id,
            path=HIP_REQUEST,
            body=dict(body),
            expect=lambda request_id: self._requests.ask(request_id, asked),
            failed=unreachable,
        )

    async def _fail(self, transfer: Transfer, code: str, message: str) -> None:
        transfer.problem = Problem(code=code, message=message)
        await self.sender.deliver(_to_hiu(transfer))


def _to_hiu(transfer: Transfer) -> Callback:
    session, error = None, None
    if transfer.problem is None:
        session = {"transactionId": transfer.transaction_id, "sessionStatus": "REQUESTED"}
    else:
        error = {"code": transfer.problem.code, "message": transfer.problem.message}
    body = {"hiRequest": session, "error": error, "response": {"requestId": transfer.hiu_request}}
    return Callback(service_id=transfer.artefact.hiu_id, path=HIU_ON_REQUEST, body=body, as_hiu=True)
