"""What patients do in the app: search, link, share. Each step waits for a callback (contract §2.5 - §2.8)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hip.entrypoints.sandbox.gateway_line import GatewayLine, problem_of
from hip.entrypoints.sandbox.parties import Patient
from hip.entrypoints.sandbox.patient.telephone import Telephone
from hip.entrypoints.sandbox.views import DiscoveryView, LinkAttemptView, Problem, ShareView

FRONT = "/user-initiated-linking/v3"


class Account(msgspec.Struct):
    """A signed-in patient."""

    token: str
    patient: Patient

    def __repr__(self) -> str:
        return "Account(...)"


class CannotDo(ValueError):
    """This step does not fit the state of the journey; the text says why."""


@dataclass(slots=True)
class Journeys:
    """Keeps every journey by its own id and by the REQUEST-ID that waits for an answer."""

    line: GatewayLine
    telephone: Telephone
    discoveries: dict[str, DiscoveryView] = field(default_factory=dict)
    attempts: dict[str, LinkAttemptView] = field(default_factory=dict)
    shares: dict[str, ShareView] = field(default_factory=dict)
    _accounts: dict[str, Account] = field(default_factory=dict, repr=False)
    _waiting: dict[str, str] = field(default_factory=dict)
    _read: dict[str, int] = field(default_factory=dict)

    async def discover(
        self, abha_address: str, hip_id: str, identifiers: Sequence[Mapping[str, str]] | None
    ) -> DiscoveryView:
        """Search for care contexts at a HIP. Raises CannotDo for an unknown account."""
        account = await self._account(abha_address)
        journey = DiscoveryView(id=str(uuid.uuid4()), abha_address=abha_address, hip_id=hip_id, status="waiting")
        self.discoveries[journey.id] = journey
        body = {"hip": {"id": hip_id}, "unverifiedIdentifiers": list(identifiers) if identifiers else None}
        problem = await self._send(account, f"{FRONT}/patient/care-context/discover", body, journey.id)
        if problem is not None:
            self.discoveries[journey.id] = msgspec.structs.replace(journey, status="failed", problem=problem)
        return self.discoveries[journey.id]

    async def link(self, discovery_id: str, references: Sequence[str] | None) -> LinkAttemptView:
        """Pick care contexts of a discovery, all when ``references`` is null. Raises CannotDo."""
        found = self.discoveries.get(discovery_id)
        if found is None or found.status != "found":
            raise CannotDo("nothing was found by this discovery")
        account = await self._account(found.abha_address)
        journey = LinkAttemptView(
            id=str(uuid.uuid4()), abha_address=found.abha_address, hip_id=found.hip_id, status="waiting"
        )
        self.attempts[journey.id] = journey
        self._read[journey.id] = len(self.telephone.inbox(account.patient.mobile))
        body = {"transactionId": found.transaction_id, "patient": _picked(found.patient, references)}
        problem = await self._send(account, f"{FRONT}/link/care-context/init", body, journey.id)
        if problem is not None:
            self.attempts[journey.id] = msgspec.structs.replace(journey, status="failed", problem=problem)
        return self.attempts[journey.id]

    async def enter_otp(self, attempt_id: str, otp: str | None) -> LinkAttemptView:
        """Type the OTP; without one, that of the newest message since the linking began. Raises CannotDo."""
        journey = self.attempts.get(attempt_id)
        if journey is None or journey.reference_number is None or journey.status == "linked":
            raise CannotDo("this linking does not wait for an OTP")
        account = await self._account(journey.abha_address)
        token = otp or self.telephone.newest_otp(account.patient.mobile, after=self._read[attempt_id])
        if token is None:
            raise CannotDo("no OTP came yet")
        self.attempts[attempt_id] = msgspec.structs.replace(journey, status="confirming", problem=None)
        body = {"confirmation": {"linkRefNumber": journey.reference_number, "token": token}}
        problem = await self._send(account, f"{FRONT}/link/care-context/confirm", body, attempt_id)
        if problem is not None:
            self.attempts[attempt_id] = msgspec.structs.replace(journey, status="failed", problem=problem)
        return self.attempts[attempt_id]

    async def share(self, abha_address: str, hip_id: str, context: str, intent: str) -> ShareView:
        """Scan the code of a counter. Raises CannotDo for an unknown account."""
        account = await self._account(abha_address)
        journey = ShareView(id=str(uuid.uuid4()), abha_address=abha_address, hip_id=hip_id, status="waiting")
        self.shares[journey.id] = journey
        meta = {"hipId": hip_id, "context": context, "hprId": None, "latitude": "18.5204", "longitude": "73.8567"}
        problem = await self._send(account, "/patient-share/v3/share", {"intent": intent, "metaData": meta}, journey.id)
        if problem is not None:
            self.shares[journey.id] = msgspec.structs.replace(journey, status="failed", problem=problem)
        return self.shares[journey.id]

    def on_discover(self, body: Mapping[str, Any]) -> None:
        """What the HIP found."""
        journey = self.discoveries.get(self._journey(body))
        if journey is None or journey.status != "waiting":
            return
        problem = problem_of(body.get("error"))
        self.discoveries[journey.id] = msgspec.structs.replace(
            journey,
            status="failed" if problem else "found",
            transaction_id=body.get("transactionId"),
            patient=tuple(body.get("patient") or ()),
            matched_by=tuple(body.get("matchedBy") or ()),
            problem=problem,
        )

    def on_init(self, body: Mapping[str, Any]) -> None:
        """The HIP waits for an OTP, or refused."""
        journey = self.attempts.get(self._journey(body))
        if journey is None or journey.status != "waiting":
            return
        problem, link = problem_of(body.get("error")), body.get("link") or {}
        self.attempts[journey.id] = msgspec.structs.replace(
            journey,
            status="failed" if problem else "otp",
            reference_number=link.get("referenceNumber"),
            meta=link.get("meta") or {},
            problem=problem,
        )

    def on_confirm(self, body: Mapping[str, Any]) -> None:
        """Linked, or the OTP was refused: then another may be tried."""
        journey = self.attempts.get(self._journey(body))
        if journey is None or journey.status != "confirming":
            return
        problem = problem_of(body.get("error"))
        self.attempts[journey.id] = msgspec.structs.replace(
            journey,
            status="failed" if problem else "linked",
            patient=tuple(body.get("patient") or ()),
            problem=problem,
        )

    def on_share(self, body: Mapping[str, Any]) -> None:
        """The queue token, or a refusal."""
        journey = self.shares.get(self._journey(body))
        if journey is None or journey.status != "waiting":
            return
        problem, taken = problem_of(body.get("error")), body.get("acknowledgement") or {}
        token = taken.get("profile") or {}
        failed = problem is not None or taken.get("status") != "SUCCESS"
        self.shares[journey.id] = msgspec.structs.replace(
            journey,
            status="failed" if failed else "shared",
            token_number=token.get("tokenNumber"),
            expiry=int(token["expiry"]) if "expiry" in token else None,
            problem=problem,
        )

    async def _account(self, abha_address: str) -> Account:
        account = self._accounts.get(abha_address.casefold())
        if account is None:
            response = await self.line.sandbox("POST", "/sign-in", {"abhaAddress": abha_address})
            if not response.is_success:
                raise CannotDo("the gateway knows no such account")
            account = self._accounts[abha_address.casefold()] = msgspec.json.decode(response.content, type=Account)
        return account

    async def _send(self, account: Account, path: str, body: Any, journey_id: str) -> Problem | None:
        answer = await self.line.send(
            "POST",
            path,
            body,
            headers={"X-AUTH-TOKEN": account.token},
            expect=lambda request_id: self._waiting.update({request_id: journey_id}),
        )
        return answer.problem

    def _journey(self, body: Mapping[str, Any]) -> str:
        return self._waiting.get(str((body.get("response") or {}).get("requestId", "")), "")


def _picked(groups: Sequence[Mapping[str, Any]], references: Sequence[str] | None) -> list[dict[str, Any]]:
    picked = []
    for group in groups:
        contexts = [
            {"referenceNumber": context["referenceNumber"]}
            for context in group["careContexts"]
            if references is None or context["referenceNumber"] in references
        ]
        if contexts:
            picked.append(
                {
                    "referenceNumber": group["referenceNumber"],
                    "careContexts": contexts,
                    "hiType": group["hiType"],
                    "count": len(contexts),
                }
            )
    return picked
