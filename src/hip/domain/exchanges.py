"""One conversation with the gateway: a call, its wait, and the callback that answers it (design.md, data flows)."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType, Self

from hip.domain.errors import UNSENT, IllegalTransition
from hip.domain.identifiers import HipId, RequestId

ExchangeId = NewType("ExchangeId", str)


class Flow(StrEnum):
    """Every kind of call we make; the value names it in logs, commands and the error catalogue."""

    GENERATE_TOKEN = "generate-token"  # noqa: S105 - the name of a call
    LINK_CARE_CONTEXT = "link-care-context"
    CONTEXT_NOTIFY = "context-notify"
    SMS_NOTIFY = "sms-notify"
    ON_DISCOVER = "on-discover"
    ON_INIT = "on-init"
    ON_CONFIRM = "on-confirm"
    ON_SHARE = "on-share"
    CONSENT_ON_NOTIFY = "consent-on-notify"
    ON_DEACTIVATE = "on-deactivate"
    HEALTH_INFORMATION_ON_REQUEST = "health-information-on-request"
    HEALTH_INFORMATION_NOTIFY = "health-information-notify"

    @property
    def expects_callback(self) -> bool:
        """True for the four calls the gateway answers by a callback; the others end when they are accepted."""
        return self in _ANSWERED_BY_CALLBACK

    @property
    def at_most_once(self) -> bool:
        """True for what a person feels or what is counted: never repeated by itself after a crash hid its fate."""
        return self in (Flow.GENERATE_TOKEN, Flow.SMS_NOTIFY)

    @property
    def renewable(self) -> bool:
        """True for a call that may be wanted anew after it succeeded: a link token expires, or is found bad."""
        return self is Flow.GENERATE_TOKEN

    def already_done(self, code: str) -> bool:
        """True for the codes by which the gateway says that a repeat of this call changes nothing (contract §1.11)."""
        return code in _DUPLICATES.get(self, frozenset())


_DUPLICATES: dict[Flow, frozenset[str]] = {
    Flow.LINK_CARE_CONTEXT: frozenset({"ABDM-1056"}),
    Flow.ON_DISCOVER: frozenset({"ABDM-1106"}),
    Flow.ON_INIT: frozenset({"ABDM-1107"}),
    Flow.ON_CONFIRM: frozenset({"ABDM-1108"}),
    # Our REQUEST-IDs are always new, so this speaks of the notice's: it was answered, and only the reply got lost.
    Flow.CONSENT_ON_NOTIFY: frozenset({"ABDM-1064"}),
    Flow.ON_SHARE: frozenset({"ABDM-1087"}),
    Flow.HEALTH_INFORMATION_ON_REQUEST: frozenset({"ABDM-1113"}),
}

_ANSWERED_BY_CALLBACK = frozenset({Flow.GENERATE_TOKEN, Flow.LINK_CARE_CONTEXT, Flow.CONTEXT_NOTIFY, Flow.SMS_NOTIFY})


class Outcome(StrEnum):
    """The five that never look alike."""

    SENT = "sent"
    ACCEPTED = "accepted"
    ANSWERED = "answered"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP call. Registered before sending, because its callback may overtake the reply (contract §1.8).

    ``status`` is the HTTP status of the reply (None: none seen), ``code`` the error code of reply or callback.
    ``payload`` is a short hash of what was said, where a refusal depends on it (contract §5.3): the demographics of a
    token request.
    """

    request_id: RequestId
    sent_at: datetime
    status: int | None = None
    code: str | None = None
    replied_at: datetime | None = None
    answered_at: datetime | None = None
    payload: str | None = None

    @property
    def may_have_arrived(self) -> bool:
        """False only for a call that certainly did not leave: it counts against no quota (LINK-02)."""
        return self.answered_at is not None or self.code not in UNSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A conversation and its attempts, oldest first, but the answered one last, for it is the last word.

    ``business_key`` may be an ABHA address. ``refusal`` is the first code that was met, kept for ever. ``answer_due``
    (UTC) is when silence becomes ``unanswered``; None for calls that no callback answers.
    """

    id: ExchangeId
    hip_id: HipId
    flow: Flow
    business_key: str = field(repr=False)
    outcome: Outcome
    opened_at: datetime
    updated_at: datetime
    answer_due: datetime | None
    refusal: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @classmethod
    def open(
        cls,
        id_: ExchangeId,
        *,
        hip_id: HipId,
        flow: Flow,
        business_key: str,
        request_id: RequestId,
        now: datetime,
        answer_due: datetime | None,
        payload: str | None = None,
    ) -> Self:
        """A new conversation with its first attempt, about to be sent."""
        return cls(
            id=id_,
            hip_id=hip_id,
            flow=flow,
            business_key=business_key,
            outcome=Outcome.SENT,
            opened_at=now,
            updated_at=now,
            answer_due=answer_due if flow.expects_callback else None,
            attempts=(Attempt(request_id=request_id, sent_at=now, payload=payload),),
        )

    @property
    def succeeded(self) -> bool:
        """True when the last word was good: answered without an error, or accepted where nothing more is due."""
        code = self.attempts[-1].code if self.attempts else None
        if self.outcome is Outcome.ANSWERED:
            return code is None
        return self.outcome is Outcome.ACCEPTED and not self.flow.expects_callback

    @property
    def settled(self) -> bool:
        """True when nothing more is awaited."""
        return self.outcome in (Outcome.ANSWERED, Outcome.REFUSED, Outcome.UNANSWERED) or self.succeeded

    def heard(self, request_id: RequestId) -> bool:
        """True when the callback to this attempt has come already."""
        return any(a.request_id == request_id and a.answered_at is not None for a in self.attempts)

    def overdue(self, now: datetime) -> bool:
        """True when the callback should have come by now."""
        return self.answer_due is not None and now >= self.answer_due

    def again(
        self, request_id: RequestId, *, now: datetime, answer_due: datetime | None, payload: str | None = None
    ) -> Self:
        """Another attempt under a fresh REQUEST-ID. Raises IllegalTransition once the exchange has succeeded."""
        if self.succeeded:
            raise IllegalTransition("exchange", self.outcome, "another attempt")
        return replace(
            self,
            outcome=Outcome.SENT,
            updated_at=now,
            answer_due=answer_due if self.flow.expects_callback else None,
            attempts=(*self.attempts, Attempt(request_id=request_id, sent_at=now, payload=payload)),
        )

    def accept(self, request_id: RequestId, *, status: int, now: datetime) -> Self:
        """A 2xx reply. An answer that came first stays the outcome."""
        attempts = self._with(request_id, status=status, replied_at=now)
        outcome = Outcome.ACCEPTED if self.outcome is Outcome.SENT else self.outcome
        return replace(self, attempts=attempts, outcome=outcome, updated_at=now)

    def refuse(self, request_id: RequestId, *, status: int | None, code: str, now: datetime) -> Self:
        """A refusal, or no reply at all (``status`` None). An answer that came first stays, and so does a success.

        Of an older attempt it is noted, but does not settle the newest.
        """
        known = self._attempt(request_id)
        kept = code if known.answered_at is None else known.code
        attempts = self._with(request_id, status=status, code=kept, replied_at=now)
        awaited = self.outcome in (Outcome.SENT, Outcome.ACCEPTED) and not self.succeeded
        outcome = Outcome.REFUSED if awaited and known is self.attempts[-1] else self.outcome
        return replace(self, attempts=attempts, outcome=outcome, refusal=self.refusal or code, updated_at=now)

    def answer(self, request_id: RequestId, *, code: str | None, now: datetime) -> Self:
        """The callback, early, late or repeated; ``code`` is its error, None for success. A success is final."""
        if self.succeeded:
            return self
        attempts = self._with(request_id, code=code, answered_at=now)
        # The answered attempt is the last word even when a later one is under way: the business is the same.
        answered = next(a for a in attempts if a.request_id == request_id)
        attempts = (*(a for a in attempts if a.request_id != request_id), answered)
        return replace(
            self,
            attempts=attempts,
            outcome=Outcome.ANSWERED,
            refusal=self.refusal or code,
            updated_at=now,
        )

    def lapse(self, *, now: datetime) -> Self:
        """No answer in the window, or no reply was ever seen: ``unanswered``, and shown as that."""
        if self.settled:
            return self
        return replace(self, outcome=Outcome.UNANSWERED, updated_at=now)

    def _attempt(self, request_id: RequestId) -> Attempt:
        for attempt in self.attempts:
            if attempt.request_id == request_id:
                return attempt
        raise IllegalTransition("exchange", self.outcome, "a reply to an unknown attempt")

    def _with(self, request_id: RequestId, **changes: object) -> tuple[Attempt, ...]:
        known = self._attempt(request_id)
        return tuple(replace(a, **changes) if a is known else a for a in self.attempts)  # type: ignore[arg-type]
