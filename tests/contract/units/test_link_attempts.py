"""User-initiated linkings, and what a discovery offered."""

import asyncio

import pytest
from tests.builders.links import HIP, MEERA_ADDRESS, OTHER_HIP, a_discovery, a_link_attempt
from tests.builders.moments import MINUTE, NOW, SECOND

from hip.application.storage import Units
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, CareContextReference, HipId, LinkReference, RequestId, TransactionId
from hip.domain.link_attempts import AttemptState, LinkAttempt, OfferedContext

pytestmark = pytest.mark.anyio
ONE, DISCOVERY = LinkReference("attempt-1"), TransactionId("discovery-1")


async def saved(units: Units, *attempts: LinkAttempt) -> None:
    async with units() as uow:
        for attempt in attempts:
            await uow.link_attempts.save(attempt)
        await uow.commit()


async def test_an_attempt_comes_back_with_everything(units: Units) -> None:
    tried, _ = a_link_attempt().confirm("000000", request_id=RequestId("c-1"), at=NOW + SECOND, now=NOW + SECOND)
    done, _ = tried.confirm("482913", request_id=RequestId("c-2"), at=NOW + SECOND, now=NOW + SECOND)
    for attempt in (a_link_attempt(), tried, done, done.link(now=NOW + MINUTE), tried.fail("ABDM-1035", now=NOW)):
        await saved(units, attempt)
        async with units() as uow:
            assert await uow.link_attempts.get(HIP, ONE) == attempt
            assert await uow.link_attempts.lock(HIP, ONE) == attempt


async def test_the_newest_attempt_of_a_discovery_is_found(units: Units) -> None:
    newer = a_link_attempt(reference=LinkReference("attempt-2"), created_at=NOW + SECOND)
    elsewhere = a_link_attempt(
        reference=LinkReference("attempt-3"), transaction_id=TransactionId("discovery-2"), created_at=NOW + MINUTE
    )
    await saved(units, newer, a_link_attempt(), elsewhere)
    async with units() as uow:
        assert await uow.link_attempts.lock_latest(HIP, DISCOVERY) == newer
        assert await uow.link_attempts.lock_latest(HIP, TransactionId("unheard of")) is None
        assert await uow.link_attempts.lock(HIP, LinkReference("unheard of")) is None
        assert await uow.link_attempts.get(HIP, LinkReference("unheard of")) is None


async def test_attempts_whose_otp_ended_are_found_oldest_first(units: Units) -> None:
    older = a_link_attempt(reference=LinkReference("attempt-2"), expires_at=NOW)
    newer = a_link_attempt(expires_at=NOW + SECOND)
    elsewhere = a_link_attempt(hip_id=OTHER_HIP, expires_at=NOW + 2 * SECOND)
    alive = a_link_attempt(reference=LinkReference("attempt-3"), expires_at=NOW + MINUTE)
    over = a_link_attempt(reference=LinkReference("attempt-4"), expires_at=NOW).fail("ABDM-1035", now=NOW)
    await saved(units, newer, older, elsewhere, alive, over)
    async with units() as uow:
        assert await uow.link_attempts.lapsed(before=NOW + MINUTE, limit=9) == [older, newer, elsewhere]
        assert await uow.link_attempts.lapsed(before=NOW + MINUTE, limit=1) == [older]
        assert await uow.link_attempts.lapsed(before=NOW, limit=9) == []


async def test_otps_are_counted_by_number_and_time(units: Units) -> None:
    await saved(
        units,
        a_link_attempt(),
        a_link_attempt(reference=LinkReference("attempt-2"), created_at=NOW - MINUTE),
        a_link_attempt(reference=LinkReference("attempt-3"), number_key="another number"),
    )
    async with units() as uow:
        assert await uow.link_attempts.otps_since(HIP, "a-number", NOW - MINUTE) == 2
        assert await uow.link_attempts.otps_since(HIP, "a-number", NOW) == 1
        assert await uow.link_attempts.otps_since(HIP, "nobody's", NOW - MINUTE) == 0


async def test_two_hips_attempts_never_meet(units: Units) -> None:
    theirs = a_link_attempt(hip_id=OTHER_HIP, state=AttemptState.FAILED, code="ABDM-1035")
    await saved(units, a_link_attempt(), theirs)
    async with units() as uow:
        assert await uow.link_attempts.lock(HIP, ONE) == a_link_attempt()
        assert await uow.link_attempts.lock(OTHER_HIP, ONE) == theirs
        assert await uow.link_attempts.lock_latest(HIP, DISCOVERY) == a_link_attempt()
        assert await uow.link_attempts.otps_since(HIP, "a-number", NOW) == 1
        assert await uow.link_attempts.otps_since(HipId("IN0410000555"), "a-number", NOW) == 0


async def test_two_who_count_a_number_at_once_take_turns(units: Units) -> None:
    """Else both would find one OTP too few and send one too many."""

    async def send(number: int) -> bool:
        async with units() as uow:
            if await uow.link_attempts.otps_since(HIP, "a-number", NOW) >= 1:
                return False
            await uow.link_attempts.save(a_link_attempt(reference=LinkReference(f"attempt-{number}")))
            await uow.commit()
        return True

    assert sorted(await asyncio.gather(*(send(number) for number in range(5)))) == [False] * 4 + [True]


async def test_two_confirms_at_once_are_both_counted(units: Units) -> None:
    await saved(units, a_link_attempt())

    async def type_wrongly(number: int) -> None:
        async with units() as uow:
            attempt = await uow.link_attempts.lock(HIP, ONE)
            assert attempt is not None
            judged, _ = attempt.confirm("000000", request_id=RequestId(f"c-{number}"), at=NOW, now=NOW)
            await uow.link_attempts.save(judged)
            await uow.commit()

    await asyncio.gather(*(type_wrongly(number) for number in range(4)))
    async with units() as uow:
        attempt = await uow.link_attempts.lock(HIP, ONE)
    assert attempt is not None
    assert attempt.tries == 4


async def test_a_discovery_keeps_what_it_offered(units: Units) -> None:
    offer = (
        OfferedContext(reference=CareContextReference("88121"), hi_type=HiType.OP_CONSULTATION),
        OfferedContext(reference=CareContextReference("88120"), hi_type=HiType.PRESCRIPTION),
    )
    async with units() as uow:
        await uow.discoveries.add(a_discovery(offered=offer))
        await uow.discoveries.add(a_discovery(transaction_id=TransactionId("discovery-2")))
        await uow.commit()
    async with units() as uow:
        assert await uow.discoveries.get(HIP, DISCOVERY) == a_discovery(offered=offer)
        assert await uow.discoveries.lock(HIP, DISCOVERY) == a_discovery(offered=offer)
        assert await uow.discoveries.lock(HIP, TransactionId("discovery-2")) == a_discovery(
            transaction_id=TransactionId("discovery-2")
        )
        assert await uow.discoveries.lock(OTHER_HIP, DISCOVERY) is None


async def test_disc_02_discoveries_are_counted_by_facility_address_and_moment(units: Units) -> None:
    first, second, third = (TransactionId(f"discovery-{number}") for number in (1, 2, 3))
    async with units() as uow:
        await uow.discoveries.add(a_discovery(transaction_id=first, received_at=NOW))
        await uow.discoveries.add(a_discovery(transaction_id=second, received_at=NOW + MINUTE))
        await uow.discoveries.add(a_discovery(transaction_id=third, abha_address=AbhaAddress("ravi@sbx")))
        await uow.discoveries.add(a_discovery(hip_id=OTHER_HIP, transaction_id=first))
        await uow.commit()
    async with units() as uow:
        asked = uow.discoveries.asked_since
        assert await asked(HIP, MEERA_ADDRESS, NOW, beside=third) == 2
        assert await asked(HIP, MEERA_ADDRESS, NOW + SECOND, beside=third) == 1
        assert await asked(HIP, MEERA_ADDRESS, NOW, beside=first) == 1
        assert await asked(OTHER_HIP, MEERA_ADDRESS, NOW, beside=third) == 1
        assert await asked(HIP, AbhaAddress("nobody@sbx"), NOW, beside=first) == 0


async def test_disc_02_discoveries_of_one_address_at_once_take_turns(units: Units) -> None:
    """Else each would count one too few."""

    async def discover(number: int) -> bool:
        transaction = TransactionId(f"discovery-{number}")
        async with units() as uow:
            if await uow.discoveries.asked_since(HIP, MEERA_ADDRESS, NOW, beside=transaction) >= 2:
                return False
            await uow.discoveries.add(a_discovery(transaction_id=transaction))
            await uow.commit()
        return True

    assert sorted(await asyncio.gather(*(discover(number) for number in range(6)))) == [False] * 4 + [True] * 2
