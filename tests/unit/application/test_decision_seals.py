"""AUD-02: every decision record is taken into the audit's chain, and `verify` finds what was done to one since."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from tests.builders.decisions import a_decision
from tests.builders.flows import HIP, House
from tests.builders.openings import data_asked_for
from tests.builders.releases import audited, decisions

from hip.application.audit import AuditTrail
from hip.application.decision_seals import AT_ONCE, SETTLED
from hip.domain.audit import AuditHead
from hip.domain.decision_seals import DecisionSeal, NumberedDecision

RECORDS = [NumberedDecision(number=number, decision=a_decision(page=number)) for number in (3, 4, 9)]


def test_a_seal_holds_for_its_records_and_for_no_others() -> None:
    seal = DecisionSeal.of(RECORDS)
    assert DecisionSeal.read(seal.detail) == seal
    assert seal.holds(RECORDS)
    first, second, third = RECORDS
    changed = replace(second, decision=replace(second.decision, requester="HIU-9"))
    renamed = replace(second, number=5)
    for others in ([first, third], [first, changed, third], [*RECORDS, renamed], [first, renamed, third], []):
        assert not seal.holds(others)
    assert DecisionSeal.read((("first", "x"),)) is None


def test_the_relay_seals_what_has_settled_once_and_verify_counts_on_it():
    async def story() -> None:
        house = await data_asked_for()
        await house.work()
        made = len(await decisions(house))
        assert made == 5
        assert await house.seal_decisions() == 0
        house.clock.advance(SETTLED)
        assert await house.seal_decisions() == made
        assert await house.seal_decisions() == 0
        [seal] = await audited(house, "decisions-sealed")
        assert seal["count"] == str(made)
        assert isinstance(await AuditTrail(house.units).verify(HIP), AuditHead)

    asyncio.run(story())


def test_many_records_take_several_entries_and_a_young_one_holds_back_what_follows():
    async def story() -> None:
        house = House()
        now = house.clock()
        async with house.units() as uow:
            for number in range(AT_ONCE + 10):
                await uow.decisions.append(a_decision(hip_id=HIP, page=number, at=now - SETTLED))
            await uow.decisions.append(a_decision(hip_id=HIP, at=now))
            await uow.decisions.append(a_decision(hip_id=HIP, at=now - SETTLED))
            await uow.commit()
        assert [await house.seal_decisions() for _ in range(3)] == [AT_ONCE, 10, 0]
        house.clock.advance(timedelta(minutes=2))
        assert await house.seal_decisions() == 2
        assert isinstance(await AuditTrail(house.units).verify(HIP), AuditHead)

    asyncio.run(story())
