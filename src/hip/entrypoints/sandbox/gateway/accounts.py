"""A patient closes or reopens an ABHA account (contract §2.14).

The v3 path and body of this callback are not published; what is sent here has the older form on the likeliest path.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Literal

import msgspec

from hip.entrypoints.sandbox.gateway.callbacks import Callback, CallbackSender
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.consent_book import ConsentBook
from hip.entrypoints.sandbox.gateway.conversations import Conversation, Conversations, ResponseBody
from hip.entrypoints.sandbox.gateway.links import Links
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.moments import Now

CALLBACK = "/api/v3/patients/status/notify"
AccountStatus = Literal["DEACTIVATED", "REACTIVATED", "DELETED"]


class OnDeactivate(msgspec.Struct):
    """Only the correlation is known of the answer."""

    response: ResponseBody


@dataclass(slots=True)
class Accounts:
    """Tells every HIP that has links of the patient."""

    registry: Registry
    links: Links
    book: ConsentBook
    sender: CallbackSender
    now: Now
    _notices: Conversations[str] = field(init=False)

    def __post_init__(self) -> None:
        self._notices = Conversations(self.now, "ABDM-1064", timedelta(days=1))

    def routes(self) -> Routes:
        """The HIP's answer."""
        path = "/hip/v3/link/patient/links/hip/ondeactivate"
        return {("POST", path): Endpoint(handle=self.on_deactivate)}

    async def on_deactivate(self, call: Call) -> Reply:
        """Taken once for each notice."""
        asked = self._notices.answered_by(call, call.body(OnDeactivate).response)
        asked.answered = True
        return Reply(202)

    def change(self, abha_address: str, status: AccountStatus) -> bool:
        """Whether the account was known. A deactivated account has no consents, a deleted one no links either."""
        patient = self.registry.patient(abha_address)
        if patient is None:
            return False
        facilities = {link.hip_id for link in self.links.of(abha_address)}
        if status == "DELETED":
            self.registry.drop_patient(abha_address)
            self.links.drop(abha_address)
        else:
            self.registry.put_patient(msgspec.structs.replace(patient, active=status == "REACTIVATED"))
        if status != "REACTIVATED":
            for artefact in self.book.of_patient(abha_address):
                artefact.status = "REVOKED"
        for hip_id in sorted(facilities):
            notice = self._notices.about(patient.abha_address, hip_id)
            body = {"notification": {"status": status, "patient": {"id": patient.abha_address}}}
            self.sender.later(
                Callback(
                    service_id=hip_id,
                    path=CALLBACK,
                    body=body,
                    expect=partial(self._ask, notice),
                )
            )
        return True

    def _ask(self, notice: Conversation[str], request_id: str) -> None:
        self._notices.ask(request_id, notice)
