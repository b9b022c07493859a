"""A transfer: one health-information request from its arrival to the truthful notify (contract §2.10–2.12)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from hip.domain.consents import DateRange
from hip.domain.errors import IllegalTransition
from hip.domain.identifiers import ConsentId, HipId, RequestId, TransactionId
from hip.domain.key_material import KeyMaterial
from hip.domain.pages import Page, PageState

ALERTS = (50, 80)
"""PUSH-07: the shares of a transfer's time, in percent, after which somebody is told that it is not over."""


class TransferState(StrEnum):
    """design.md, data flows."""

    REQUESTED = "requested"
    ACKNOWLEDGED = "acknowledged"
    PUSHING = "pushing"
    NOTIFYING = "notifying"
    DONE = "done"
    DEAD = "dead"


class TransferOutcome(StrEnum):
    """The session status that is reported (PUSH-08)."""

    TRANSFERRED = "TRANSFERRED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthInformationRequest:
    """What the requester asks: the span of dates, where to push (verbatim), and how to encrypt.

    ``requester`` is the X-HIU-ID that came with the request; most come without (contract §1.2).
    """

    date_range: DateRange
    data_push_url: str = field(repr=False)
    key_material: KeyMaterial
    requester: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """State and books of one transfer. ``request_id`` is the callback's, to be named in our on-request.

    ``refusal`` is the ABDM code of a request that the consent does not allow. ``done_at`` is fixed when the outcome
    is, so that every repeat of the notify says the same. ``retries`` counts an operator's, ``retried_at`` is the last.
    ``alerted`` is the share of its time, in percent, after which somebody was last told that it is late. Times are UTC.
    """

    hip_id: HipId
    transaction_id: TransactionId
    consent_id: ConsentId
    request_id: RequestId
    request: HealthInformationRequest
    state: TransferState
    requested_at: datetime
    updated_at: datetime
    deadline: datetime
    acknowledged_at: datetime | None = None
    page_count: int | None = None
    outcome: TransferOutcome | None = None
    refusal: str | None = None
    reason: str | None = None
    attempts: int = 0
    retries: int = 0
    done_at: datetime | None = None
    notified_at: datetime | None = None
    retried_at: datetime | None = None
    alerted: int = 0

    @property
    def alert_at(self) -> datetime | None:
        """When somebody is next told that it is late (PUSH-07); None once it has ended, or both alerts are out."""
        left = [percent for percent in ALERTS if percent > self.alerted]
        if not left or self.state in (TransferState.DONE, TransferState.DEAD):
            return None
        return self._at(left[0])

    def alert(self, *, now: datetime) -> Self:
        """Whatever alerts are due by now are out; ``alerted`` is then the highest of them."""
        return replace(self, alerted=max([self.alerted, *(p for p in ALERTS if self._at(p) <= now)]))

    def _at(self, percent: int) -> datetime:
        began = self.retried_at or self.requested_at
        return began + (self.deadline - began) * percent / 100

    def acknowledge(self, *, now: datetime) -> Self:
        """The gateway took our on-request; it may be told again after a crash."""
        if self.state is TransferState.REQUESTED:
            return replace(self, state=TransferState.ACKNOWLEDGED, acknowledged_at=now, updated_at=now)
        if self.acknowledged_at is None:
            raise IllegalTransition("transfer", self.state, "an acknowledgement")
        return self

    def refuse(self, code: str, reason: str, *, notify: bool, now: datetime) -> Self:
        """The consent does not allow it: nothing leaves. With ``notify`` the gateway is still told FAILED (REL-23)."""
        self._require("a refusal", TransferState.REQUESTED)
        return replace(
            self,
            state=TransferState.NOTIFYING if notify else TransferState.DONE,
            outcome=TransferOutcome.FAILED,
            refusal=self.refusal or code,
            reason=reason,
            done_at=now,
            updated_at=now,
        )

    def plan(self, page_count: int, *, now: datetime) -> Self:
        """The pages are known and stored; ``page_count`` counts the pushes that carry them."""
        if self.state is TransferState.PUSHING:
            return self
        self._require("a plan", TransferState.ACKNOWLEDGED)
        return replace(self, state=TransferState.PUSHING, page_count=page_count, updated_at=now)

    def finish(self, pages: Iterable[Page], *, now: datetime, reason: str | None = None) -> Self:
        """Every page has ended: TRANSFERRED when at least one was delivered and nothing cut it short, else FAILED.

        ``reason`` says what cut it short (revoked, expired, deadline). Raises IllegalTransition while a page is open.
        """
        if self.state is TransferState.NOTIFYING:
            return self
        self._require("an end", TransferState.PUSHING)
        states = [page.state for page in pages]
        if PageState.PENDING in states:
            raise IllegalTransition("transfer", self.state, "an end while pages are open")
        transferred = PageState.DELIVERED in states and reason is None
        return replace(
            self,
            state=TransferState.NOTIFYING,
            outcome=TransferOutcome.TRANSFERRED if transferred else TransferOutcome.FAILED,
            reason=reason,
            done_at=now,
            updated_at=now,
        )

    def notified(self, *, now: datetime) -> Self:
        """The gateway accepted the notify: the transfer is over."""
        if self.state is TransferState.DONE:
            return self
        self._require("a notify", TransferState.NOTIFYING)
        return replace(self, state=TransferState.DONE, notified_at=now, updated_at=now)

    def give_up(self, reason: str, *, now: datetime) -> Self:
        """Too many failures: the dead letter, from which an operator may retry. A finished transfer stays finished."""
        if self.state is TransferState.DONE:
            raise IllegalTransition("transfer", self.state, "giving up")
        return replace(self, state=TransferState.DEAD, reason=reason, updated_at=now)

    def attempt(self, *, now: datetime) -> Self:
        """A worker starts or resumes it."""
        if self.state in (TransferState.DONE, TransferState.DEAD):
            raise IllegalTransition("transfer", self.state, "an attempt")
        return replace(self, attempts=self.attempts + 1, updated_at=now)

    def retry(self, *, now: datetime, deadline: datetime) -> Self:
        """An operator's retry of a dead or failed transfer: back to the step it had reached.

        Raises IllegalTransition for one that is running, that was TRANSFERRED, or whose request was refused: the
        requester has been told no and asks anew under another transaction.
        """
        failed = self.state is TransferState.DONE and self.outcome is TransferOutcome.FAILED
        dead = self.state is TransferState.DEAD
        if not (dead or failed) or self.refusal is not None:
            raise IllegalTransition("transfer", self.state, "a retry")
        if dead and self.outcome is not None:
            step = TransferState.NOTIFYING
        elif self.acknowledged_at is None:
            step = TransferState.REQUESTED
        elif self.page_count is None:
            step = TransferState.ACKNOWLEDGED
        else:
            step = TransferState.PUSHING
        kept = step is TransferState.NOTIFYING
        return replace(
            self,
            state=step,
            outcome=self.outcome if kept else None,
            done_at=self.done_at if kept else None,
            reason=self.reason if kept else None,
            notified_at=None,
            attempts=0,
            retries=self.retries + 1,
            retried_at=now,
            alerted=0,
            deadline=deadline,
            updated_at=now,
        )

    def _require(self, event: str, *states: TransferState) -> None:
        if self.state not in states:
            raise IllegalTransition("transfer", self.state, event)
