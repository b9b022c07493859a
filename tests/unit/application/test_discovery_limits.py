"""Whoever tries out names and ages is slowed down and seen (DISC-02)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from tests.builders.discoveries import STRANGER, a_query
from tests.builders.flows import HIP, House
from tests.builders.links import OTHER_HIP

from hip.application.discovery import DISCOVERY_WINDOW, DiscoveryRules
from hip.application.gateway_calls import OnDiscover
from hip.application.gateway_events import DiscoveryAsked
from hip.application.listings import Listing
from hip.domain.exchanges import Flow
from hip.domain.identifiers import HipId, TransactionId

PER_HOUR = DiscoveryRules().per_hour


class Searcher:
    """A patient's app that searches again and again, a minute apart unless told otherwise."""

    def __init__(self) -> None:
        self.house = House()
        self.searches = 0

    async def search(self, *, hip_id: HipId = HIP, transaction: str | None = None, **changes: object) -> OnDiscover:
        """What we answered."""
        self.searches += 1
        query = a_query(transaction_id=TransactionId(transaction or f"search-{self.searches}"), **changes)
        await self.house.answer_discovery(replace(self.house.delivery(), hip_id=hip_id), DiscoveryAsked(query=query))
        answer = self.house.gateway.of(Flow.ON_DISCOVER)[-1]
        assert isinstance(answer, OnDiscover)
        return answer

    async def exhaust(self) -> None:
        for _ in range(PER_HOUR):
            assert message(await self.search()) == "Patient not found"

    async def written(self) -> list[str]:
        async with self.house.units() as uow:
            return [entry.action for entry in await uow.audit.list(Listing(hip_id=HIP, limit=100))]


def message(answer: OnDiscover) -> str:
    assert answer.error is not None
    return answer.error.message


def test_disc_02_the_search_beyond_the_hours_share_is_refused_and_noted():
    async def story() -> None:
        app = Searcher()
        await app.exhaust()
        refused = await app.search()
        assert refused.error is not None
        assert (refused.error.code, refused.error.message) == ("ABDM-1022", "Too many requests")
        assert (refused.entries, refused.matched_by) == ((), ())
        written = await app.written()
        assert written.count("discovery") == PER_HOUR
        assert written.count("discovery-refused") == 1
        async with app.house.units() as uow:
            assert await uow.discoveries.get(HIP, TransactionId(f"search-{app.searches}")) is None

    asyncio.run(story())


def test_disc_02_what_is_searched_for_makes_no_difference():
    async def story() -> None:
        app = Searcher()
        for number in range(PER_HOUR):
            await app.search(name=f"Name {number}", birth_year=1950 + number)
        assert message(await app.search(name="Another Name")) == "Too many requests"

    asyncio.run(story())


def test_disc_02_another_address_or_facility_has_its_own_share():
    async def story() -> None:
        app = Searcher()
        await app.exhaust()
        assert message(await app.search(abha_address=STRANGER)) == "Patient not found"
        assert message(await app.search(hip_id=OTHER_HIP)) == "Patient not found"
        assert message(await app.search()) == "Too many requests"

    asyncio.run(story())


def test_disc_02_refused_searches_do_not_keep_the_door_shut():
    async def story() -> None:
        app = Searcher()
        await app.exhaust()
        app.house.clock.advance(DISCOVERY_WINDOW - timedelta(minutes=1))
        for _ in range(PER_HOUR):
            assert message(await app.search()) == "Too many requests"
        app.house.clock.advance(timedelta(minutes=2))
        assert message(await app.search()) == "Patient not found"

    asyncio.run(story())


def test_disc_02_a_search_delivered_again_is_the_same_search():
    async def story() -> None:
        app = Searcher()
        for _ in range(PER_HOUR + 5):
            assert message(await app.search(transaction="one")) == "Patient not found"
        assert (await app.written()).count("discovery") == 1

    asyncio.run(story())


def test_disc_02_searches_at_the_same_moment_are_counted_too():
    async def story() -> None:
        app = Searcher()
        await asyncio.gather(*(app.search() for _ in range(PER_HOUR + 7)))
        written = await app.written()
        assert written.count("discovery") == PER_HOUR
        assert written.count("discovery-refused") == 7

    asyncio.run(story())
