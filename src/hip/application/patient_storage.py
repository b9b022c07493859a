"""Collections of what patients begin themselves, in their own apps; part of ``storage``'s unit of work."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from hip.application.listings import Listing
from hip.domain.identifiers import AbhaAddress, HipId, LinkReference, TransactionId
from hip.domain.link_attempts import LinkAttempt
from hip.domain.shares import QueueToken


class LinkAttempts(Protocol):
    """User-initiated linkings by our link reference; what is left of an OTP is sealed at rest."""

    async def save(self, attempt: LinkAttempt) -> None:
        """Insert or replace by (hip_id, reference)."""

    async def get(self, hip_id: HipId, reference: LinkReference) -> LinkAttempt | None: ...
    async def lock(self, hip_id: HipId, reference: LinkReference) -> LinkAttempt | None: ...
    async def lock_latest(self, hip_id: HipId, transaction_id: TransactionId) -> LinkAttempt | None:
        """The newest one of a discovery."""

    async def otps_since(self, hip_id: HipId, number_key: str, since: datetime) -> int:
        """OTPs made for one number since then. Serialises callers, also while there are none."""

    async def lapsed(self, *, before: datetime, limit: int) -> Sequence[LinkAttempt]:
        """Locked attempts of every HIP that still wait for an OTP which ended before then, oldest first."""

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        """Every attempt of this patient fails (ABDM-1407); ``alias`` stands in the address's place (RET-02)."""


class Shares(Protocol):
    """Queue tokens by counter, Indian day and number; profiles are sealed at rest."""

    async def lock_current(
        self, hip_id: HipId, counter: str, abha_address: AbhaAddress, *, now: datetime
    ) -> QueueToken | None:
        """The patient's newest token of this counter that still holds. Serialises whoever asks about the counter."""

    async def last_number(self, hip_id: HipId, counter: str, day: date) -> int:
        """The highest number of the day, 0 when there is none."""

    async def add(self, token: QueueToken) -> None:
        """Raises Conflict when the number is taken."""

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        """Profiles of this patient are cut out; ``alias`` stands in the address's place (RET-02)."""

    async def list(self, listing: Listing) -> Sequence[QueueToken]: ...
