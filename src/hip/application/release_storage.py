"""The release side of a unit of work: consents, transfers with their pages, and decision records.

The rules of ``storage`` hold here too: keyed by HIP first, ``lock`` keeps others off until the unit ends.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from hip.application.listings import Listing
from hip.domain.consents import Consent
from hip.domain.decision_seals import NumberedDecision
from hip.domain.decisions import Decision
from hip.domain.identifiers import AbhaAddress, ConsentId, HipId, TransactionId
from hip.domain.pages import Page
from hip.domain.transfers import Transfer, TransferOutcome, TransferState
from hip.domain.waiting_entries import LapsedEntry, WaitingEntry


class Consents(Protocol):
    async def save(self, consent: Consent) -> None:
        """Insert or replace by (hip_id, consent_id). A None artefact removes the stored one (RET-01)."""

    async def lock(self, hip_id: HipId, consent_id: ConsentId) -> Consent | None:
        """Serialises callers also while there is none yet: a notice cannot overwrite one that came with it."""

    async def lock_again(self, held: Consent) -> Consent | None:
        """Lock its row: ``held`` itself while nothing of it has changed (no artefact is read then), else what it is."""

    async def get(self, hip_id: HipId, consent_id: ConsentId) -> Consent | None: ...
    async def of_patient(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[Consent]:
        """Consents whose artefact names this patient and is still there; locked, oldest first."""

    async def spent(self, *, now: datetime, limit: int) -> Sequence[Consent]:
        """Locked consents of every HIP that still have an artefact, whose ``dataEraseAt`` is over (REL-04)."""

    async def list(self, listing: Listing) -> Sequence[Consent]: ...


class Transfers(Protocol):
    """Table ``data_flow_request``; its pages in ``pages``."""

    async def add(self, transfer: Transfer) -> bool:
        """False when the transaction id is known for this HIP (REL-16)."""

    async def lock(self, hip_id: HipId, transaction_id: TransactionId) -> Transfer | None: ...
    async def get(self, hip_id: HipId, transaction_id: TransactionId) -> Transfer | None: ...
    async def save(self, transfer: Transfer) -> None: ...
    async def open_of_consent(self, hip_id: HipId, consent_id: ConsentId) -> Sequence[Transfer]:
        """Transfers of the consent that are neither done nor dead, oldest first."""

    async def earlier(self, transfer: Transfer, *, since: datetime) -> int:
        """How many other transfers of its consent were asked for since then, and no later than it (REL-12)."""

    async def alerting(self, *, now: datetime, limit: int) -> Sequence[Transfer]:
        """Locked transfers of every HIP whose ``alert_at`` has come, earliest first (PUSH-07)."""

    async def list(
        self, listing: Listing, *, state: TransferState | None = None, outcome: TransferOutcome | None = None
    ) -> Sequence[Transfer]: ...
    async def add_pages(self, pages: Sequence[Page]) -> None:
        """Insert pages; those that exist stay as they are."""

    async def lock_page(self, hip_id: HipId, transaction_id: TransactionId, number: int) -> Page | None: ...
    async def save_page(self, page: Page) -> None: ...
    async def lock_pages(self, hip_id: HipId, transaction_id: TransactionId, numbers: Sequence[int]) -> Sequence[Page]:
        """Those that exist, by number."""

    async def save_pages(self, hip_id: HipId, transaction_id: TransactionId, pages: Sequence[Page]) -> None:
        """State, attempts, reason and end of pages of this transfer that are locked; unknown ones are passed over."""

    async def pending_pages(self, hip_id: HipId, transaction_id: TransactionId, *, limit: int) -> Sequence[Page]:
        """Pages still to be pushed, by number."""

    async def close_pages(self, hip_id: HipId, transaction_id: TransactionId, reason: str, *, now: datetime) -> None:
        """Every page still to be pushed ends errored for this reason."""

    async def pages(self, hip_id: HipId, transaction_id: TransactionId) -> Sequence[Page]:
        """All pages, by number."""


class WaitingEntries(Protocol):
    """Table ``health_information``: sealed entries that wait to be fetched, sealed once more at rest."""

    async def add(self, entry: WaitingEntry) -> None:
        """Raises Conflict when the id is taken, by whatever HIP."""

    async def find(self, information_id: str) -> WaitingEntry | None:
        """Of whatever HIP: the id, which is random, is all that a requester brings."""

    async def remove(self, hip_id: HipId, information_id: str) -> bool:
        """False when it is not there; of two that remove it at once, one is told True."""

    async def remove_of_consent(self, hip_id: HipId, consent_id: ConsentId) -> int:
        """How many there were."""

    async def remove_older(self, *, than: datetime, limit: int) -> Sequence[LapsedEntry]:
        """Remove those of every HIP that were made then or before, oldest first; which ones."""


class Decisions(Protocol):
    """Table ``release_decisions``: only ever added to, in the transaction of what a decision justifies."""

    async def append(self, decision: Decision) -> None: ...
    async def append_all(self, decisions: Sequence[Decision]) -> None:
        """In this order; none is fine."""

    async def list(
        self,
        listing: Listing,
        *,
        transaction_id: TransactionId | None = None,
        consent_id: ConsentId | None = None,
        patient: str | None = None,
        requester: str | None = None,
    ) -> Sequence[Decision]:
        """Newest first. ``patient`` is the digest of an ABHA address, ``requester`` an HIU id."""

    async def numbered(self, hip_id: HipId, *, after: int, limit: int) -> Sequence[NumberedDecision]:
        """Records by number, from the first one above ``after`` on."""

    async def tally(self, hip_id: HipId, consent_id: ConsentId) -> int:
        """How many there are about a consent."""
