"""What a house (tests.builders.flows) has decided, told and written down, for tests of the release gate."""

from collections.abc import Sequence

from tests.builders.flows import HIP, House, an_artefact

from hip.application.gateway_calls import HealthInformationNotify, HealthInformationOnRequest
from hip.application.storage import Listing
from hip.domain.consents import Consent
from hip.domain.decisions import Decision
from hip.domain.exchanges import Flow
from hip.domain.identifiers import TransactionId
from hip.domain.transfers import Transfer


async def decisions(house: House, **wanted: object) -> Sequence[Decision]:
    """Oldest first."""
    async with house.units() as uow:
        found = await uow.decisions.list(Listing(hip_id=HIP, limit=10_000), **wanted)  # type: ignore[arg-type]
    return found[::-1]


async def transfer_of(house: House, transaction: str = "t-1") -> Transfer:
    async with house.units() as uow:
        found = await uow.transfers.get(HIP, TransactionId(transaction))
    assert found is not None
    return found


async def consent_of(house: House) -> Consent:
    async with house.units() as uow:
        found = await uow.consents.get(HIP, an_artefact().consent_id)
    assert found is not None
    return found


async def audited(house: House, action: str) -> list[dict[str, str]]:
    async with house.units() as uow:
        entries = await uow.audit.list(Listing(hip_id=HIP, limit=10_000))
    return [dict(entry.detail) for entry in entries if entry.action == action]


def answers(house: House) -> list[str | None]:
    calls = house.gateway.of(Flow.HEALTH_INFORMATION_ON_REQUEST)
    return [call.error.code if call.error else None for call in calls if isinstance(call, HealthInformationOnRequest)]


def accounts(house: House) -> dict[str, HealthInformationNotify]:
    calls = house.gateway.of(Flow.HEALTH_INFORMATION_NOTIFY)
    return {call.transaction_id: call for call in calls if isinstance(call, HealthInformationNotify)}
