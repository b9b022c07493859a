"""Discovery, link init and link confirm: the gateway between a patient's app and a HIP (contract §2.5 - §2.7)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from hip.entrypoints.sandbox.gateway.answers import OnConfirm, OnDiscover, OnInit
from hip.entrypoints.sandbox.gateway.callbacks import Callback, CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.conversations import Conversation, Conversations
from hip.entrypoints.sandbox.gateway.entries import ChosenEntry, PatientEntry, pairs
from hip.entrypoints.sandbox.gateway.journal import Journal
from hip.entrypoints.sandbox.gateway.links import Links
from hip.entrypoints.sandbox.gateway.patient_calls import (
    ConfirmBody,
    DiscoverBody,
    InitBody,
    SignedIn,
    phr_service,
    searched_for,
)
from hip.entrypoints.sandbox.gateway.refusals import bad
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.moments import Now

WINDOW = timedelta(minutes=30)  # the real time allowed for an answer is not published
HIP_SIDE = "/api/v3/hip"
PHR_SIDE = "/api/v3/hiu"
ON_DISCOVER = "patient/care-context/on-discover"
ON_INIT = "link/care-context/on-init"
ON_CONFIRM = "link/care-context/on-confirm"


@dataclass(slots=True)
class Linkage:
    """One patient's way from search to link at one HIP; ``*_request`` are the app's own REQUEST-IDs to answer."""

    hip_id: str
    phr_id: str
    abha_address: str
    transaction_id: str
    discover_request: str
    init_request: str = ""
    confirm_request: str = ""
    found: list[PatientEntry] = field(default_factory=list)
    chosen: set[tuple[str, str, str]] = field(default_factory=set)
    reference_number: str = ""
    mistyped: bool = False


def _asked(now: Now, duplicate: str) -> Conversations[Linkage]:
    return Conversations(now, duplicate, WINDOW)


@dataclass(slots=True)
class UserLinking:
    """Both sides of user-initiated linking."""

    signed_in: SignedIn
    links: Links
    sender: CallbackSender
    scenarios: Scenarios
    journal: Journal
    now: Now
    _transactions: dict[str, Linkage] = field(default_factory=dict)
    _references: dict[str, Linkage] = field(default_factory=dict)
    _discoveries: Conversations[Linkage] = field(init=False)
    _inits: Conversations[Linkage] = field(init=False)
    _confirms: Conversations[Linkage] = field(init=False)

    def __post_init__(self) -> None:
        self._discoveries = _asked(self.now, "ABDM-1106")
        self._inits = _asked(self.now, "ABDM-1107")
        self._confirms = _asked(self.now, "ABDM-1108")

    def routes(self) -> Routes:
        """The endpoints of both sides."""
        front = "/user-initiated-linking/v3"
        return {
            ("POST", f"{front}/patient/care-context/discover"): Endpoint(handle=self.discover),
            ("POST", f"{front}/patient/care-context/on-discover"): Endpoint(handle=self.on_discover),
            ("POST", f"{front}/link/care-context/init"): Endpoint(handle=self.init),
            ("POST", f"{front}/link/care-context/on-init"): Endpoint(handle=self.on_init),
            ("POST", f"{front}/link/care-context/confirm"): Endpoint(handle=self.confirm),
            ("POST", f"{front}/link/care-context/on-confirm"): Endpoint(handle=self.on_confirm),
        }

    async def discover(self, call: Call) -> Reply:
        """A patient searches: 202, then the HIP is asked."""
        patient, body = self.signed_in.patient(call), call.body(DiscoverBody)
        if not self.signed_in.registry.is_hip(body.hip.id):
            raise bad("ABDM-1035", "Invalid HIP id")
        linkage = Linkage(body.hip.id, phr_service(call), patient.abha_address, str(uuid.uuid4()), call.request_id)
        self._transactions[linkage.transaction_id] = linkage
        path = f"{HIP_SIDE}/patient/care-context/discover"
        null = self.scenarios.strikes("null-unverified", path)
        question = {
            "transactionId": linkage.transaction_id,
            "patient": searched_for(patient, body.unverified_identifiers, null=null),
        }
        return Reply(202, then=self._to_hip(linkage, path, question, self._discoveries, ON_DISCOVER))

    async def on_discover(self, call: Call) -> Reply:
        """The HIP's answer: checked, then handed to the app."""
        body = call.body(OnDiscover, code="ABDM-1109")
        asked = self._discoveries.answered_by(call, body.response)
        linkage = asked.subject
        if body.transaction_id != linkage.transaction_id:
            raise bad("ABDM-1017", "Invalid transaction id")
        body.check()
        asked.answered = True
        linkage.found = body.patient or []
        self._note_findings(linkage)
        answer = _present(patient=body.patient, matchedBy=body.matched_by, error=body.error)
        return Reply(202, then=self._to_app(linkage, ON_DISCOVER, answer))

    async def init(self, call: Call) -> Reply:
        """A patient picks contexts: 202, then the HIP is asked for an OTP."""
        patient, body = self.signed_in.patient(call), call.body(InitBody)
        linkage = self._transactions.get(body.transaction_id)
        if linkage is None or linkage.abha_address != patient.abha_address:
            raise bad("ABDM-1017", "Invalid transaction id")
        if linkage.init_request:
            raise bad("ABDM-1104", "Duplicate link init request")
        chosen = _chosen(body.patient)
        if not chosen or not chosen <= pairs(linkage.found):
            raise bad("ABDM-1057", "Invalid care contexts")
        linkage.init_request, linkage.chosen = call.request_id, chosen
        path = f"{HIP_SIDE}/link/care-context/init"
        if any(self.links.has(linkage.hip_id, patient.abha_address, *each) for each in chosen):
            error = {"code": "ABDM-1056", "message": "This care contexts has been already linked"}
            self.sender.later(self._to_app(linkage, ON_INIT, {"error": error}))
            told = {"transactionId": linkage.transaction_id, "error": error}
            return Reply(202, then=Callback(service_id=linkage.hip_id, path=path, body=told))
        question = {
            "transactionId": linkage.transaction_id,
            "abhaAddress": patient.abha_address,
            "patient": msgspec.to_builtins(body.patient),
        }
        return Reply(202, then=self._to_hip(linkage, path, question, self._inits, ON_INIT))

    async def on_init(self, call: Call) -> Reply:
        """The HIP's link reference."""
        body = call.body(OnInit, code="ABDM-1110")
        asked = self._inits.answered_by(call, body.response)
        linkage = asked.subject
        if body.transaction_id != linkage.transaction_id:
            raise bad("ABDM-1017", "Invalid transaction id")
        body.check(self.now)
        asked.answered = True
        if body.link is not None:
            linkage.reference_number = body.link.reference_number
            self._references[body.link.reference_number] = linkage
        answer = _present(link=body.link, error=body.error)
        return Reply(202, then=self._to_app(linkage, ON_INIT, answer))

    async def confirm(self, call: Call) -> Reply:
        """A patient typed the OTP: 202, then the HIP checks it. A wrong OTP may be followed by another try."""
        patient, body = self.signed_in.patient(call), call.body(ConfirmBody)
        linkage = self._references.get(body.confirmation.link_ref_number)
        if linkage is None or linkage.abha_address != patient.abha_address:
            raise bad("ABDM-1056", "Invalid link reference number")
        linkage.confirm_request = call.request_id
        path = f"{HIP_SIDE}/link/care-context/confirm"
        token: str | int = body.confirmation.token
        if not linkage.mistyped and self.scenarios.strikes("wrong-otp", path):
            linkage.mistyped, token = True, _mistyped(str(token))
        if str(token).isdigit() and self.scenarios.strikes("numeric-otp", path):
            token = int(token)
        question = {
            "requestId": None,
            "timestamp": None,
            "confirmation": {"token": token, "linkRefNumber": body.confirmation.link_ref_number},
        }
        return Reply(202, then=self._to_hip(linkage, path, question, self._confirms, ON_CONFIRM))

    async def on_confirm(self, call: Call) -> Reply:
        """The HIP's confirmation: exactly contexts that the patient chose become linked."""
        body = call.body(OnConfirm, code="ABDM-1111")
        asked = self._confirms.answered_by(call, body.response)
        linkage = asked.subject
        body.check()
        entries = body.patient or []
        if not pairs(entries) <= linkage.chosen:
            raise bad("ABDM-1057", "Invalid care contexts: not what the patient chose")
        asked.answered = True
        self.links.add(linkage.hip_id, linkage.abha_address, entries, "PATIENT")
        answer = _present(patient=body.patient, error=body.error)
        return Reply(202, then=self._to_app(linkage, ON_CONFIRM, answer))

    def _to_hip(
        self,
        linkage: Linkage,
        path: str,
        question: dict[str, Any],
        conversations: Conversations[Linkage],
        unanswered: str,
    ) -> Callback:
        conversation: Conversation[Linkage] = conversations.about(linkage, linkage.hip_id)

        async def unreachable() -> None:
            error = {"code": "ABDM-1401", "message": "HIP not available"}
            self.sender.later(self._to_app(linkage, unanswered, {"error": error}))

        return Callback(
            service_id=linkage.hip_id,
            path=path,
            body=question,
            expect=lambda request_id: conversations.ask(request_id, conversation),
            failed=unreachable,
        )

    def _to_app(self, linkage: Linkage, path: str, answer: dict[str, Any]) -> Callback:
        request = {
            ON_DISCOVER: linkage.discover_request,
            ON_INIT: linkage.init_request,
            ON_CONFIRM: linkage.confirm_request,
        }[path]
        body = {"transactionId": linkage.transaction_id, **answer, "response": {"requestId": request}}
        return Callback(service_id=linkage.phr_id, path=f"{PHR_SIDE}/{path}", body=body, as_hiu=True)

    def _note_findings(self, linkage: Linkage) -> None:
        for reference, context, hi_type in pairs(linkage.found):
            if self.links.has(linkage.hip_id, linkage.abha_address, reference, context, hi_type):
                self.journal.found("DISC-linked", f"{linkage.hip_id} offered {context}, which is linked already")
        if len({entry.reference_number for entry in linkage.found}) > 1:
            self.journal.found("DISC-01", f"{linkage.hip_id} offered more than one patient")


def _mistyped(otp: str) -> str:
    """As many digits, and none of them the one that was typed."""
    return "".join(str((int(digit) + 1) % 10) if digit.isdigit() else digit for digit in otp)


def _chosen(entries: Sequence[ChosenEntry]) -> set[tuple[str, str, str]]:
    return {(e.reference_number, c.reference_number, e.hi_type) for e in entries for c in e.care_contexts}


def _present(**parts: Any) -> dict[str, Any]:
    return {name: msgspec.to_builtins(part) for name, part in parts.items() if part is not None}
