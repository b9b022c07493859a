"""A transfer: one health-information request from its arrival to the truthful notify (contract §2.10–2.12)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from hip.domain.consents import DateRange
from hip.domain.errors import IllegalTransition
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, HipId, RequestId, TransactionId, VisitCode
from hip.domain.key_material import KeyMaterial

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


class PageState(StrEnum):
    """``delivered`` means the requester answered 2xx; ``errored`` that it will not be tried again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    ERRORED = "errored"


class HiStatus(StrEnum):
    """Per care context, as reported (contract §1.13)."""

    DELIVERED = "DELIVERED"
    ERRORED = "ERRORED"


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
class Page:
    """One record on its way. ``push`` is the number of the push that carries it, from 1 to ``Transfer.page_count``.

    By default each has a push of its own, and ``push`` is its ``number`` (PUSH-01). An ``errored`` page planned for a
    context without anything to send has neither ``push`` nor ``hi_type``.
    """

    hip_id: HipId
    transaction_id: TransactionId
    number: int
    care_context_reference: CareContextReference
    visit_code: VisitCode | None = None
    hi_type: HiType | None = None
    state: PageState = PageState.PENDING
    attempts: int = 0
    reason: str | None = None
    finished_at: datetime | None = None
    push: int | None = None

    @property
    def carried_by(self) -> int:
        """The number of its push; for one that is never pushed, its own."""
        return self.number if self.push is None else self.push

    def attempted(self) -> Self:
        """A push is about to start."""
        if self.state is not PageState.PENDING:
            raise IllegalTransition("page", self.state, "another push")
        return replace(self, attempts=self.attempts + 1)

    def delivered(self, *, now: datetime) -> Self:
        """The requester answered 2xx; hearing so again changes nothing."""
        if self.state is PageState.ERRORED:
            raise IllegalTransition("page", self.state, "a delivery")
        return replace(self, state=PageState.DELIVERED, finished_at=self.finished_at or now, reason=None)

    def errored(self, reason: str, *, now: datetime) -> Self:
        """It will not be sent; ``reason`` is fit to be reported to the gateway. A delivered page stays delivered."""
        if self.state is not PageState.PENDING:
            return self
        return replace(self, state=PageState.ERRORED, reason=reason, finished_at=now)

    def reopened(self) -> Self:
        """A retry by the operator gives an errored page that has a bundle another chance."""
        if self.state is PageState.ERRORED and self.hi_type is not None:
            return replace(self, state=PageState.PENDING, reason=None, finished_at=None)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextStatus:
    """What the notify says of one care context."""

    care_context_reference: CareContextReference
    hi_status: HiStatus
    description: str


def context_statuses(pages: Iterable[Page]) -> tuple[ContextStatus, ...]:
    """Truth per care context (PUSH-08): DELIVERED when every bundle of it was taken, ERRORED otherwise.

    Contexts keep the order of their first page.
    """
    by_context: dict[CareContextReference, list[Page]] = {}
    for page in pages:
        by_context.setdefault(page.care_context_reference, []).append(page)
    statuses: list[ContextStatus] = []
    for reference, its_pages in by_context.items():
        delivered = sum(page.state is PageState.DELIVERED for page in its_pages)
        if delivered == len(its_pages):
            status, description = HiStatus.DELIVERED, f"{delivered} bundle{'s' if delivered > 1 else ''} sent"
        else:
            status = HiStatus.ERRORED
            description = next((p.reason for p in its_pages if p.reason), "not sent")
        statuses.append(ContextStatus(care_context_reference=reference, hi_status=status, description=description))
    return tuple(statuses)


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
