"""Pages: the records of a transfer on their way, and what became of each care context (contract §2.11, §2.12)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from hip.domain.errors import IllegalTransition
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, HipId, TransactionId, VisitCode


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

    def unsent(self) -> Self:
        """Nothing left after all, for the requester's circuit had opened meanwhile: it was no attempt."""
        return replace(self, attempts=max(self.attempts - 1, 0))

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
