"""A sealed entry that waits for its requester to fetch it, instead of going along in the push (contract §2.11)."""

from dataclasses import dataclass, field
from datetime import datetime

from hip.domain.identifiers import ConsentId, HipId, TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingEntry:
    """``content`` is the entry as it would have been pushed: sealed for the requester, in base64.

    ``token`` is what the requester has to show beside the id; both are random. ``number`` is the page's. UTC.
    """

    hip_id: HipId
    information_id: str
    transaction_id: TransactionId
    consent_id: ConsentId
    number: int
    content: str = field(repr=False)
    token: str = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LapsedEntry:
    """What is left to say of an entry that nobody fetched in time."""

    hip_id: HipId
    transaction_id: TransactionId
    number: int
