"""Linkings that nobody finishes end by our own clock."""

import asyncio
from datetime import timedelta

from tests.builders.flows import HIP, House
from tests.builders.links import a_link_attempt

from hip.application.storage import Listing
from hip.application.sweeps import SweepOtps
from hip.application.waits import Waits
from hip.domain.link_attempts import AttemptState


def test_an_otp_that_nobody_typed_in_is_given_up_a_day_after_its_end_and_no_sooner():
    async def story() -> None:
        house = House()
        sweep = SweepOtps(house.units, house.clock, Waits())
        attempt = a_link_attempt(expires_at=house.clock() + timedelta(minutes=10))
        async with house.units() as uow:
            await uow.link_attempts.save(attempt)
            await uow.commit()
        house.clock.advance(timedelta(hours=24))
        assert await sweep() == 0, "a confirm that came in time may still be waiting to be read"
        house.clock.advance(timedelta(minutes=11))
        assert await sweep() == 1
        assert await sweep() == 0
        async with house.units() as uow:
            given_up = await uow.link_attempts.get(HIP, attempt.reference)
            audit = await uow.audit.list(Listing(hip_id=HIP))
        assert given_up is not None
        assert (given_up.state, given_up.code) == (AttemptState.FAILED, "ABDM-1035")
        assert [(entry.actor, entry.action, entry.subject) for entry in audit] == [
            ("clock", "otp-lapsed", attempt.reference)
        ]

    asyncio.run(story())
