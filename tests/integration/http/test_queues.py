"""The desk's view of who shared a profile."""

import asyncio

from tests.builders.edge import edge
from tests.unit.gateway.bodies import SHARE, SHARE_PATH

from hip.application.storage import Listing

KEY = {"X-API-Key": "sandbox"}


def test_a_shared_profile_stands_in_the_queue_for_the_desk_and_the_look_is_audited():
    async def story() -> None:
        async with edge() as service:
            assert (await service.call_back(SHARE_PATH, SHARE)).status_code == 202
            async with asyncio.timeout(10):
                while not (shown := await service.http.get("/v1/queue", headers=KEY)).json():
                    await asyncio.sleep(0.01)
            [place] = shown.json()
            assert (place["counter"], place["tokenNumber"]) == ("counter1", "0001")
            assert place["profile"]["name"] == "Meera Kulkarni"
            assert shown.headers["cache-control"] == "no-store"
            async with service.adapters.units()() as uow:
                actions = {entry.action for entry in await uow.audit.list(Listing())}
            assert {"profile-shared", "queue-viewed"} <= actions

    asyncio.run(story())


def test_api_01_no_key_no_queue_and_cb_05_no_look_into_another_facilitys():
    async def story() -> None:
        async with edge() as service:
            assert (await service.http.get("/v1/queue")).status_code == 401
            assert (await service.http.get("/v1/queue?hip=IN0000000001", headers=KEY)).status_code in (403, 404)
            assert (await service.call_back(SHARE_PATH, SHARE)).status_code == 202
            other = await service.http.get("/v1/queue?hip=IN0410000999", headers=KEY)
            assert other.json() == []

    asyncio.run(story())
