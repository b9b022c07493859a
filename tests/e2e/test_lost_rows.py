"""The demonstration's whole story on real servers while the first outbox row of each piece of work is lost.

As if somebody deleted it the moment it was committed. What waits for it is found by the sweep and asked for again.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.databases import connected
from tests.servers import quick_disk

from hip.entrypoints.demo.stages import server_stage
from hip.entrypoints.demo.story import Story
from hip.entrypoints.embedded.places import fresh_folder

LOST = ("bundle", "link", "sms", "transfer")
"""Not callbacks: the sandbox's gateway waits for their answers no longer than the real one."""

_LOSE = """
CREATE TABLE lost_once (topic text, key text, PRIMARY KEY (topic, key));
CREATE FUNCTION lose_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.topic IN ('bundle', 'link', 'sms', 'transfer') THEN
        INSERT INTO lost_once VALUES (NEW.topic, NEW.key) ON CONFLICT DO NOTHING;
        IF FOUND THEN RETURN NULL; END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER lose_once BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION lose_once();
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with fresh_folder(inside=quick_disk()) as fresh:
        yield fresh


@pytest.mark.soak
@pytest.mark.servers
def test_the_main_job_comes_to_its_end_although_the_first_row_of_all_work_is_lost(folder: Path) -> None:
    async def story() -> None:
        async with server_stage(folder, wait_scale=0.01, report=lambda _: None) as stage:
            assert stage.servers is not None
            connection = await connected(stage.servers.urls.database_url)
            await connection.execute(_LOSE)
            told = Story(stage=stage, tell=lambda _: None)
            await told.play()
            assert [result for result in told.results if not result.held] == []
            assert len(told.results) == 14
            lost = Counter(row["topic"] for row in await connection.fetch("SELECT topic FROM lost_once"))
            asked = await connection.fetch(
                "SELECT DISTINCT detail, subject FROM audit WHERE action = 'work-asked-again'"
            )
            again = Counter(topic for row in asked for topic in LOST if f'"{topic}"' in row["detail"])
            assert set(lost) == set(LOST)
            assert lost["bundle"] == 16
            # A link goes out with those of the same patient, whoever of them was found.
            assert {topic: again[topic] for topic in LOST if topic != "link"} == {
                topic: lost[topic] for topic in LOST if topic != "link"
            }
            assert again["link"] > 0
            await connection.close()

    asyncio.run(story())
