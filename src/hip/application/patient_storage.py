"""Collections of what patients begin themselves, in their own apps; part of ``storage``'s unit of work."""

from datetime import datetime
from typing import Protocol

from hip.domain.identifiers import AbhaAddress, HipId, LinkReference, TransactionId
from hip.domain.link_attempts import LinkAttempt


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

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        """Every attempt of this patient fails (ABDM-1407); ``alias`` stands in the address's place (RET-02)."""
