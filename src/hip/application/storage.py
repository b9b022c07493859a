"""What one transaction can reach. The docstrings are the contract; tests/contract runs it on every adapter.

Every collection is keyed by HIP first: no method reads or writes across HIPs unless it says so. ``lock`` reads a row
and keeps others from it until the unit ends. Methods raise StorageFailed when the store does not answer, Conflict
when a unique key is taken by other content.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from hip.application.bundle_storage import BundleJobs, BundleRecords, Triggers, Visit, Visits
from hip.application.conversation_storage import Callbacks, Exchanges
from hip.application.listings import Listing
from hip.application.lost_work import LostWork
from hip.application.outbox_storage import Claim, Job, JobState, Outbox, OutboxRow, Topic, Work
from hip.application.patient_storage import LinkAttempts, Shares
from hip.application.record_storage import CareContexts, Patients
from hip.application.release_storage import Consents, Decisions, Transfers, WaitingEntries
from hip.domain.audit import AuditEntry, AuditHead, AuditLink
from hip.domain.discovery import DiscoveryRequest
from hip.domain.identifiers import (
    AbhaAddress,
    HipId,
    LinkReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.links import LinkRequest, LinkToken

__all__ = [
    "Audit",
    "BundleJobs",
    "BundleRecords",
    "Callbacks",
    "CareContexts",
    "Claim",
    "Consents",
    "Decisions",
    "Discoveries",
    "Exchanges",
    "Job",
    "JobState",
    "LinkAttempts",
    "LinkRequests",
    "LinkTokens",
    "Listing",
    "LostWork",
    "Outbox",
    "OutboxRow",
    "Patients",
    "Shares",
    "StatementRefused",
    "TokenAnswer",
    "Topic",
    "Transfers",
    "Triggers",
    "UnitOfWork",
    "Units",
    "Visit",
    "Visits",
    "WaitingEntries",
    "Work",
]


class StatementRefused(RuntimeError):
    """The store answers, and refuses what it was told to do: a bug, or a value that it cannot hold.

    The message names neither the statement nor a value.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """A row of ``generate_token_response``: the token (None once dropped or when refused) or the error code."""

    hip_id: HipId
    request_id: RequestId
    abha_address: AbhaAddress
    token: LinkToken | None
    error_code: str | None
    created_at: datetime


class LinkTokens(Protocol):
    """Table ``generate_token_response``; token values are sealed at rest."""

    async def put(self, token: LinkToken, *, request_id: RequestId, now: datetime) -> None: ...
    async def put_refusal(
        self, hip_id: HipId, abha_address: AbhaAddress, code: str, *, request_id: RequestId, now: datetime
    ) -> None: ...
    async def current(self, hip_id: HipId, abha_address: AbhaAddress, *, now: datetime) -> LinkToken | None:
        """The newest token that has not expired and was not dropped."""

    async def answer(self, hip_id: HipId, request_id: RequestId) -> TokenAnswer | None:
        """What the gateway answered to one request."""

    async def drop(self, hip_id: HipId, abha_address: AbhaAddress) -> None:
        """Forget the values of all its tokens, e.g. after ABDM-1026, 1038, 1062, 1063."""

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> Sequence[RequestId]:
        """Drop its tokens and put ``alias`` in its place in every row; which rows (RET-02)."""


class LinkRequests(Protocol):
    """Table ``initiated_link_request``."""

    async def save(self, request: LinkRequest) -> None:
        """Insert or replace by (hip_id, reference)."""

    async def lock_by_visit(self, hip_id: HipId, visit_code: VisitCode) -> LinkRequest | None:
        """The newest request of the visit."""

    async def by_reference(self, hip_id: HipId, reference: LinkReference) -> LinkRequest | None: ...
    async def by_request_id(self, hip_id: HipId, request_id: RequestId) -> Sequence[LinkRequest]:
        """Every visit that went out in that call."""

    async def of_address(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[LinkRequest]:
        """Locked, oldest first."""

    async def led_by(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[LinkRequest]:
        """Every visit that goes, or went, out in the link call of this one. Locked, oldest first."""

    async def awaiting_token(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[LinkRequest]:
        """Locked, oldest first: those that wait for a token, and those shown as unanswered, for a token may be late."""

    async def list(self, listing: Listing) -> Sequence[LinkRequest]: ...


class Discoveries(Protocol):
    """Table ``discovery_request``."""

    async def add(self, request: DiscoveryRequest) -> bool:
        """False when the transaction is already written down."""

    async def asked_since(
        self, hip_id: HipId, abha_address: AbhaAddress, since: datetime, *, beside: TransactionId
    ) -> int:
        """Discoveries of one ABHA address since then, but for the one ``beside`` (DISC-02).

        Serialises callers, also while there are none.
        """

    async def get(self, hip_id: HipId, transaction_id: TransactionId) -> DiscoveryRequest | None: ...
    async def lock(self, hip_id: HipId, transaction_id: TransactionId) -> DiscoveryRequest | None: ...
    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        """Put ``alias`` in the address's place; nothing can be chosen of these any more (RET-02)."""


class Audit(Protocol):
    """One hash chain for each HIP (AUD-02); entries are only ever added."""

    async def append(self, entry: AuditEntry) -> None:
        """The next link of its HIP's chain; it takes its place, and waits for others, when the unit commits."""

    async def list(self, listing: Listing) -> Sequence[AuditEntry]: ...
    async def chain(self, hip_id: HipId, *, after: int, limit: int) -> Sequence[AuditLink]:
        """Links in their order, from sequence ``after`` + 1 on."""

    async def head(self, hip_id: HipId) -> AuditHead:
        """The end of the chain as it was noted beside it."""

    async def chained(self) -> Sequence[HipId]:
        """Every HIP that has a chain, in order."""

    async def latest(self, hip_id: HipId, action: str) -> AuditEntry | None:
        """The last entry of this action in the chain."""


class UnitOfWork(Protocol):
    """One transaction. Leaving the block without ``commit`` undoes everything."""

    @property
    def outbox(self) -> Outbox: ...
    @property
    def callbacks(self) -> Callbacks: ...
    @property
    def exchanges(self) -> Exchanges: ...
    @property
    def link_tokens(self) -> LinkTokens: ...
    @property
    def link_requests(self) -> LinkRequests: ...
    @property
    def care_contexts(self) -> CareContexts: ...
    @property
    def patients(self) -> Patients: ...
    @property
    def visits(self) -> Visits: ...
    @property
    def triggers(self) -> Triggers: ...
    @property
    def bundles(self) -> BundleRecords: ...
    @property
    def bundle_jobs(self) -> BundleJobs: ...
    @property
    def discoveries(self) -> Discoveries: ...
    @property
    def link_attempts(self) -> LinkAttempts: ...
    @property
    def shares(self) -> Shares: ...
    @property
    def consents(self) -> Consents: ...
    @property
    def transfers(self) -> Transfers: ...
    @property
    def waiting_entries(self) -> WaitingEntries: ...
    @property
    def decisions(self) -> Decisions: ...
    @property
    def lost_work(self) -> LostWork: ...
    @property
    def audit(self) -> Audit: ...
    async def commit(self) -> None:
        """Make it lasting. May be called once."""


@runtime_checkable
class Units(Protocol):
    """Opens units of work. Never open one inside another, never hold one across HTTP (style.md §5)."""

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]: ...
