"""Which callback an on-X answers: by the callback's REQUEST-ID in ``response.requestId`` (contract §1.9)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from hip.entrypoints.sandbox.gateway.calls import Call
from hip.entrypoints.sandbox.gateway.refusals import bad
from hip.entrypoints.sandbox.moments import Now

T = TypeVar("T")


class ResponseBody(msgspec.Struct, rename="camel"):
    """``response`` of every on-X."""

    request_id: str


class ErrorBody(msgspec.Struct):
    """``error`` of an on-X."""

    code: str
    message: str


@dataclass(slots=True)
class Conversation(Generic[T]):
    """A question put to a service, and whether it was answered."""

    subject: T
    service_id: str
    asked_at: datetime
    answered: bool = False


@dataclass(slots=True)
class Conversations(Generic[T]):
    """The open questions of one flow. ``duplicate``: the code of a second answer. ``window``: how long one may take."""

    now: Now
    duplicate: str
    window: timedelta
    _asked: dict[str, Conversation[T]] = field(default_factory=dict)

    def ask(self, request_id: str, conversation: Conversation[T]) -> None:
        """Remember a question; one asked again under a new id stays one conversation."""
        self._asked[request_id] = conversation

    def about(self, subject: T, service_id: str) -> Conversation[T]:
        """A new question to ``service_id``."""
        return Conversation(subject, service_id, self.now())

    def answered_by(self, call: Call, response: ResponseBody) -> Conversation[T]:
        """The question that this call answers; not yet marked so, for an invalid answer may be corrected.

        Raises Refusal: ABDM-1030 for an id that was never sent to this client, the flow's duplicate code for a second
        answer, ABDM-1052 when the time to answer is over.
        """
        found = self._asked.get(response.request_id)
        if found is None or all(service.id != found.service_id for service in call.caller.services):
            raise bad("ABDM-1030", "Invalid request id, request id not found")
        if found.answered:
            raise bad(self.duplicate, "Duplicate response")
        if self.now() - found.asked_at > self.window:
            raise bad("ABDM-1052", "Invalid transaction id or response.requestId, transaction expired")
        return found
