"""``GET /health-information/{id}?token=``: open to whoever has the link, once, and never telling why not."""

import asyncio
from datetime import UTC, datetime

from tests.builders.edge import edge
from tests.builders.transfers import a_transfer, a_waiting_entry

ENTRY = a_waiting_entry(information_id="2b0f7d3e-0000-4000-8000-000000000001", content="c2VhbGVk", token="cd" * 32)
URL = f"/health-information/{ENTRY.information_id}"


def test_an_entry_without_a_consent_that_stands_is_removed_and_looks_like_one_that_never_was():
    async def story() -> None:
        async with edge() as service:
            now = datetime.now(UTC)
            async with service.adapters.units()() as uow:
                await uow.transfers.add(a_transfer(consent_id=ENTRY.consent_id))
                await uow.waiting_entries.add(a_waiting_entry(information_id=ENTRY.information_id, created_at=now))
                await uow.commit()
            answers = [
                await service.http.get(URL),
                await service.http.get(URL, params={"token": "wrong"}),
                await service.http.get("/health-information/unknown", params={"token": "wrong"}),
                await service.http.get(URL, params={"token": a_waiting_entry().token}),
            ]
            assert {answer.status_code for answer in answers} == {404}
            assert len({answer.text for answer in answers}) == 1
            assert "token" not in answers[0].text
            async with service.adapters.units()() as uow:
                assert await uow.waiting_entries.find(ENTRY.information_id) is None

    asyncio.run(story())
