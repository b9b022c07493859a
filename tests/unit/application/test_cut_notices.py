"""A notice that ends a consent takes its own raw body along (RET-01), and is answered all the same (CB-06, REL-20)."""

import asyncio
import json

import pytest
from dependency_injector.providers import Object
from tests.builders.edge import settings_in_memory
from tests.builders.flows import HIP, House

from hip.application.callbacks import ReceivedCallback
from hip.application.storage import Listing
from hip.domain.callbacks import Callback, CallbackState
from hip.domain.errors import Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import RequestId
from hip.entrypoints.container import adapters_for, opened, use_cases
from hip.entrypoints.demo.stages import settings_of

PATH = "/api/v3/consent/request/hip/notify"


def _notice(status: str) -> ReceivedCallback:
    body = {"notification": {"status": status, "consentId": "3f0c2c31-6c7c-4ad7-9a2f-6a10a4b1f0a7"}}
    return ReceivedCallback(
        hip_id=HIP, path=PATH, request_id=RequestId("r-1"), body=json.dumps(body).encode(), headers=(), verified=True
    )


@pytest.mark.parametrize("status", ["REVOKED", "EXPIRED"])
def test_ret_01_an_end_whose_answer_was_not_taken_at_first_is_answered_though_its_body_is_cut(status: str) -> None:
    async def story() -> None:
        house, settings = House(), settings_of(settings_in_memory())
        adapters = adapters_for(settings)
        adapters.clock.override(Object(house.clock))
        adapters.gateway.override(Object(house.gateway))

        async with opened(adapters):
            uses, units = use_cases(adapters, settings), adapters.units()

            async def only() -> Callback:
                async with units() as uow:
                    [callback] = await uow.callbacks.list(Listing(limit=9))
                return callback

            await uses.receive_callback()(_notice(status))
            callback = await only()
            house.gateway.refusals[Flow.CONSENT_ON_NOTIFY] = [Transient("no reply")]
            with pytest.raises(Transient):
                await uses.process_callback()(callback.hip_id, callback.id)
            assert (await only()).sealed_body is None
            await uses.process_callback()(callback.hip_id, callback.id)
            [first, again] = house.gateway.of(Flow.CONSENT_ON_NOTIFY)
            assert first == again
            assert (await only()).state is CallbackState.DONE

    asyncio.run(story())
