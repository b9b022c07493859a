"""The HIU's side of the conversation: consent, artefact, request for data, report (contract §2.16)."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from abdm_ecdh.keygen import generate_key_material

from hip.entrypoints.sandbox.background import Background
from hip.entrypoints.sandbox.gateway_line import GatewayLine, problem_of
from hip.entrypoints.sandbox.hiu.cases import Case, CaseBook, Transfer
from hip.entrypoints.sandbox.hiu.config import FAULTS, HiuConfig, check_faults
from hip.entrypoints.sandbox.moments import stamp
from hip.entrypoints.sandbox.switches import Switches
from hip.entrypoints.sandbox.views import Problem


class Range(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """ISO times."""

    from_: str
    to: str


class ConsentWish(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What to ask a patient for. Null times: the last ten years, erased after a day. References name care contexts.

    ``faults`` strike every transfer under this consent.
    """

    patient: str
    hi_types: tuple[str, ...]
    hip_id: str | None = None
    care_contexts: tuple[dict[str, str], ...] | None = None
    purpose: str = "CAREMGT"
    date_range: Range | None = None
    data_erase_at: str | None = None
    access_mode: str = "VIEW"
    frequency: dict[str, Any] | None = None
    faults: tuple[str, ...] = ()


class DataWish(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What to ask a HIP for under a consent; null parts are those of the artefact and of the HIU."""

    date_range: Range | None = None
    data_push_url: str | None = None
    key_expiry: str | None = None


class UnknownConsent(LookupError):
    """This HIU holds no such artefact."""


@dataclass(slots=True)
class Requester:
    """Keeps the book and talks to the gateway."""

    config: HiuConfig
    line: GatewayLine
    background: Background
    faults: set[str]
    switches: Switches
    book: CaseBook = field(default_factory=CaseBook)

    async def ask_consent(self, wish: ConsentWish) -> Case:
        """Ask; a refusal of the gateway stands in the case. Raises UnknownFault."""
        check_faults(wish.faults)
        case = Case(str(uuid.uuid4()), wish.patient, faults=frozenset(wish.faults))
        self.book.cases[case.id] = case
        answer = await self.line.send(
            "POST",
            "/consent/v3/request/init",
            {"consent": self._consent(wish)},
            headers=self._identity(),
            expect=lambda request_id: self.book.by_request.update({request_id: case}),
        )
        if answer.problem is not None:
            case.status, case.problem = "FAILED", answer.problem
        return case

    async def ask_data(self, consent_id: str, wish: DataWish) -> Transfer:
        """Ask for data with a key pair of its own. Raises UnknownConsent."""
        case = self.book.of_artefact(consent_id)
        detail = case.artefacts[consent_id] if case else None
        if case is None or not detail:
            raise UnknownConsent(consent_id)
        keys = await asyncio.to_thread(generate_key_material)
        drawn = case.faults | {name for name in FAULTS if self.switches.strikes(name)}
        transfer = Transfer(consent_id, detail["hip"]["id"], keys, drawn)
        case.transfers.append(transfer)
        range_ = wish.date_range or detail["permission"]["dateRange"]
        request = {
            "consent": {"id": consent_id},
            "dateRange": msgspec.to_builtins(range_),
            "dataPushUrl": wish.data_push_url or f"{self.config.public_url}{self.config.push_path}",
            "keyMaterial": {
                "cryptoAlg": "ECDH",
                "curve": "Curve25519",
                "dhPublicKey": {
                    "expiry": wish.key_expiry or stamp(self.config.now() + timedelta(days=1)),
                    "parameters": "Curve25519/32byte random key",
                    "keyValue": keys.x509_public_key if "sends-x509" in self.faults | drawn else keys.public_key,
                },
                "nonce": keys.nonce,
            },
        }

        def expect(request_id: str) -> None:
            transfer.request_id = request_id
            self.book.asked[request_id] = transfer

        answer = await self.line.send(
            "POST",
            "/data-flow/v3/health-information/request",
            {"hiRequest": request},
            headers=self._identity(),
            expect=expect,
        )
        if answer.problem is not None:
            transfer.state, transfer.problem = "refused", answer.problem
        return transfer

    def on_init(self, body: Mapping[str, Any]) -> None:
        """The gateway numbered the request, or refused it."""
        case = self.book.by_request.get(_answered(body))
        if case is None:
            return
        case.problem = problem_of(body.get("error"))
        if case.problem is not None:
            case.status = "FAILED"
        else:
            case.consent_request_id = body["consentRequest"]["id"]

    def on_notify(self, request_id: str, body: Mapping[str, Any]) -> None:
        """A consent changed: acknowledge, and after a grant fetch the artefacts."""
        notification = body["notification"]
        consent_request_id, status = notification["consentRequestId"], notification["status"]
        artefacts = [each["id"] for each in notification.get("consentArtefacts") or ()]
        case = self.book.of_consent_request(consent_request_id)
        if case is None:
            # A consent the patient's app made by itself: this HIU is told of it like of its own.
            case = Case(str(uuid.uuid4()), "", consent_request_id=consent_request_id)
            self.book.cases[case.id] = case
        case.status = status
        self.background.start(self._take_notice(case, request_id, artefacts, status), name="consent notice")

    def on_fetch(self, body: Mapping[str, Any]) -> None:
        """An artefact came; ask for its data when told to do so at once."""
        consent_id, consent = self.book.fetches.get(_answered(body)), body.get("consent") or {}
        case, detail = self.book.of_artefact(consent_id or ""), consent.get("consentDetail")
        if consent_id is None or case is None or not detail:
            return
        first = not case.artefacts[consent_id]
        case.artefacts[consent_id] = detail
        case.patient = detail["patient"]["id"]
        if first and self.config.fetch_on_grant:
            self.background.start(self.ask_data(consent_id, DataWish()), name="data request")

    def on_request(self, body: Mapping[str, Any]) -> None:
        """Only now is the transaction known, and pushes with its id are taken."""
        transfer = self.book.asked.get(_answered(body))
        if transfer is None:
            return
        transfer.problem = problem_of(body.get("error"))
        if transfer.problem is not None:
            transfer.state = "refused"
            return
        session = body.get("hiRequest") or {}
        transfer.transaction_id = session.get("transactionId")
        if transfer.transaction_id is None:
            transfer.state, transfer.problem = "refused", Problem(code="", message="no transaction id came")
        elif transfer.state == "asked":
            transfer.state = "accepted"
            self.book.transfers[transfer.transaction_id] = transfer

    async def report(self, transfer: Transfer) -> None:
        """Tell the gateway that everything came."""
        outcomes = [{"careContextReference": each, "hiStatus": "OK"} for each in transfer.contexts()]
        notification = {
            "consentId": transfer.consent_id,
            "transactionId": transfer.transaction_id,
            "doneAt": stamp(self.config.now()),
            "notifier": {"type": "HIU", "id": self.config.hiu_id},
            "statusNotification": {
                "sessionStatus": "RECEIVED",
                "hipId": transfer.hip_id,
                "statusResponses": outcomes,
            },
        }
        await self.line.send(
            "POST",
            "/data-flow/v3/health-information/notify",
            {"notification": notification},
            headers=self._identity(),
        )

    async def _take_notice(self, case: Case, request_id: str, artefacts: Sequence[str], status: str) -> None:
        for consent_id in artefacts:
            case.artefacts.setdefault(consent_id, {})
        acknowledgement = [{"status": "OK", "consentId": each} for each in artefacts]
        await self.line.send(
            "POST",
            "/consent/v3/request/hiu/on-notify",
            {"acknowledgement": acknowledgement, "response": {"requestId": request_id}},
            headers=self._identity(),
        )
        if status != "GRANTED":
            return
        for consent_id in artefacts:
            await self.line.send(
                "POST",
                "/consent/v3/fetch",
                {"consentId": consent_id},
                headers=self._identity(),
                expect=lambda sent, consent_id=consent_id: self.book.fetches.update({sent: consent_id}),  # type: ignore[misc]
            )

    def _consent(self, wish: ConsentWish) -> dict[str, Any]:
        now = self.config.now()
        range_ = wish.date_range or Range(stamp(now - timedelta(days=3650)), stamp(now))
        return {
            "purpose": {
                "text": wish.purpose,
                "code": wish.purpose,
                "refUri": "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse",
            },
            "patient": {"id": wish.patient},
            "hip": {"id": wish.hip_id} if wish.hip_id else None,
            "careContexts": list(wish.care_contexts) if wish.care_contexts else None,
            "hiu": {"id": self.config.hiu_id},
            "requester": {
                "name": self.config.name,
                "identifier": {"type": "REGNO", "value": "MH1001", "system": "https://www.mciindia.org"},
            },
            "hiTypes": list(wish.hi_types),
            "permission": {
                "accessMode": wish.access_mode,
                "dateRange": msgspec.to_builtins(range_),
                "dataEraseAt": wish.data_erase_at or stamp(now + timedelta(days=1)),
                "frequency": wish.frequency or {"unit": "HOUR", "value": 1, "repeats": 0},
            },
        }

    def _identity(self) -> dict[str, str]:
        return {"X-HIU-ID": self.config.hiu_id}


def _answered(body: Mapping[str, Any]) -> str:
    return str((body.get("response") or body.get("resp") or {}).get("requestId", ""))
