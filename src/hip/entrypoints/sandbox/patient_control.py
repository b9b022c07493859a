"""The control API of the patient's app: every step waits for what the HIP made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hip.entrypoints.sandbox.control_line import ControlLine, NeverHappened, Refused
from hip.entrypoints.sandbox.views import (
    ConsentRequestView,
    ConsentView,
    DiscoveryView,
    LinkAttemptView,
    ShareView,
    Sms,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientControl(ControlLine):
    """What the patient does on the telephone: search, link, share, and decide on consents."""

    async def sms_inbox(self, mobile: str) -> list[Sms]:
        """The text messages of a mobile number."""
        return await self.get(self.patient_url, "/sms", list[Sms], mobile=mobile)

    async def wait_for_sms(self, mobile: str, *, more_than: int = 0) -> Sms:
        """Until more than ``more_than`` messages came; the newest."""
        found = await self.until("a text message", lambda: self.sms_inbox(mobile), lambda inbox: len(inbox) > more_than)
        return found[-1]

    async def discover(
        self, abha_address: str, hip_id: str, *, identifiers: Sequence[dict[str, str]] | None = None
    ) -> DiscoveryView:
        """Search at a HIP and wait for its answer: ``found`` or ``failed``."""
        search = {"abhaAddress": abha_address, "hipId": hip_id, "unverifiedIdentifiers": identifiers}
        started = await self.post(self.patient_url, "/discoveries", search, DiscoveryView)
        path = f"/discoveries/{started.id}"
        return await self.until(
            "the answer to the discovery",
            lambda: self.get(self.patient_url, path, DiscoveryView),
            lambda seen: seen.status != "waiting",
        )

    async def choose(self, discovery: DiscoveryView, references: Sequence[str] | None = None) -> LinkAttemptView:
        """Pick care contexts (all by default) and wait for the HIP: ``otp`` or ``failed``."""
        path = f"/discoveries/{discovery.id}/links"
        started = await self.post(self.patient_url, path, {"careContexts": references}, LinkAttemptView)
        return await self._attempt(started.id, "the HIP's answer to link init", ("otp", "failed"))

    async def enter_otp(self, attempt: LinkAttemptView, otp: str | None = None) -> LinkAttemptView:
        """Type the OTP, by default the one that comes to the telephone, and wait: ``linked`` or ``failed``."""

        async def typed() -> int:
            try:
                await self.send("POST", self.patient_url, f"/link-attempts/{attempt.id}/otp", {"otp": otp})
            except Refused as refused:
                return refused.status
            return 200

        status = await self.until("an OTP by text message", typed, lambda seen: seen != 409 or otp is not None)
        if status != 200:
            raise NeverHappened("a step at which an OTP is asked for", 0, attempt)
        return await self._attempt(attempt.id, "the HIP's answer to the OTP", ("linked", "failed"))

    async def share_profile(
        self, abha_address: str, hip_id: str, context: str, *, intent: str = "PROFILE_SHARE"
    ) -> ShareView:
        """Scan a counter's code and wait: ``shared`` or ``failed``."""
        scan = {"abhaAddress": abha_address, "hipId": hip_id, "context": context, "intent": intent}
        started = await self.post(self.patient_url, "/shares", scan, ShareView)
        return await self.until(
            "the HIP's answer to the share",
            lambda: self.get(self.patient_url, f"/shares/{started.id}", ShareView),
            lambda seen: seen.status != "waiting",
        )

    async def pending_consents(self, abha_address: str) -> list[ConsentRequestView]:
        """What waits for the patient's decision."""
        found = await self.get(self.patient_url, "/consent-requests", list[ConsentRequestView], patient=abha_address)
        return [request for request in found if request.status == "REQUESTED"]

    async def grant(self, consent_request_id: str, **narrowing: Any) -> ConsentRequestView:
        """Grant, perhaps less than asked: ``hips``, ``hiTypes``, ``dateRange``, ``careContexts``, ``dataEraseAt``."""
        path = f"/consent-requests/{consent_request_id}/grant"
        return await self.post(self.patient_url, path, narrowing, ConsentRequestView)

    async def deny(self, consent_request_id: str) -> ConsentRequestView:
        """Refuse."""
        return await self.post(
            self.patient_url, f"/consent-requests/{consent_request_id}/deny", None, ConsentRequestView
        )

    async def revoke(self, consent_id: str) -> ConsentView:
        """Take an artefact back."""
        return await self.post(self.patient_url, f"/consents/{consent_id}/revoke", None, ConsentView)

    async def _attempt(self, journey: str, awaited: str, states: Sequence[str]) -> LinkAttemptView:
        return await self.until(
            awaited,
            lambda: self.get(self.patient_url, f"/link-attempts/{journey}", LinkAttemptView),
            lambda seen: seen.status in states,
        )
