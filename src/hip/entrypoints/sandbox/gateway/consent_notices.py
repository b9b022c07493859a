"""Notices of what became of consents, and their acknowledgements by both sides (contract §2.9, §2.16)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hip.entrypoints.sandbox.gateway.callbacks import Callback, CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.consent_bodies import HipOnNotify, HiuOnNotify
from hip.entrypoints.sandbox.gateway.consent_book import Artefact, ConsentRequest
from hip.entrypoints.sandbox.gateway.conversations import Conversations
from hip.entrypoints.sandbox.gateway.refusals import Shape, bad
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.moments import Now

WINDOW = timedelta(days=1)
HIP_NOTIFY = "/api/v3/consent/request/hip/notify"
HIU_NOTIFY = "/api/v3/hiu/consent/request/notify"


@dataclass(slots=True)
class ConsentNotices:
    """Told after what is under way (see ``CallbackSender.later``); an acknowledgement is taken for a day."""

    sender: CallbackSender
    scenarios: Scenarios
    now: Now
    _hip_notices: Conversations[tuple[Artefact, str]] = field(init=False)
    _hiu_notices: Conversations[ConsentRequest] = field(init=False)

    def __post_init__(self) -> None:
        self._hip_notices = Conversations(self.now, "ABDM-1064", WINDOW)
        self._hiu_notices = Conversations(self.now, "ABDM-1064", WINDOW)

    def routes(self) -> Routes:
        """The acknowledgements; refusals come as an array."""
        listed = Shape.LISTED_WRAPPED
        return {
            ("POST", "/consent/v3/request/hip/on-notify"): Endpoint(handle=self.hip_on_notify, shape=listed),
            ("POST", "/consent/v3/request/hiu/on-notify"): Endpoint(handle=self.hiu_on_notify, shape=listed),
        }

    async def hip_on_notify(self, call: Call) -> Reply:
        """The HIP took a notice. The first OK of a grant lets its data flow."""
        body = call.body(HipOnNotify, code="ABDM-1041")
        asked = self._hip_notices.answered_by(call, body.response)
        artefact, noticed = asked.subject
        body.acknowledgement.check(artefact.id)
        asked.answered = True
        status = body.acknowledgement.status.upper()
        if noticed == artefact.status:
            artefact.hip_acknowledged = status
        if noticed == "GRANTED" and status == "OK":
            artefact.taken.set()
        return Reply(202)

    async def hiu_on_notify(self, call: Call) -> Reply:
        """The HIU took a notice: one acknowledgement for each artefact."""
        body = call.body(HiuOnNotify, code="ABDM-1041")
        asked = self._hiu_notices.answered_by(call, body.response)
        for acknowledgement in body.acknowledgement:
            if acknowledgement.consent_id not in asked.subject.artefacts:
                raise bad("ABDM-1041", "Invalid acknowledgement")
        asked.answered = True
        return Reply(202)

    def tell_hip(self, artefact: Artefact) -> None:
        """Its status, with the artefact unless a scenario leaves it out of a revocation."""
        notification: dict[str, Any] = {"status": artefact.status, "consentId": artefact.id}
        if artefact.status == "GRANTED" or not self.scenarios.strikes("bare-revocation", HIP_NOTIFY):
            detail = dict(artefact.detail)
            if self.scenarios.strikes("artefact-without-hiu", HIP_NOTIFY):
                del detail["hiu"], detail["requester"]
            if self.scenarios.strikes("zoneless-timestamps", HIP_NOTIFY):
                detail = _without_zone(detail)
            notification |= {
                "consentDetail": detail,
                "signature": artefact.signature,
                "grantAcknowledgement": False,
            }
        notice = self._hip_notices.about((artefact, artefact.status), artefact.hip_id)
        self.sender.later(
            Callback(
                service_id=artefact.hip_id,
                path=HIP_NOTIFY,
                body={"notification": notification},
                expect=lambda request_id: self._hip_notices.ask(request_id, notice),
            )
        )

    def tell_hiu(self, request: ConsentRequest, status: str, artefacts: Sequence[str]) -> None:
        """The status of its request, or of these artefacts of it."""
        notification = {
            "consentRequestId": request.id,
            "status": status,
            "reason": None,
            "consentArtefacts": [{"id": each} for each in artefacts],
        }
        notice = self._hiu_notices.about(request, request.hiu_id)
        self.sender.later(
            Callback(
                service_id=request.hiu_id,
                path=HIU_NOTIFY,
                body={"notification": notification},
                as_hiu=True,
                expect=lambda request_id: self._hiu_notices.ask(request_id, notice),
            )
        )


def _without_zone(part: Any) -> Any:
    """Every ISO time of ``part`` without its ``Z``, as production was seen to send them."""
    if isinstance(part, dict):
        return {name: _without_zone(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_without_zone(value) for value in part]
    if isinstance(part, str) and part.endswith("Z") and part[4:5] == "-" and "T" in part:
        return part.removesuffix("Z")
    return part
