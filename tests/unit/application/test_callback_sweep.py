"""Callbacks that nobody reads are told of, also when no worker runs at all."""

import asyncio
from datetime import timedelta

from tests.builders.conversations import a_callback
from tests.builders.flows import HIP, House

from hip.application.sweeps import SweepCallbacks
from hip.application.waits import Waits
from hip.domain.identifiers import HipId


class Alarms(list[tuple[str, HipId, str, str]]):
    def __call__(self, event: str, *, hip_id: HipId, subject: str, detail: str = "") -> None:
        self.append((event, hip_id, subject, detail))


def test_rel_20_a_callback_that_nobody_read_for_a_minute_raises_an_alarm_each_minute_until_it_is_read():
    async def story() -> None:
        house, alarms = House(), Alarms()
        sweep = SweepCallbacks(house.units, house.clock, Waits(), alarms)
        callback = a_callback(hip_id=HIP, received_at=house.clock())
        async with house.units() as uow:
            await uow.callbacks.add(callback)
            await uow.commit()
        house.clock.advance(timedelta(seconds=60))
        assert await sweep() == 0
        house.clock.advance(timedelta(seconds=1))
        assert await sweep() == 1
        assert await sweep() == 0, "once a minute is enough"
        house.clock.advance(timedelta(seconds=60))
        assert await sweep() == 1
        assert alarms == [
            ("callbacks-unread", HIP, callback.id, "61s"),
            ("callbacks-unread", HIP, callback.id, "121s"),
        ]
        async with house.units() as uow:
            await uow.callbacks.save(callback.done(now=house.clock()))
            await uow.commit()
        house.clock.advance(timedelta(minutes=5))
        assert await sweep() == 0

    asyncio.run(story())
