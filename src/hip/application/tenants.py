"""Flow: a callback whose headers name no facility of ours → the one facility that knows what it is about (CB-05)."""

from dataclasses import dataclass

from hip.application.ports import Facilities
from hip.application.storage import UnitOfWork, Units
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import ConsentId, HipId, LinkReference, TransactionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The ids in a body that we, or the gateway towards us, once gave to one thing of one facility (contract §1.3)."""

    link_reference: LinkReference | None = None
    transaction_id: TransactionId | None = None
    consent_id: ConsentId | None = None


@dataclass(frozen=True, slots=True)
class FindFacility:
    """Asks each facility on its own: no statement reads across HIPs."""

    units: Units
    facilities: Facilities

    async def __call__(self, subject: Subject) -> HipId:
        """Raises InvalidValue (ABDM-1035) when nobody knows it, or more than one does, and StorageFailed."""
        async with self.units() as uow:
            found = [f.hip_id for f in self.facilities.all() if await _knows(uow, f.hip_id, subject)]
        if len(found) != 1:
            raise InvalidValue("X-HIP-ID", "a facility of this service", code="ABDM-1035")
        return found[0]


async def _knows(uow: UnitOfWork, hip_id: HipId, subject: Subject) -> bool:
    if subject.link_reference is not None and await uow.link_attempts.get(hip_id, subject.link_reference):
        return True
    if subject.consent_id is not None and await uow.consents.get(hip_id, subject.consent_id):
        return True
    transaction = subject.transaction_id
    return transaction is not None and bool(
        await uow.discoveries.get(hip_id, transaction) or await uow.transfers.get(hip_id, transaction)
    )
