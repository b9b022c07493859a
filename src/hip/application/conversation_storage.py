"""Collections of what the gateway said and of what it was asked; part of ``storage``'s unit of work."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hip.application.listings import Listing
from hip.domain.callbacks import Callback, CallbackId, Receipt
from hip.domain.exchanges import Exchange, ExchangeId, Flow
from hip.domain.identifiers import ConsentId, HipId, RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How many attempts of one HIP were refused, and the one that was sent last."""

    hip_id: HipId
    times: int
    last: RequestId


class Callbacks(Protocol):
    async def add(self, callback: Callback) -> bool:
        """Store a delivery. False for a repeat with the same body hash; Conflict for another body (CB-04)."""

    async def add_all(self, deliveries: Sequence[Callback]) -> Sequence[Receipt]:
        """Store them as ``add`` would one after the other; what became of each, in their order.

        A conflict is no error here, so that it touches its own delivery only.
        """

    async def get(self, hip_id: HipId, callback_id: CallbackId) -> Callback | None: ...
    async def save(self, callback: Callback) -> None:
        """Write state, error, runs and finish time. A sealed body of None cuts it out; it is never put back."""

    async def about(self, hip_id: HipId, callback_id: CallbackId, consent_id: ConsentId) -> None:
        """Note which consent a delivery was about."""

    async def subject(self, hip_id: HipId, callback_id: CallbackId) -> ConsentId | None:
        """What ``about`` noted, which outlives the body; None when nothing was."""

    async def cut(self, hip_id: HipId, consent_id: ConsentId) -> Sequence[CallbackId]:
        """Cut the bodies out of all deliveries about a consent; their hashes stay (RET-01). Which ones were cut."""

    async def overdue(self, *, before: datetime) -> Sequence[Callback]:
        """Of each HIP that has any, the oldest one that came before then (UTC) and that no flow has run for yet."""

    async def list(self, listing: Listing) -> Sequence[Callback]: ...


class Exchanges(Protocol):
    async def save(self, exchange: Exchange) -> None:
        """Insert or replace the exchange and its attempts. Conflict when a REQUEST-ID is another exchange's."""

    async def get(self, hip_id: HipId, exchange_id: ExchangeId) -> Exchange | None: ...
    async def lock_by_request_id(self, hip_id: HipId, request_id: RequestId) -> Exchange | None: ...
    async def lock_latest(self, hip_id: HipId, flow: Flow, business_key: str) -> Exchange | None:
        """The newest exchange of a flow about one thing. Serialises callers also while there is none yet."""

    async def lapsed(self, *, now: datetime, limit: int) -> Sequence[Exchange]:
        """Locked exchanges of every HIP that are sent or accepted and whose answer is overdue, oldest first."""

    async def forget(self, hip_id: HipId, flow: Flow, business_key: str, *, alias: str) -> None:
        """Put ``alias`` in the place of a business key that names a person (RET-02); the conversations stay."""

    async def refused_lately(self, codes: Collection[str], *, since: datetime) -> Sequence[Refusals]:
        """Of each HIP, in order of their ids, the attempts sent since then (UTC) that met one of ``codes``."""

    async def requests_since(self, hip_id: HipId, flow: Flow, business_key: str, since: datetime) -> int:
        """How many attempts since then left, or may have left, this service (LINK-02)."""

    async def list(self, listing: Listing) -> Sequence[Exchange]: ...
