"""AUD-01: every look at the bridge and every change of its address is in the audit of every HIP it serves."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.builders.flows import HIP, House

from hip.application.bridges import LookAfterBridge
from hip.application.storage import Listing
from hip.domain.errors import InvalidValue, Transient

URL = "https://hip.example.org"


class OneBridge:
    """The gateway's side: keeps one address, or does not answer."""

    def __init__(self, house: House, *, away: bool = False) -> None:
        self.house = house
        self.away = away
        self.url = ""
        self.noted_before: list[str] = []

    async def bridge_services(self) -> Mapping[str, Any]:
        self.noted_before = [action for action, _ in await noted(self.house)]
        return {"url": self.url}

    async def bridge_service(self, service_id: str) -> Mapping[str, Any]:
        self.noted_before = [action for action, _ in await noted(self.house)]
        return {"id": service_id, "active": True}

    async def set_bridge_url(self, url: str) -> None:
        self.noted_before = [action for action, _ in await noted(self.house)]
        if self.away:
            raise Transient("no reply")
        self.url = url


async def noted(house: House) -> list[tuple[str, dict[str, str]]]:
    async with house.units() as uow:
        entries = await uow.audit.list(Listing(hip_id=HIP, limit=100))
    assert all((entry.actor, entry.subject) == ("operator", HIP) for entry in entries)
    return [(entry.action, dict(entry.detail)) for entry in reversed(entries)]


def test_aud_01_a_look_and_a_change_are_written_down_before_the_gateway_is_asked():
    async def story() -> None:
        house = House()
        bridge = OneBridge(house)
        desk = LookAfterBridge(house.units, bridge, house.facilities, house.clock)
        await desk.set(URL, actor="operator")
        assert bridge.noted_before == ["bridge-url-set"]
        assert await desk.show(actor="operator") == {"url": URL}
        assert bridge.noted_before == ["bridge-url-set", "bridge-viewed"]
        assert await noted(house) == [("bridge-url-set", {"url": URL}), ("bridge-viewed", {})]

    asyncio.run(story())


def test_aud_01_a_look_at_one_service_is_written_down_with_its_id():
    async def story() -> None:
        house = House()
        bridge = OneBridge(house)
        desk = LookAfterBridge(house.units, bridge, house.facilities, house.clock)
        assert await desk.show_service("IN0410000999", actor="operator") == {"id": "IN0410000999", "active": True}
        assert bridge.noted_before == ["bridge-viewed"]
        assert await noted(house) == [("bridge-viewed", {"service": "IN0410000999"})]
        with pytest.raises(InvalidValue):
            await desk.show_service("../bridge/url", actor="operator")
        assert len(await noted(house)) == 1

    asyncio.run(story())


def test_aud_01_a_change_that_may_not_have_come_about_says_so():
    async def story() -> None:
        house = House()
        desk = LookAfterBridge(house.units, OneBridge(house, away=True), house.facilities, house.clock)
        with pytest.raises(Transient):
            await desk.set(URL, actor="operator")
        assert [action for action, _ in await noted(house)] == ["bridge-url-set", "bridge-url-not-set"]
        assert (await noted(house))[1][1] == {"url": URL, "error": "Transient"}

    asyncio.run(story())
