"""A patient's app in front of a ``House``: searches, picks, types what came by SMS."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count

from tests.builders.flows import HIP, House
from tests.builders.visits import MEERA, a_visit

from hip.application.gateway_calls import OnConfirm, OnInit
from hip.application.gateway_events import Delivery, DiscoveryAsked, LinkConfirmAsked, LinkInitAsked
from hip.domain.discovery import DiscoveryQuery, PatientIdentifiers
from hip.domain.exchanges import Flow
from hip.domain.identifiers import AbhaAddress, CareContextReference, LinkReference, PatientReference, TransactionId
from hip.domain.link_attempts import ChosenContext
from hip.domain.patients import Gender, Patient

SURESH = replace(MEERA, abha_address=None, abha_number=None)
"""Meera's demographics for somebody who never told the hospital an ABHA."""

ADDRESS = AbhaAddress("meera.k01@sbx")


class PatientApp:
    """Each step is delivered to the flow that listens; ``request_id`` repeats a delivery."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.transaction = TransactionId("discovery-1")
        self._numbers = count(1)

    def delivery(self, request_id: str | None = None) -> Delivery:
        return self.house.delivery(request_id or f"from-the-app-{next(self._numbers)}")

    async def visit(self, *codes: str, patient: Patient = SURESH) -> None:
        """Visits that are built and linked to nobody."""
        for code in codes or ("88120",):
            await self.house.take_in(a_visit(visit_code=code, patient=patient))
        await self.house.work()

    async def discover(self, *, address: AbhaAddress = ADDRESS, transaction: str | None = None) -> None:
        if transaction is not None:
            self.transaction = TransactionId(transaction)
        query = DiscoveryQuery(
            transaction_id=self.transaction,
            abha_address=address,
            name=MEERA.name,
            gender=Gender.FEMALE,
            birth_year=1984,
            verified=PatientIdentifiers(mobiles=frozenset({"9876543210"})),
            unverified=PatientIdentifiers(),
        )
        await self.house.answer_discovery(self.delivery(), DiscoveryAsked(query=query))

    async def choose(
        self,
        *references: str,
        address: AbhaAddress = ADDRESS,
        patient: str = "PAT-20417",
        transaction: str | None = None,
        request_id: str | None = None,
    ) -> OnInit:
        """Link init, and what the service answers last."""
        chosen = tuple(
            ChosenContext(
                patient_reference=PatientReference(patient), reference=CareContextReference(one), hi_type=None
            )
            for one in references or ("88120",)
        )
        event = LinkInitAsked(
            transaction_id=TransactionId(transaction or self.transaction), abha_address=address, chosen=chosen
        )
        await self.house.answer_link_init(self.delivery(request_id), event)
        said = self.house.gateway.of(Flow.ON_INIT)[-1]
        assert isinstance(said, OnInit)
        return said

    async def type(self, otp: str, *, reference: str | None = None, request_id: str | None = None) -> OnConfirm:
        """Link confirm, and what the service answers last."""
        event = LinkConfirmAsked(reference=LinkReference(reference or self.reference), otp=otp)
        await self.house.answer_link_confirm(self.delivery(request_id), event)
        said = self.house.gateway.of(Flow.ON_CONFIRM)[-1]
        assert isinstance(said, OnConfirm)
        return said

    @property
    def reference(self) -> LinkReference:
        """The link reference of the last challenge."""
        challenges = [call.challenge for call in self.house.gateway.of(Flow.ON_INIT) if isinstance(call, OnInit)]
        return next(one.reference for one in reversed(challenges) if one is not None)

    @property
    def otp(self) -> str:
        """What the last SMS said."""
        return self.house.otp_sender.sent[-1].otp

    @property
    def wrong(self) -> str:
        """Six digits that are not it."""
        return f"{(int(self.otp) + 1) % 1_000_000:06d}"

    async def linked(self, code: str = "88120") -> bool:
        async with self.house.units() as uow:
            context = await uow.care_contexts.get(HIP, CareContextReference(code))
        return context is not None and context.linked


Story = Callable[[House, PatientApp], Awaitable[None]]


def play(story: Story) -> None:
    """A story of a new house and the app in front of it."""

    async def whole() -> None:
        house = House()
        await story(house, PatientApp(house))

    asyncio.run(whole())


def code(answer: OnInit | OnConfirm) -> str | None:
    """The ABDM code the app is told; None when the step went well."""
    return answer.error.code if answer.error else None
