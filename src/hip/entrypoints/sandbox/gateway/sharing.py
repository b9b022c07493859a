"""Scan and share: a patient shows a profile at a counter and gets a queue token (contract §2.8).

The PHR side's path is not published; ``/patient-share/v3/share`` is the sandbox's own.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from hip.entrypoints.sandbox.gateway.answers import OnShare
from hip.entrypoints.sandbox.gateway.callbacks import Callback, CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.conversations import Conversations
from hip.entrypoints.sandbox.gateway.patient_calls import ShareBody, SignedIn, phr_service, profile_of
from hip.entrypoints.sandbox.gateway.refusals import bad
from hip.entrypoints.sandbox.moments import Now

WINDOW = timedelta(minutes=30)
INTENTS = ("PROFILE_SHARE", "RECORD_SHARE", "PAYMENT_SHARE")


@dataclass(frozen=True, slots=True)
class Shared:
    """A profile on its way to a counter."""

    phr_id: str
    phr_request: str
    abha_address: str
    context: str


@dataclass(slots=True)
class Sharing:
    """Both sides of scan and share."""

    signed_in: SignedIn
    sender: CallbackSender
    now: Now
    _shares: Conversations[Shared] = field(init=False)

    def __post_init__(self) -> None:
        self._shares = Conversations(self.now, "ABDM-1087", WINDOW)

    def routes(self) -> Routes:
        """The endpoints of both sides."""
        return {
            ("POST", "/patient-share/v3/share"): Endpoint(handle=self.share),
            ("POST", "/patient-share/v3/on-share"): Endpoint(handle=self.on_share),
        }

    async def share(self, call: Call) -> Reply:
        """A patient scanned a counter's code: 202, then the HIP gets the profile."""
        patient, body = self.signed_in.patient(call), call.body(ShareBody)
        meta = body.meta_data
        if body.intent not in INTENTS:
            raise bad("ABDM-1049", "Invalid intent")
        if not self.signed_in.registry.is_hip(meta.hip_id):
            raise bad("ABDM-1035", "Invalid HIP id")
        shared = Shared(phr_service(call), call.request_id, patient.abha_address, meta.context)
        conversation = self._shares.about(shared, meta.hip_id)

        async def unreachable() -> None:
            self.sender.later(_to_app(shared, {"error": {"code": "ABDM-1007", "message": "Connection timeout"}}))

        question = {"intent": body.intent, "metaData": msgspec.to_builtins(meta), "profile": profile_of(patient)}
        then = Callback(
            service_id=meta.hip_id,
            path="/api/v3/hip/patient/share",
            body=question,
            expect=lambda request_id: self._shares.ask(request_id, conversation),
            failed=unreachable,
        )
        return Reply(202, then=then)

    async def on_share(self, call: Call) -> Reply:
        """The queue token, handed to the app."""
        body = call.body(OnShare, code="ABDM-1041")
        asked = self._shares.answered_by(call, body.response)
        body.check(abha_address=asked.subject.abha_address, context=asked.subject.context)
        asked.answered = True
        answer = {name: msgspec.to_builtins(getattr(body, name)) for name in ("acknowledgement", "error")}
        return Reply(202, then=_to_app(asked.subject, answer))


def _to_app(shared: Shared, answer: dict[str, object]) -> Callback:
    body = {**answer, "response": {"requestId": shared.phr_request}}
    return Callback(service_id=shared.phr_id, path="/api/v3/hiu/patient/on-share", body=body, as_hiu=True)
