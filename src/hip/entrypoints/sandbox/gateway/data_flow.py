"""Requests for data and what both ends report of the transfer (contract §2.10, §2.12)."""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.gateway.callbacks import Callback, CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.consent_bodies import DateRange, Id
from hip.entrypoints.sandbox.gateway.consent_book import Artefact, ConsentBook
from hip.entrypoints.sandbox.gateway.conversations import Conversations, ErrorBody, ResponseBody
from hip.entrypoints.sandbox.gateway.journal import Journal
from hip.entrypoints.sandbox.gateway.refusals import Shape, access_denied, bad
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.moments import Now, read_moment, stamp
from hip.entrypoints.sandbox.views import NotifyView, Problem, TransferView

WINDOW = timedelta(hours=2)
DEADLINE = timedelta(minutes=20)
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


class Notifier(msgspec.Struct):
    """Which end reports."""

    type: Literal["HIP", "HIU"]
    id: str


class ContextOutcome(msgspec.Struct, rename="camel"):
    """What became of one care context."""

    care_context_reference: str
    hi_status: str
    description: str | None = None


class SessionOutcome(msgspec.Struct, rename="camel"):
    """What became of the transfer."""

    session_status: str
    hip_id: str
    status_responses: list[ContextOutcome]


class TransferNotice(msgspec.Struct, rename="camel"):
    """A transfer notify."""

    consent_id: str
    transaction_id: str
    done_at: str
    notifier: Notifier
    status_notification: SessionOutcome


class NotifyBody(msgspec.Struct):
    """``/data-flow/v3/health-information/notify``."""

    notification: TransferNotice


# `OK` from a HIP was seen to be accepted, and TRANSFERRED from an HIU.
SESSION_STATUSES = {"HIP": ("TRANSFERRED", "FAILED"), "HIU": ("RECEIVED", "TRANSFERRED", "FAILED")}
CONTEXT_STATUSES = {"HIP": ("DELIVERED", "ERRORED", "OK"), "HIU": ("OK", "ERRORED")}


@dataclass(slots=True)
class Transfer:
    """States: REQUESTED, ACKNOWLEDGED or REFUSED by the HIP, UNREACHABLE, UNACKNOWLEDGED consent."""

    transaction_id: str
    artefact: Artefact
    hiu_request: str
    asked_at: datetime
    state: str = "REQUESTED"
    problem: Problem | None = None
    notifies: list[NotifyView] = field(default_factory=list)

    def shown(self) -> TransferView:
        """For the control API."""
        return TransferView(
            transaction_id=self.transaction_id,
            consent_id=self.artefact.id,
            hip_id=self.artefact.hip_id,
            hiu_id=self.artefact.hiu_id,
            state=self.state,
            asked_at=stamp(self.asked_at),
            problem=self.problem,
            notifies=tuple(self.notifies),
        )


@dataclass(slots=True)
class DataFlow:
    """``patience`` is how long a request waits for the HIP to acknowledge the consent before it fails."""

    book: ConsentBook
    sender: CallbackSender
    scenarios: Scenarios
    journal: Journal
    background: Background
    now: Now
    patience: timedelta
    transfers: dict[str, Transfer] = field(default_factory=dict)
    _requests: Conversations[Transfer] = field(init=False)

    def __post_init__(self) -> None:
        self._requests = Conversations(self.now, "ABDM-1113", WINDOW)

    def routes(self) -> Routes:
        """The endpoints of both sides; refusals come as a plain array, of notify as an object."""
        front = "/data-flow/v3/health-information"
        return {
            ("POST", f"{front}/request"): Endpoint(handle=self.request, shape=Shape.LISTED),
            ("POST", f"{front}/hip/on-request"): Endpoint(handle=self.on_request, shape=Shape.LISTED),
            ("POST", f"{front}/notify"): Endpoint(handle=self.notify),
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
        transfer = Transfer(str(uuid.uuid4()), artefact, call.request_id, self.now())
        self.transfers[transfer.transaction_id] = transfer
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

    async def notify(self, call: Call) -> Reply:
        """A report of either end, taken however often it comes; repeats that disagree are noted."""
        notice = call.body(NotifyBody).notification
        transfer = self._reported(call, notice)
        outcome, side = notice.status_notification, notice.notifier.type
        if outcome.session_status not in SESSION_STATUSES[side]:
            raise bad("ABDM-9999", f"Invalid status: sessionStatus of an {side}")
        if any(each.hi_status not in CONTEXT_STATUSES[side] for each in outcome.status_responses):
            raise bad("ABDM-9999", f"Invalid status: hiStatus of an {side}")
        if not outcome.status_responses:
            raise bad("ABDM-1006", "Bad request, invalid body: statusResponses")
        seen = NotifyView(
            at=stamp(self.now()),
            notifier=side,
            notifier_id=notice.notifier.id,
            session_status=outcome.session_status,
            outcomes={each.care_context_reference: each.hi_status for each in outcome.status_responses},
            descriptions={e.care_context_reference: e.description for e in outcome.status_responses if e.description},
        )
        if side == "HIP":
            self._note_findings(transfer, seen)
        transfer.notifies.append(seen)
        return Reply(202, {"status": "Notification is Accepted"})

    async def status(self, call: Call) -> Reply:
        """The state of a request, 200."""
        transfer = self.transfers.get(call.tail)
        if transfer is None:
            raise bad("ABDM-1017", "Invalid transaction id")
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

    def _reported(self, call: Call, notice: TransferNotice) -> Transfer:
        transfer = self.transfers.get(notice.transaction_id)
        if transfer is None:
            raise bad("ABDM-1017", "Invalid transaction id")
        if notice.consent_id != transfer.artefact.id:
            raise bad("ABDM-9999", "Invalid consent id")
        artefact = transfer.artefact
        own = {service.id for service in call.caller.services}
        if notice.notifier.type == "HIP" and (notice.notifier.id != artefact.hip_id or artefact.hip_id not in own):
            raise bad("ABDM-1035", "Invalid HIP id")
        if notice.notifier.type == "HIU" and (notice.notifier.id != artefact.hiu_id or artefact.hiu_id not in own):
            raise bad("ABDM-1040", "Invalid HIU id")
        if notice.status_notification.hip_id != artefact.hip_id:
            raise bad("ABDM-1035", "Invalid HIP id")
        try:
            read_moment(notice.done_at)
        except ValueError:
            raise bad("ABDM-1006", "Bad request, invalid body: doneAt") from None
        if not notice.done_at.endswith("Z"):
            raise bad("ABDM-1006", "Bad request, invalid body: doneAt is not UTC")
        return transfer

    def _note_findings(self, transfer: Transfer, seen: NotifyView) -> None:
        name, allowed = transfer.transaction_id, set(transfer.artefact.references())
        delivered = any(status in ("DELIVERED", "OK") for status in seen.outcomes.values())
        earlier = [each for each in transfer.notifies if each.notifier == "HIP"]
        faults = {
            "does not name every care context of the consent": bool(allowed - set(seen.outcomes)),
            "names a care context outside the consent": bool(set(seen.outcomes) - allowed),
            "says TRANSFERRED though nothing was delivered": seen.session_status == "TRANSFERRED" and not delivered,
            "says FAILED though something was delivered": seen.session_status == "FAILED" and delivered,
            "disagrees with an earlier notify": any(
                (each.session_status, each.outcomes) != (seen.session_status, seen.outcomes) for each in earlier
            ),
            "came after 20 minutes": self.now() - transfer.asked_at > DEADLINE,
            "came before on-request": transfer.state == "REQUESTED",
        }
        for fault, happened in faults.items():
            if happened:
                self.journal.found("PUSH-08", f"the notify of {name} {fault}")


def _to_hiu(transfer: Transfer) -> Callback:
    session, error = None, None
    if transfer.problem is None:
        session = {"transactionId": transfer.transaction_id, "sessionStatus": "REQUESTED"}
    else:
        error = {"code": transfer.problem.code, "message": transfer.problem.message}
    body = {"hiRequest": session, "error": error, "response": {"requestId": transfer.hiu_request}}
    return Callback(service_id=transfer.artefact.hiu_id, path=HIU_ON_REQUEST, body=body, as_hiu=True)
